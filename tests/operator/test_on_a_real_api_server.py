"""The operator as a process against a real API server and the real controllers: what the world becomes."""

from __future__ import annotations

import asyncio
import re
import signal
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels, payload
from graphschedule_operator import kube
from graphschedule_operator.cache import Cache, Key, key_of, owning_schedule
from graphschedule_operator.settings import Settings
from graphschedule_operator.status import State
from graphschedule_operator.sweep import Sweep
from graphschedule_operator.workqueue import WorkQueue

from dev import cluster
from dev.cluster import ClusterError
from tests.operator.world import World, condition, operator, schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from dev.cluster import Cluster
    from tests.operator.world import Operator

    StartOperator = Callable[..., AbstractContextManager[Operator]]

NATIVE = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "spec": {
        "schedule": "0 0 1 1 *",
        "jobTemplate": {
            "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x"}]}}}
        },
    },
}


@pytest.fixture(scope="module")
def control_plane() -> Iterator[Cluster]:
    with cluster.up(name="operator", kubelet=False) as running:
        running.kubectl("apply", "--filename", "crds/graphschedules.yaml")
        running.kubectl("wait", "--for=condition=Established", f"crd/{labels.PLURAL}.{labels.GROUP}")
        yield running


@pytest.fixture
def world(control_plane: Cluster) -> Iterator[World]:
    namespace = f"operator-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", namespace)
    control_plane.kubectl("wait", "--for=create", "serviceaccount/default", "--namespace", namespace)
    yield World(control_plane, namespace)
    control_plane.kubectl("delete", "namespace", namespace, "--wait=false")


@pytest.fixture
def start(world: World) -> StartOperator:
    def start_one(**settings: str) -> AbstractContextManager[Operator]:
        return operator(world.cluster.kubeconfig, world.namespace, **settings)

    return start_one


@pytest.fixture
def running(start: StartOperator) -> Iterator[Operator]:
    with start() as one:
        yield one


def native(name: str, **spec: object) -> dict[str, Any]:
    """Return a CronJob that nobody of ours made."""
    return {**NATIVE, "metadata": {"name": name}, "spec": {**NATIVE["spec"], **spec}}  # type: ignore[dict-item] # a dict


def ago(minutes: int) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


# --- from a schedule to a CronJob -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("running")
def test_an_applied_schedule_gets_a_cronjob_and_a_status(world: World) -> None:
    world.apply("weekdays", cron="0 9 * * fri-mon", timeZone="Europe/Berlin", inputs={"topic": "news"})
    world.until_condition("weekdays", "Ready", "Ready")
    made = world.get("cronjob", "weekdays")
    assert made is not None
    assert (made["spec"]["schedule"], made["spec"]["timeZone"]) == ("0 9 * * 0,1,5,6", "Europe/Berlin")
    pod = made["spec"]["jobTemplate"]["spec"]["template"]
    assert payload.RunPayload.decode(pod["metadata"]["annotations"][labels.RUN_ANNOTATION]).inputs == {"topic": "news"}
    status = world.until("graphschedule", "weekdays", lambda _: True)["status"]
    assert status["cronJobName"] == "weekdays"
    assert status["observedGeneration"] == 1
    assert len(status["nextFireTimes"]) == 5
    assert all(re.fullmatch(r".*T09:00:00\+0[12]:00", local) for local in status["nextFireTimesLocal"])
    assert world.events("weekdays") == []


@pytest.mark.usefixtures("running")
def test_an_edit_moves_the_cronjob(world: World) -> None:
    world.apply("moved", cron="0 9 * * *")
    world.until("cronjob", "moved", lambda cronjob: cronjob["spec"]["schedule"] == "0 9 * * *")
    world.apply("moved", cron="30 10 * * *", timeZone="Asia/Tokyo", graph={"id": "graph-2"})
    cronjob = world.until("cronjob", "moved", lambda cronjob: cronjob["spec"]["schedule"] == "30 10 * * *")
    assert cronjob["spec"]["timeZone"] == "Asia/Tokyo"
    assert cronjob["metadata"]["labels"][labels.GRAPH_LABEL] == "graph-2"
    moved = world.until("graphschedule", "moved", lambda obj: obj["status"]["observedGeneration"] == 2)
    assert moved["status"]["nextFireTimesLocal"][0].endswith("T10:30:00+09:00")


@pytest.mark.usefixtures("running")
def test_deleting_the_schedule_removes_the_cronjob(world: World) -> None:
    world.apply("short-lived")
    world.until_condition("short-lived", "Ready", "Ready")
    world.kubectl("delete", "graphschedule", "short-lived")
    world.until_gone("cronjob", "short-lived")


@pytest.mark.usefixtures("running")
def test_a_schedule_made_anew_under_its_old_name_gets_a_cronjob_of_its_own(world: World) -> None:
    world.apply("again")
    world.until_condition("again", "Ready", "Ready")
    world.kubectl("delete", "graphschedule", "again")
    world.apply("again", cron="5 5 5 5 *")
    world.until_condition("again", "Ready", "Ready")
    made = world.until("graphschedule", "again", lambda _: True)
    cronjob = world.until("cronjob", "again", lambda cronjob: cronjob["spec"]["schedule"] == "5 5 5 5 *")
    assert cronjob["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert world.events("again") == []


@pytest.mark.usefixtures("running")
def test_a_long_name_gets_a_shorter_cronjob(world: World) -> None:
    name = "n" * 60
    world.apply(name)
    world.until_condition(name, "Ready", "Ready")
    status = world.until("graphschedule", name, lambda _: True)["status"]
    assert status["cronJobName"] == labels.cronjob_name(name)
    assert world.get("cronjob", labels.cronjob_name(name)) is not None


@pytest.mark.usefixtures("running")
def test_a_missing_time_zone_means_utc_and_a_warning_that_is_told_once(world: World) -> None:
    world.apply("zoneless", timeZone=None)
    told = world.until_condition("zoneless", "Accepted", "TimeZoneDefaulted")
    assert told["status"] == "True"
    assert "Etc/UTC" in told["message"]
    world.until_condition("zoneless", "Ready", "Ready")
    world.apply("zoneless", timeZone=None, cron="1 1 1 1 *")
    world.until("cronjob", "zoneless", lambda cronjob: cronjob["spec"]["schedule"] == "1 1 1 1 *")
    world.until("graphschedule", "zoneless", lambda obj: obj["status"]["observedGeneration"] == 2)
    assert world.events("zoneless") == [("Warning", "TimeZoneDefaulted")]


# --- what cannot be used --------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        pytest.param({"cron": "61 * * * *"}, "InvalidCron", ["spec.cron", "61"], id="61"),
        pytest.param({"cron": "0 0 30 2 *"}, "InvalidCron", ["spec.cron", "never"], id="february-30"),
        pytest.param({"timeZone": "Mars/Olympus"}, "InvalidTimeZone", ["spec.timeZone", "Mars/Olympus"], id="mars"),
        pytest.param(
            {"inputs": {"text": "x" * 200_000}}, "InputsTooLarge", ["spec.inputs", str(payload.MAX_BYTES)], id="large"
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_one_message_and_leaves_nothing(
    world: World, spec: dict[str, Any], reason: str, words: list[str]
) -> None:
    world.apply("bad", **spec)
    told = world.until_condition("bad", "Accepted", reason)
    assert told["status"] == "False"
    assert "\n" not in told["message"]
    assert all(word in told["message"] for word in words)
    assert world.until_condition("bad", "Ready", reason)["message"] == told["message"]
    assert world.get("cronjob", "bad") is None
    world.until_events("bad", ("Warning", reason))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param({"cron": "0 0 9 * * 1"}, "five fields", id="seconds"),
        pytest.param({"cron": "@every 5m"}, "five fields", id="every"),
        pytest.param({"cron": "TZ=Asia/Tokyo 0 9 * * *"}, "spec.timeZone", id="zone in cron"),
    ],
)
def test_what_the_api_server_can_judge_alone_is_refused_at_once(world: World, spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ClusterError, match=words):
        world.apply("refused", **spec)


@pytest.mark.usefixtures("running")
def test_an_edit_that_cannot_be_used_suspends_the_cronjob_until_it_is_put_right(world: World) -> None:
    world.apply("edited")
    world.until_condition("edited", "Ready", "Ready")
    world.apply("edited", timeZone="Mars/Olympus")
    told = world.until_condition("edited", "Scheduled", "NotAccepted")
    assert "suspended" in told["message"]
    world.until("cronjob", "edited", lambda cronjob: cronjob["spec"]["suspend"])
    world.apply("edited")
    world.until_condition("edited", "Ready", "Ready")
    world.until("cronjob", "edited", lambda cronjob: not cronjob["spec"]["suspend"])
    world.until_events("edited", ("Warning", "InvalidTimeZone"), ("Normal", "Accepted"), ("Normal", "CronJobApplied"))


# --- foreign hands --------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"spec": {"schedule": "* * * * *"}}, id="schedule"),
        pytest.param({"spec": {"suspend": True}}, id="suspend"),
        pytest.param({"metadata": {"labels": {labels.SCHEDULE_LABEL: None}}}, id="our label"),
        pytest.param({"metadata": {"annotations": {labels.HASH_ANNOTATION: None}}}, id="our hash"),
        pytest.param(
            {
                "spec": {
                    "jobTemplate": {"spec": {"template": {"metadata": {"annotations": {labels.RUN_ANNOTATION: "x"}}}}}
                }
            },
            id="arguments",
        ),
        pytest.param(
            {"metadata": {"labels": {labels.SCHEDULE_LABEL: None}}, "spec": {"schedule": "* * * * *"}},
            id="our label and the schedule",
        ),
    ],
)
def test_an_edited_cronjob_is_put_back(world: World, edit: dict[str, Any]) -> None:
    world.apply("ours")
    world.until_condition("ours", "Ready", "Ready")
    before = world.until("cronjob", "ours", lambda _: True)
    world.patch("cronjob", "ours", edit)

    def is_put_back(cronjob: dict[str, Any]) -> bool:
        ours = [cronjob["metadata"][member] for member in ("labels", "annotations", "ownerReferences")]
        return [*ours, cronjob["spec"]] == [
            *(before["metadata"][member] for member in ("labels", "annotations", "ownerReferences")),
            before["spec"],
        ]

    assert world.until("cronjob", "ours", is_put_back)["metadata"]["uid"] == before["metadata"]["uid"]
    assert condition(world.until("graphschedule", "ours", lambda _: True), "Ready")["status"] == "True"


@pytest.mark.usefixtures("running")
def test_a_deleted_cronjob_is_made_again(world: World) -> None:
    world.apply("ours")
    world.until_condition("ours", "Ready", "Ready")
    before = world.until("cronjob", "ours", lambda _: True)["metadata"]["uid"]
    world.kubectl("delete", "cronjob", "ours")
    world.until("cronjob", "ours", lambda cronjob: cronjob["metadata"]["uid"] != before)


@pytest.mark.usefixtures("running")
def test_a_cronjob_that_is_not_ours_is_never_taken_over(world: World) -> None:
    world.kubectl("create", "--filename", "-", given=native("taken"))
    before = world.get("cronjob", "taken")
    world.apply("taken", cron="1 1 1 1 *")
    told = world.until_condition("taken", "Scheduled", "NameConflict")
    assert "taken" in told["message"]
    assert "rename" in told["message"]
    assert world.get("cronjob", "taken") == before
    world.until_events("taken", ("Warning", "NameConflict"))
    world.kubectl("delete", "cronjob", "taken")
    world.patch("graphschedule", "taken", {"metadata": {"annotations": {"look": "again"}}})
    world.until_condition("taken", "Ready", "Ready")


@pytest.mark.usefixtures("running")
def test_of_two_schedules_with_one_cronjob_name_the_first_keeps_it(world: World) -> None:
    long = "n" * 60
    short = labels.cronjob_name(long)
    world.apply(long)
    world.until_condition(long, "Ready", "Ready")
    world.apply(short)
    told = world.until_condition(short, "Scheduled", "NameConflict")
    assert f"GraphSchedule {long}" in told["message"]


# --- suspending, resuming and moving never fire for the past --------------------------------------------------------


def hourly(instant: datetime) -> str:
    """Return the expression that fires once an hour at an instant's minute."""
    return f"{instant.minute} * * * *"


def remember(world: World, name: str, instant: datetime) -> None:
    """Give a CronJob's controller the memory that it last fired at an instant."""
    change = {"status": {"lastScheduleTime": instant.strftime("%Y-%m-%dT%H:%M:00Z")}}
    world.patch("cronjob", name, change, "--subresource", "status")


def test_resuming_makes_up_no_slot_though_a_native_cronjob_does(world: World, start: StartOperator) -> None:
    passed = hourly(ago(5))
    with start():
        world.apply("ours", cron=passed, suspend=True)
        world.until_condition("ours", "Ready", "Suspended")
        remember(world, "ours", ago(120))
    world.kubectl("create", "--filename", "-", given=native("native", schedule=passed, suspend=True))
    remember(world, "native", ago(120))
    world.apply("ours", cron=passed, suspend=False)
    with start():
        resumed = world.until("cronjob", "ours", lambda cronjob: not cronjob["spec"]["suspend"])
        assert resumed["status"]["lastScheduleTime"] > ago(1).strftime("%Y-%m-%dT%H:%M:%SZ")
        world.until_condition("ours", "Ready", "Ready")
        world.patch("cronjob", "native", {"spec": {"suspend": False}})
        world.until("cronjob", "native", lambda cronjob: cronjob["status"].get("active"))
        assert {job["metadata"]["ownerReferences"][0]["name"] for job in world.all("job")} == {"native"}
        shown = world.until("graphschedule", "ours", lambda _: True)
        assert shown["status"]["lastFireTime"] == ago(120).strftime("%Y-%m-%dT%H:%M:00Z")


def test_moving_the_schedule_makes_up_no_slot_though_a_native_cronjob_does(world: World, start: StartOperator) -> None:
    passed, coming = hourly(ago(5)), hourly(ago(-20))
    with start():
        world.apply("ours", cron=coming)
        world.until_condition("ours", "Ready", "Ready")
        world.kubectl("create", "--filename", "-", given=native("native", schedule=coming))
        for name in ("ours", "native"):
            remember(world, name, ago(35))
        world.apply("ours", cron=passed)
        world.until("cronjob", "ours", lambda cronjob: cronjob["spec"]["schedule"] == passed)
        world.patch("cronjob", "native", {"spec": {"schedule": passed}})
        for name in ("ours", "native"):
            world.patch("cronjob", name, {"metadata": {"annotations": {"look": "again"}}})
        world.until("cronjob", "native", lambda cronjob: cronjob["status"].get("active"))
        assert {job["metadata"]["ownerReferences"][0]["name"] for job in world.all("job")} == {"native"}


def test_a_slot_that_passed_while_nothing_was_changed_is_made_up(world: World, start: StartOperator) -> None:
    with start():
        world.apply("ours", cron=hourly(ago(5)))
        world.until_condition("ours", "Ready", "Ready")
        remember(world, "ours", ago(35))
        world.until("cronjob", "ours", lambda cronjob: cronjob["status"].get("active"))
        fired = world.until("graphschedule", "ours", lambda obj: "lastFireTime" in obj["status"])
        assert fired["status"]["lastFireTime"] == ago(5).strftime("%Y-%m-%dT%H:%M:00Z")


# --- starts, stops and gaps -----------------------------------------------------------------------------------------


def test_a_restart_over_an_unchanged_world_writes_nothing(world: World, start: StartOperator) -> None:
    specs: dict[str, dict[str, Any]] = {
        "plain": {},
        "zoneless": {"timeZone": None},
        "suspended": {"suspend": True},
        "unusable": {"timeZone": "Mars/Olympus"},
        "taken": {},
    }
    world.kubectl("create", "--filename", "-", given=native("taken"))
    with start():
        for name, spec in specs.items():
            world.apply(name, **spec)
        for name in specs:
            world.until("graphschedule", name, lambda obj: "status" in obj)
    before = world.versions()
    with start() as restarted:
        while restarted.metric("graphschedule_operator_reconcile_duration_seconds_count") < len(specs):
            assert restarted.process.poll() is None
        assert restarted.metric("graphschedule_operator_api_requests_total{") > 0
        # The one request that is no read asks for the taken name, unforced, and is refused.
        assert restarted.writes() == 1
    assert world.versions() == before


def test_what_happened_while_the_operator_was_down_is_found_at_its_start(world: World, start: StartOperator) -> None:
    with start() as first:
        for name in ("deleted", "edited", "bereft"):
            world.apply(name)
            world.until_condition(name, "Ready", "Ready")
        first.stop(signal.SIGKILL)
    world.kubectl("delete", "graphschedule", "deleted")
    world.kubectl("delete", "cronjob", "bereft")
    world.apply("edited", cron="1 1 1 1 *")
    world.apply("new")
    with start():
        world.until("cronjob", "edited", lambda cronjob: cronjob["spec"]["schedule"] == "1 1 1 1 *")
        world.until("cronjob", "bereft", lambda _: True)
        world.until_condition("new", "Ready", "Ready")
        world.until_gone("cronjob", "deleted")


async def test_a_sweep_finds_what_no_watch_has_told_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(world.cluster.kubeconfig))
    world.apply("unknown")
    settings = Settings(runner_image="r", data_claim="d", namespaces=(world.namespace,), list_chunk=1)
    schedules, cronjobs = Cache(key_of), Cache(owning_schedule)
    queue: WorkQueue[Key] = WorkQueue(rate=1000)
    async with kube.Kube.connect(connections=1, timeout_seconds=10) as client:
        sweep = Sweep(client, settings, schedules, cronjobs, queue)
        await sweep.once()
        assert await queue.get() == Key(world.namespace, "unknown")
        queue.done(Key(world.namespace, "unknown"))
        await sweep.once()
        assert len(queue) == 0
        await asyncio.to_thread(world.kubectl, "delete", "graphschedule", "unknown")
        await asyncio.to_thread(world.apply, "late")
        await sweep.once()
        assert {await queue.get(), await queue.get()} == {Key(world.namespace, name) for name in ("unknown", "late")}
        assert schedules.get(Key(world.namespace, "unknown")) is None


def test_an_operator_killed_amid_its_work_leaves_nothing_half_done(world: World, start: StartOperator) -> None:
    names = [f"many-{number}" for number in range(40)]
    items = [dict(schedule(name), metadata={"name": name}) for name in names]
    with start() as killed:
        world.kubectl("create", "--filename", "-", given={"apiVersion": "v1", "kind": "List", "items": items})
        world.until("cronjob", names[5], lambda _: True)
        killed.stop(signal.SIGKILL)
    with start():
        for name in names:
            world.until_condition(name, "Ready", "Ready")
    assert sorted(cronjob["metadata"]["name"] for cronjob in world.all("cronjob")) == sorted(names)


def test_sigterm_ends_it_with_success_and_it_says_so(start: StartOperator) -> None:
    with start() as running:
        assert running.get("/readyz") == (200, "ready\n")
        assert running.get("/healthz")[0] == 200
        assert running.stop(signal.SIGTERM) == 0
        assert running.until_logged("stopped")["level"] == "INFO"


def test_events_are_logged_with_the_ids_of_their_schedule(world: World, start: StartOperator) -> None:
    with start() as running:
        world.apply("bad", timeZone="Mars/Olympus")
        line = running.until_logged("InvalidTimeZone")
    uid = world.until("graphschedule", "bad", lambda _: True)["metadata"]["uid"]
    assert {member: line[member] for member in ("level", "namespace", "schedule", "uid", "graph", "user")} == {
        "level": "WARNING",
        "namespace": world.namespace,
        "schedule": "bad",
        "uid": uid,
        "graph": "graph-1",
        "user": "user-1",
    }


def test_schedules_are_counted_by_state(world: World, start: StartOperator) -> None:
    with start() as running:
        world.apply("active")
        world.apply("paused", suspend=True)
        world.apply("bad", timeZone="Mars/Olympus")
        for name in ("active", "paused", "bad"):
            world.until("graphschedule", name, lambda obj: "status" in obj)
        counts = {state: running.metric(f'graphschedule_schedules{{state="{state}"}}') for state in State}
        assert counts == {State.ACTIVE: 1, State.SUSPENDED: 1, State.INVALID: 1, State.BLOCKED: 0}
