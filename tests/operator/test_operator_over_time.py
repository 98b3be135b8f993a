"""The operator over time, against a real API server: resuming, restarts, gaps, kills and clean stops."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_operator import kube, metrics
from graphschedule_operator.cache import Cache, Key, concerned_by, key_of
from graphschedule_operator.cronjob import CronJobs
from graphschedule_operator.dispatch import Dispatch
from graphschedule_operator.reconcile import AFTER_FIRE_SECONDS, Reconciler
from graphschedule_operator.settings import Settings
from graphschedule_operator.shards import Shards
from graphschedule_operator.status import State
from graphschedule_operator.sweep import Sweep
from graphschedule_operator.workqueue import WorkQueue

from tests.operator.world import World, native, new_world, operator, schedule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster


@pytest.fixture
def world(control_plane: Cluster) -> Iterator[World]:
    with new_world(control_plane) as made:
        yield made


def ago(minutes: int) -> datetime:
    return datetime.now(UTC) - timedelta(minutes=minutes)


# --- suspending, resuming and moving never fire for the past --------------------------------------------------------


def hourly(instant: datetime) -> str:
    """Return the expression that fires once an hour at an instant's minute."""
    return f"{instant.minute} * * * *"


def remember(world: World, name: str, instant: datetime) -> None:
    """Give a CronJob's controller the memory that it last fired at an instant."""
    change = {"status": {"lastScheduleTime": instant.strftime("%Y-%m-%dT%H:%M:00Z")}}
    world.patch("cronjob", name, change, "--subresource", "status")


def test_resuming_makes_up_no_slot_though_a_native_cronjob_does(world: World) -> None:
    passed = hourly(ago(5))
    with operator(world):
        world.apply("ours", cron=passed, suspend=True)
        world.until_condition("ours", "Ready", "Suspended")
        remember(world, "ours", ago(120))
        fired = world.until("graphschedule", "ours", lambda obj: "lastFireTime" in obj["status"])["status"][
            "lastFireTime"
        ]
    world.kubectl("create", "--filename", "-", given=native("native", schedule=passed, suspend=True))
    remember(world, "native", ago(120))
    world.apply("ours", cron=passed, suspend=False)
    with operator(world):
        resumed = world.until("cronjob", "ours", lambda cronjob: not cronjob["spec"]["suspend"])
        assert resumed["status"]["lastScheduleTime"] > ago(1).strftime("%Y-%m-%dT%H:%M:%SZ")
        world.until_condition("ours", "Ready", "Ready")
        world.patch("cronjob", "native", {"spec": {"suspend": False}})
        world.until("cronjob", "native", lambda cronjob: cronjob["status"].get("active"))
        assert {job["metadata"]["ownerReferences"][0]["name"] for job in world.all("job")} == {"native"}
        shown = world.until("graphschedule", "ours", lambda _: True)
        assert shown["status"]["lastFireTime"] == fired


def test_moving_the_schedule_makes_up_no_slot_though_a_native_cronjob_does(world: World) -> None:
    passed, coming = hourly(ago(5)), hourly(ago(-20))
    with operator(world):
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


def test_a_slot_that_passed_while_nothing_was_changed_is_made_up(world: World) -> None:
    with operator(world):
        missed = ago(5)
        world.apply("ours", cron=hourly(missed))
        world.until_condition("ours", "Ready", "Ready")
        remember(world, "ours", ago(35))
        world.until("cronjob", "ours", lambda cronjob: cronjob["status"].get("active"))
        slot = missed.strftime("%Y-%m-%dT%H:%M:00Z")
        world.until("graphschedule", "ours", lambda obj: obj["status"].get("lastFireTime") == slot)


async def test_next_fire_times_move_on_with_the_clock(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(world.cluster.kubeconfig))
    world.apply("daily", cron="0 9 * * *")
    key = Key(world.namespace, "daily")
    clock = [datetime(2026, 5, 4, 8, 59, 0, tzinfo=UTC)]
    settings = Settings(runner_image="r", data_claim="d", namespaces=(world.namespace,))
    schedules, cronjobs = Cache(key_of), Cache(concerned_by)
    async with kube.Kube.connect(connections=1, timeout_seconds=10) as client:
        await Sweep(client, settings, schedules, cronjobs, WorkQueue[Key](rate=1000).put).once()
        counted = metrics.Schedules(State)
        known = CronJobs(client, cronjobs)
        shards = Shards(client, known, WorkQueue(rate=1000), lambda _: None, settings)
        dispatch = Dispatch(known, shards, settings)
        reconciler = Reconciler(client, schedules, dispatch, counted, clock=lambda: clock[0])
        soon = await reconciler.reconcile(key)
        assert soon == 60 + AFTER_FIRE_SECONDS
        clock[0] += timedelta(seconds=soon)
        assert await reconciler.reconcile(key) == 24 * 3600
    shown = (await asyncio.to_thread(world.get, "graphschedule", "daily") or {})["status"]
    assert shown["nextFireTimes"][0] == "2026-05-05T09:00:00Z"


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_refusal_of_the_api_server_is_told_and_tried_again_until_it_is_lifted(world: World) -> None:
    world.kubectl("create", "quota", "none", "--hard", "count/cronjobs.batch=0")
    with operator(world):
        world.apply("many")
        told = world.until_condition("many", "Scheduled", "ApplyFailed")
        assert "quota" in told["message"]
        assert world.until_condition("many", "Ready", "ApplyFailed")["status"] == "False"
        world.kubectl("delete", "quota", "none")
        world.until_condition("many", "Ready", "Ready")
        world.until_events("many", ("Warning", "ApplyFailed"), ("Normal", "CronJobApplied"))


# --- starts, stops and gaps -----------------------------------------------------------------------------------------


def test_a_restart_over_an_unchanged_world_writes_nothing(world: World) -> None:
    specs: dict[str, dict[str, Any]] = {
        "plain": {},
        "zoneless": {"timeZone": None},
        "suspended": {"suspend": True},
        "unusable": {"timeZone": "Mars/Olympus"},
        "taken": {},
    }
    world.kubectl("create", "--filename", "-", given=native("taken"))
    with operator(world):
        for name, spec in specs.items():
            world.apply(name, **spec)
        for name in specs:
            world.until("graphschedule", name, lambda obj: "status" in obj)
    before = world.versions()
    with operator(world) as restarted:
        while restarted.metric("graphschedule_operator_reconcile_duration_seconds_count") < len(specs):
            assert restarted.process.poll() is None
        assert restarted.metric("graphschedule_operator_api_requests_total{") > 0
        # The one request that is no read asks for the taken name, unforced, and is refused.
        assert restarted.writes() == 1
    assert world.versions() == before


def test_what_happened_while_the_operator_was_down_is_found_at_its_start(world: World) -> None:
    with operator(world) as first:
        for name in ("deleted", "edited", "bereft"):
            world.apply(name)
            world.until_condition(name, "Ready", "Ready")
        first.stop(signal.SIGKILL)
    world.kubectl("delete", "graphschedule", "deleted")
    world.kubectl("delete", "cronjob", "bereft")
    world.apply("edited", cron="1 1 1 1 *")
    world.apply("new")
    with operator(world):
        world.until("cronjob", "edited", lambda cronjob: cronjob["spec"]["schedule"] == "1 1 1 1 *")
        world.until("cronjob", "bereft", lambda _: True)
        world.until_condition("new", "Ready", "Ready")
        world.until_gone("cronjob", "deleted")


async def test_a_sweep_finds_what_no_watch_has_told_of(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(world.cluster.kubeconfig))
    world.apply("unknown")
    settings = Settings(runner_image="r", data_claim="d", namespaces=(world.namespace,), list_chunk=1)
    schedules, cronjobs = Cache(key_of), Cache(concerned_by)
    queue: WorkQueue[Key] = WorkQueue(rate=1000)
    async with kube.Kube.connect(connections=1, timeout_seconds=10) as client:
        sweep = Sweep(client, settings, schedules, cronjobs, queue.put)
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


def test_an_operator_killed_amid_its_work_leaves_nothing_half_done(world: World) -> None:
    names = [f"many-{number}" for number in range(40)]
    items = [dict(schedule(name), metadata={"name": name}) for name in names]
    with operator(world) as killed:
        world.kubectl("create", "--filename", "-", given={"apiVersion": "v1", "kind": "List", "items": items})
        world.until("cronjob", names[5], lambda _: True)
        killed.stop(signal.SIGKILL)
    with operator(world):
        for name in names:
            world.until_condition(name, "Ready", "Ready")
    assert sorted(cronjob["metadata"]["name"] for cronjob in world.all("cronjob")) == sorted(names)


def test_sigterm_ends_it_with_success_and_it_says_so(world: World) -> None:
    with operator(world) as running:
        assert running.get("/readyz") == (200, "ready\n")
        assert running.get("/healthz")[0] == 200
        assert running.stop(signal.SIGTERM) == 0
        assert running.until_logged("stopped")["level"] == "INFO"


def test_events_are_logged_with_the_ids_of_their_schedule(world: World) -> None:
    with operator(world) as running:
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


def test_schedules_are_counted_by_state(world: World) -> None:
    with operator(world) as running:
        world.apply("active")
        world.apply("paused", suspend=True)
        world.apply("bad", timeZone="Mars/Olympus")
        for name in ("active", "paused", "bad"):
            world.until("graphschedule", name, lambda obj: "status" in obj)
        counts = {state: running.metric(f'graphschedule_schedules{{state="{state}"}}') for state in State}
        assert counts == dict.fromkeys(State, 0) | {State.ACTIVE: 1, State.SUSPENDED: 1, State.INVALID: 1}
