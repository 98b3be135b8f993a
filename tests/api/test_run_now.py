"""Runs over REST: one more, now, by the CronJob that the operator made; and what became of it. The test is the node."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels
from graphschedule_platform import tables, task_runs
from sqlalchemy import select, update

from tests.api.conftest import new_user
from tests.api.pods import end, pods
from tests.api.process import running
from tests.api.rest import Rest
from tests.operator.world import native, operator
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.api.tokens import Issuer
    from tests.operator.world import Operator, World

DISPATCHES = ("PerSchedule", "Grouped")


@pytest.fixture(scope="module")
def api(world: World, platform: Platform, issuer: Issuer) -> Iterator[Api]:
    settings = {"jwt": issuer.settings(), "task_seconds": "30"}
    with running(world.cluster.kubeconfig, world.namespace, platform.url, **settings) as made:
        yield made


@pytest.fixture(scope="module")
def firing(world: World, platform: Platform) -> Iterator[Operator]:
    """Run the operator, which makes CronJobs."""
    with operator(world, None, database_url=platform.url) as made:
        yield made


@pytest.fixture
def rest(api: Api, issuer: Issuer, user: str) -> Rest:
    return Rest(api, issuer.token(user))


def scheduled(rest: Rest, world: World, user: str, **members: object) -> dict[str, Any]:
    """Make a schedule, and return it once the operator has a CronJob fire it."""
    draft = {"graph": {"id": user, "version": 3}, "userId": user, "cron": "0 0 1 1 *", "inputs": {"text": "hello"}}
    made = rest.create(draft | members)
    world.until_condition(made["name"], "Scheduled", "Suspended" if members.get("suspend") else "CronJobApplied")
    while "cronJobName" not in rest.get(f"/schedules/{made['id']}")["status"]:
        continue
    return made


def run_pod(world: World, job: str, platform: Platform, folder: Path) -> None:
    """Do what the pod of a Job does."""
    made = world.get("job", job)
    assert made is not None
    template = made["spec"]["template"]
    (container,) = template["spec"]["containers"]
    command, (shown,) = container["command"], [v for v in template["spec"]["volumes"] if v["name"] == "payload"]
    (item,) = shown["downwardAPI"]["items"]
    assert item["fieldRef"]["fieldPath"] == f"metadata.annotations['{labels.RUN_ANNOTATION}']"
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == "payload"]
    file = folder / item["path"]
    file.write_text(template["metadata"]["annotations"][labels.RUN_ANNOTATION])
    assert command[:2] == ["graphschedule-runner", "execute"]
    words = [word.replace(mount["mountPath"], str(folder)) for word in command[1:]]
    assert str(file) in words
    environment = {
        **os.environ,
        "DATABASE_URL": platform.url,
        "GRAPHSCHEDULE_JOB_NAME": job,
        "GRAPHSCHEDULE_JOB_UID": made["metadata"]["uid"],
    }
    subprocess.run([sys.executable, "-m", "graphschedule_runner", *words], env=environment, check=True)


@pytest.mark.parametrize("dispatch", DISPATCHES)
def test_a_schedule_is_run_now_and_its_run_is_followed_to_its_end(
    rest: Rest, world: World, firing: Operator, platform: Platform, user: str, dispatch: str, tmp_path: Path
) -> None:
    assert firing.process.poll() is None
    made = scheduled(rest, world, user, dispatch=dispatch)
    path = f"/schedules/{made['id']}"
    answer = rest.ask("POST", f"{path}:run")
    begun = answer.json()
    assert (answer.status_code, answer.headers["Location"]) == (202, begun["url"])
    assert begun["slot"].startswith("manual:")
    where = begun["url"].removeprefix("/v1")
    assert rest.problem("GET", where)[:2] == (404, "not-found")
    run_pod(world, begun["job"], platform, tmp_path)
    run = rest.get(where)
    assert (run["id"], run["slot"], run["state"]) == (begun["id"], begun["slot"], "pending")
    assert (run["slotState"], run["executionStatus"], run["graphVersion"]) == ("enqueued", "QUEUED", 3)
    assert rest.get(f"{path}/runs")["items"] == [run]
    execution = tables.agent_graph_execution
    for status, state in (("RUNNING", "running"), ("COMPLETED", "completed"), ("TERMINATED", "cancelled")):
        with platform.engine.begin() as connection:
            changed = update(execution).values(execution_status=status)
            connection.execute(changed.where(execution.c.id == begun["id"]))
        assert rest.get(where)["state"] == state


@pytest.mark.parametrize("dispatch", DISPATCHES)
def test_the_job_is_the_schedules_own_though_others_share_its_cronjob(
    rest: Rest, world: World, firing: Operator, user: str, dispatch: str
) -> None:
    assert firing.process.poll() is None
    source = {"secretRef": {"name": "secret"}, "key": "token", "optional": True}
    made = scheduled(rest, world, user, dispatch=dispatch, inputsFrom=[source], suspend=dispatch == "PerSchedule")
    begun = rest.ask("POST", f"/schedules/{made['id']}:run").json()
    job = world.get("job", begun["job"])
    assert job is not None
    cronjob = world.get("cronjob", rest.get(f"/schedules/{made['id']}")["status"]["cronJobName"])
    assert cronjob is not None
    assert (labels.SHARD_LABEL in cronjob["metadata"]["labels"]) is (dispatch == "Grouped")
    (owner,) = job["metadata"]["ownerReferences"]
    assert (owner["name"], owner["controller"]) == (cronjob["metadata"]["name"], True)
    resource = world.get("graphschedule", made["name"])
    assert resource is not None
    for metadata in (job["metadata"], job["spec"]["template"]["metadata"]):
        assert metadata["labels"][labels.SCHEDULE_LABEL] == made["name"]
        assert metadata["labels"][labels.SCHEDULE_UID_LABEL] == resource["metadata"]["uid"]
        assert metadata["labels"][labels.USER_LABEL] == user
    pod = job["spec"]["template"]["spec"]
    assert {volume["name"] for volume in pod["volumes"]} == {"payload", "inputs-0", "data"}
    like = cronjob["spec"]["jobTemplate"]["spec"]
    assert job["spec"]["podFailurePolicy"] == like["podFailurePolicy"]
    assert pod["securityContext"] == like["template"]["spec"]["securityContext"]


def test_a_run_can_have_other_inputs_which_are_judged(
    rest: Rest, world: World, firing: Operator, platform: Platform, user: str, tmp_path: Path
) -> None:
    assert firing.process.poll() is None
    made = scheduled(rest, world, user, inputs={"text": "hello", "kept": 1})
    path = f"/schedules/{made['id']}"
    begun = rest.ask("POST", f"{path}:run", {"inputs": {"text": "goodbye"}}).json()
    run_pod(world, begun["job"], platform, tmp_path)
    execution = tables.agent_graph_execution.c
    with platform.engine.connect() as connection:
        inputs = connection.scalar(select(execution.inputs).where(execution.id == begun["id"]))
    assert inputs == {"text": "goodbye", "kept": 1}
    assert rest.get(path)["inputs"] == {"text": "hello", "kept": 1}
    assert rest.problem("POST", f"{path}:run", {"inputs": {"text": "x" * 200_000}})[:2] == (422, "invalid")
    assert rest.problem("POST", f"{path}:run", {"surprise": 1})[:2] == (422, "invalid")


def test_what_the_platform_would_not_run_is_not_run(api: Api, issuer: Issuer, platform: Platform) -> None:
    user = new_user(platform)
    rest = Rest(api, issuer.token(user))
    made = rest.create({"userId": user, "graph": {"id": user}, "cron": "0 0 1 1 *"})
    library = tables.library_agent
    with platform.engine.begin() as connection:
        connection.execute(update(library).values(is_deleted=True).where(library.c.agent_graph_id == user))
    status, kind, told = rest.problem("POST", f"/schedules/{made['id']}:run")
    assert (status, kind, told["reason"]) == (422, "invalid", "GraphNotInLibrary")


def test_runs_come_in_pages(
    rest: Rest, world: World, firing: Operator, platform: Platform, user: str, tmp_path: Path
) -> None:
    assert firing.process.poll() is None
    made = scheduled(rest, world, user)
    path = f"/schedules/{made['id']}"
    begun = []
    for _ in range(3):
        begun.append(rest.ask("POST", f"{path}:run").json())
        run_pod(world, begun[-1]["job"], platform, tmp_path)
    first = rest.get(f"{path}/runs", limit=2)
    rest_of_them = rest.get(f"{path}/runs", limit=2, cursor=first["nextCursor"])
    listed = [each["id"] for each in first["items"] + rest_of_them["items"]]
    assert listed == [each["id"] for each in reversed(begun)]
    assert rest_of_them["nextCursor"] is None
    for cursor in ("x", "WyJydW4iLCJ4IiwieSJd", rest.get("/schedules", limit=1).get("nextCursor") or "e30"):
        assert rest.problem("GET", f"{path}/runs", cursor=cursor)[:2] == (400, "bad-request")


# --- system tasks -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def task(world: World) -> str:
    name = "cleanup-oauth-tokens"
    cronjob = native(f"release-{name}")
    cronjob["metadata"]["labels"] = {labels.TASK_LABEL: name}
    world.kubectl("apply", "--filename", "-", given=cronjob)
    return name


def test_system_tasks_are_told_with_their_newest_runs(api: Api, issuer: Issuer, task: str, platform: Platform) -> None:
    admin = Rest(api, issuer.token("admin", role="admin"))
    told = {"name": task, "cron": "0 0 1 1 *", "suspended": False, "lastRun": None}
    assert admin.get("/tasks") == {"items": [told]}
    record(platform, task)
    told = admin.get(f"/tasks/{task}")
    assert (told["lastRun"]["state"], told["lastRun"]["counts"]) == ("succeeded", {"deleted": 3})
    for missing in ("nothing", "x,y", "a" * 300, "UPPER"):
        assert admin.problem("GET", f"/tasks/{missing}")[:2] == (404, "not-found")
        assert admin.problem("POST", f"/tasks/{missing}:run")[:2] == (404, "not-found")


def record(platform: Platform, task: str) -> None:
    """Record that a task was run, as its pod does."""
    now, start = datetime.now(UTC), task_runs.Start(builders.new_id(), task, "job", None)
    with platform.engine.begin() as connection:
        task_runs.begin(connection, start, now, now)
        task_runs.finish(connection, start, task_runs.RunState.SUCCEEDED, "done", {"deleted": 3}, now)


def test_a_system_task_that_is_not_waited_for_goes_on(api: Api, issuer: Issuer, task: str, world: World) -> None:
    admin = Rest(api, issuer.token("admin", role="admin"))
    answer = admin.ask("POST", f"/tasks/{task}:run", headers={"Prefer": "respond-async"})
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    assert world.get("job", answer.json()["job"]) is not None


def test_a_system_task_is_waited_for(api: Api, issuer: Issuer, task: str, world: World) -> None:
    before = {pod["metadata"]["name"] for pod in pods(world)}
    admin = Rest(api, issuer.token("admin", role="admin"))
    with ThreadPoolExecutor(1) as caller:
        answer = caller.submit(admin.ask, "POST", f"/tasks/{task}:run")
        while not (new := [pod for pod in pods(world) if pod["metadata"]["name"] not in before]):
            continue
        end(world, new[0], state="succeeded", text="done", counts={"deleted": 3})
        assert answer.result().status_code == 200
        assert answer.result().json()["counts"] == {"deleted": 3}
