"""System tasks on demand, on a real API server and its Job controller; the test plays the node that runs the pods."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels

from tests.api.pods import end, pods
from tests.api.process import running
from tests.operator.world import native

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from concurrent.futures import Future

    import httpx

    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.operator.world import World

PATIENCE_SECONDS = 30
NOTHING = (
    "execute_process_weekly_summary",
    "execute_cleanup_expired_files",
    "execute_cleanup_oauth_tokens",
)
TEXTS = (
    "execute_report_late_executions",
    "execute_report_block_error_rates",
    "execute_report_execution_accuracy_alerts",
)
COUNTS = "execute_ensure_embeddings_coverage"
BATCHES = "execute_process_existing_batches"


@pytest.fixture(scope="module", autouse=True)
def installed(world: World) -> None:
    """Install a CronJob for each task, as the chart does."""
    for method in (*NOTHING, *TEXTS, COUNTS, BATCHES):
        task = method.removeprefix("execute_").replace("_", "-")
        cronjob = native(f"release-{task}")
        cronjob["metadata"]["labels"] = {labels.TASK_LABEL: task, "app.kubernetes.io/instance": "release"}
        job = cronjob["spec"]["jobTemplate"]
        job["metadata"] = {"labels": {"is": "kept"}}
        job["spec"]["backoffLimit"] = 0
        job["spec"]["template"]["spec"]["containers"][0]["env"] = [{"name": "NOTIFICATION_TYPES", "value": "X"}]
        world.kubectl("apply", "--filename", "-", given=cronjob)


@contextmanager
def called(api: Api, method: str, **members: object) -> Iterator[Future[httpx.Response]]:
    """Call a method, and give its answer while it is waited for."""
    with ThreadPoolExecutor(1) as caller:
        yield caller.submit(api.call, method, **members)


def pod_of(world: World, method: str, *, but: Container[str] = ()) -> dict[str, Any]:
    """Wait for the pod of a method's Job, one that none knows yet."""
    prefix = f"release-{method.removeprefix('execute_').replace('_', '-')}-"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        for pod in pods(world):
            phase, name = pod["status"]["phase"], pod["metadata"]["name"]
            if name.startswith(prefix) and phase == "Pending" and name not in but:
                return pod
        assert time.monotonic() < deadline


@pytest.mark.parametrize("method", NOTHING)
def test_a_task_that_returns_nothing_returns_null_once_it_is_done(api: Api, world: World, method: str) -> None:
    with called(api, method) as answer:
        end(world, pod_of(world, method), state="succeeded", counts={"deleted": 3})
        assert (answer.result().status_code, answer.result().json()) == (200, None)


@pytest.mark.parametrize("method", TEXTS)
def test_a_report_returns_its_text(api: Api, world: World, method: str) -> None:
    with called(api, method) as answer:
        end(world, pod_of(world, method), state="succeeded", text="No late executions detected.")
        assert (answer.result().status_code, answer.result().json()) == (200, "No late executions detected.")


def test_embeddings_coverage_returns_its_counts(api: Api, world: World) -> None:
    counts = {"backfill": {"processed": 2, "success": 2, "failed": 0}, "cleanup": {"deleted": 1}}
    with called(api, COUNTS) as answer:
        end(world, pod_of(world, COUNTS), state="succeeded", counts=counts)
        assert (answer.result().status_code, answer.result().json()) == (200, counts)


def test_a_task_that_had_nothing_to_do_says_so(api: Api, world: World) -> None:
    with called(api, COUNTS) as answer:
        end(world, pod_of(world, COUNTS), state="skipped", text="nothing done: another run of it was under way")
        told = answer.result().json()
        assert (told["state"], told["error"]) == ("skipped", "nothing done: another run of it was under way")


def test_the_job_is_made_from_the_cronjob(api: Api, world: World) -> None:
    with called(api, BATCHES, kwargs={"notification_types": ["AGENT_RUN", "LOW_BALANCE"], "cron": "x"}) as answer:
        pod = pod_of(world, BATCHES)
        owner = pod["metadata"]["ownerReferences"][0]["name"]
        job = world.get("job", owner)
        end(world, pod, state="succeeded")
        assert answer.result().json() is None
    assert job is not None
    assert job["metadata"]["labels"]["is"] == "kept"
    assert job["metadata"]["annotations"]["cronjob.kubernetes.io/instantiate"] == "manual"
    (controller,) = job["metadata"]["ownerReferences"]
    assert (controller["kind"], controller["name"]) == ("CronJob", "release-process-existing-batches")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "NOTIFICATION_TYPES", "value": "AGENT_RUN,LOW_BALANCE"}]


def test_no_types_of_notifications_are_nobodys_batches(api: Api, world: World) -> None:
    before = {pod["metadata"]["name"] for pod in pods(world)}
    assert api.result(BATCHES, kwargs={"notification_types": []}) is None
    assert {pod["metadata"]["name"] for pod in pods(world)} == before


@pytest.mark.parametrize(
    ("report", "words"),
    [
        pytest.param({"state": "failed", "text": "the object store is away"}, "the object store is away", id="told"),
        pytest.param({}, "ended without a word", id="silent"),
    ],
)
def test_a_task_that_failed_is_an_error_that_says_why(
    api: Api, world: World, report: dict[str, object], words: str
) -> None:
    method = NOTHING[1]
    with called(api, method) as answer:
        end(world, pod_of(world, method), code=75, **report)
        refusal = answer.result().json()
    assert (answer.result().status_code, refusal["type"], refusal["extras"]) == (500, "TaskFailedError", None)
    assert words in refusal["args"][0]


def test_a_task_that_outlives_the_request_is_told_as_it_stands(world: World, platform: Platform) -> None:
    with running(world.cluster.kubeconfig, world.namespace, platform.url, task_seconds="0.5") as api:
        told = api.result(COUNTS)
        assert told["state"] == "running"
        assert world.get("job", told["job"]) is not None
        assert api.result(TEXTS[0]).startswith("report-late-executions is still running, as Job release-report-late-")
        assert api.result(NOTHING[0]) is None


def test_who_waits_for_a_task_when_the_end_comes_is_told_how_it_stands(world: World, platform: Platform) -> None:
    before = {pod["metadata"]["name"] for pod in pods(world)}
    with running(world.cluster.kubeconfig, world.namespace, platform.url) as api, called(api, COUNTS) as answer:
        pod_of(world, COUNTS, but=before)
        assert api.stop() == 0
        assert answer.result().json()["state"] == "running"


def test_a_task_whose_job_is_deleted_is_an_error(api: Api, world: World) -> None:
    method = NOTHING[2]
    with called(api, method) as answer:
        job = pod_of(world, method)["metadata"]["ownerReferences"][0]["name"]
        world.kubectl("delete", "job", job, "--wait=false")
        assert answer.result().json()["type"] == "TaskFailedError"


def test_a_task_that_is_not_installed_is_not_found(world: World, platform: Platform) -> None:
    selector = "app.kubernetes.io/instance=another"
    with running(world.cluster.kubeconfig, world.namespace, platform.url, task_selector=selector) as api:
        status, refusal = api.error(TEXTS[0])
        assert (status, refusal["type"]) == (400, "NotFoundError")
        assert "report-late-executions is not installed" in refusal["args"][0]


def test_batches_are_asked_for_with_an_object(api: Api) -> None:
    assert api.error(BATCHES)[0] == 422
    assert api.error(BATCHES, kwargs=[])[0] == 422
