"""Schedules that fire together, on a real API server: what becomes of shards, their Secrets, and the statuses."""

from __future__ import annotations

import asyncio
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels
from graphschedule.slots import format_instant
from graphschedule_operator import kube, metrics
from graphschedule_operator.cache import Cache, Key, Shard, concerned_by, key_of
from graphschedule_operator.cronjob import CronJobs
from graphschedule_operator.dispatch import Dispatch
from graphschedule_operator.memory import PATIENCE
from graphschedule_operator.reconcile import Reconciler
from graphschedule_operator.settings import Settings
from graphschedule_operator.shards import WAIT_SECONDS, Shards
from graphschedule_operator.status import State
from graphschedule_operator.sweep import Sweep
from graphschedule_operator.workqueue import WorkQueue

from tests.operator.sets import GROUPED, is_shard, members, the_shard, the_shards, until_members
from tests.operator.world import World, native, new_world, operator, schedule

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from dev.cluster import Cluster

    Object = dict[str, Any]


@pytest.fixture
def world(control_plane: Cluster) -> Iterator[World]:
    with new_world(control_plane) as made:
        yield made


def create(world: World, *names: str, **spec: object) -> None:
    """Create schedules that fire together, and wait until they do."""
    items = [schedule(name, **GROUPED | spec) for name in names]
    world.kubectl("create", "--filename", "-", given={"apiVersion": "v1", "kind": "List", "items": items})
    for name in names:
        world.until_condition(name, "Ready", "Ready")


def shard_of(world: World, name: str) -> str:
    return str(world.until("graphschedule", name, lambda obj: "cronJobName" in obj["status"])["status"]["cronJobName"])


# --- one shard --------------------------------------------------------------------------------------------------------


def test_schedules_of_the_same_times_fire_from_one_cronjob(world: World) -> None:
    with operator(world):
        create(world, "a", "b", inputs={"topic": "news"})
    shard = the_shard(world)
    assert len(world.all("cronjob")) == 1
    given = members(world, shard)
    assert {name: (it.inputs, it.cronjob) for name, it in given.items()} == {
        name: ({"topic": "news"}, shard["metadata"]["name"]) for name in ("a", "b")
    }
    for obj in world.all("graphschedule"):
        assert obj["status"]["cronJobName"] == shard["metadata"]["name"]
        assert len(obj["status"]["nextFireTimes"]) == 5
        assert given[obj["metadata"]["name"]].schedule_uid == obj["metadata"]["uid"]
        assert given[obj["metadata"]["name"]].not_before == obj["metadata"]["creationTimestamp"]
    (secret,) = world.all("secret")
    assert secret["immutable"] is True
    assert [owner["uid"] for owner in secret["metadata"]["ownerReferences"]] == [shard["metadata"]["uid"]]


def test_the_operators_setting_is_that_of_schedules_that_have_none(world: World) -> None:
    with operator(world, dispatch="Grouped"):
        create(world, "unset", dispatch=None)
        create(world, "alone", dispatch="PerSchedule")
    assert sorted(is_shard(cronjob) for cronjob in world.all("cronjob")) == [False, True]


def test_what_is_edited_suspended_resumed_and_deleted_is_so_in_the_shard(world: World) -> None:
    with operator(world):
        create(world, "a", "b", "c")
        name = shard_of(world, "a")
        world.apply("a", **GROUPED, inputs={"topic": "weather"})
        world.until_condition("a", "Ready", "Ready")
        assert until_members(world, name, "a", "b", "c")["a"].inputs == {"topic": "weather"}
        world.patch("graphschedule", "b", {"spec": {"suspend": True}})
        told = world.until_condition("b", "Ready", "Suspended")
        assert "no CronJob" in told["message"]
        until_members(world, name, "a", "c")
        world.kubectl("delete", "graphschedule", "c")
        until_members(world, name, "a")
        world.patch("graphschedule", "b", {"spec": {"suspend": False}})
        world.until_condition("b", "Ready", "Ready")
        until_members(world, name, "a", "b")
        world.patch("graphschedule", "a", {"spec": {"timeZone": "Mars/Olympus"}})
        world.until_condition("a", "Ready", "InvalidTimeZone")
        until_members(world, name, "b")


def test_a_shard_goes_with_its_last_member(world: World) -> None:
    with operator(world):
        create(world, "only")
        name = shard_of(world, "only")
        world.kubectl("delete", "graphschedule", "only")
        world.until_gone("cronjob", name)
        create(world, "only")
        assert shard_of(world, "only") == name
        until_members(world, name, "only")


def test_a_full_shard_is_followed_by_another_and_nobody_moves(world: World) -> None:
    names = [f"many-{number}" for number in range(7)]
    with operator(world, shard_members="3"):
        create(world, *names)
        before = {name: shard_of(world, name) for name in names}
        assert sorted(len(members(world, shard)) for shard in the_shards(world)) == [1, 3, 3]
        unchanged = {shard["metadata"]["name"]: shard["metadata"]["resourceVersion"] for shard in the_shards(world)}
        world.kubectl("delete", "graphschedule", names[0])
        left = [name for name in names[1:] if before[name] == before[names[0]]]
        until_members(world, before[names[0]], *left)
    after = {shard["metadata"]["name"]: shard["metadata"]["resourceVersion"] for shard in the_shards(world)}
    assert {name for name in after if after[name] != unchanged[name]} <= {before[names[0]]}
    assert {name: shard_of(world, name) for name in names[1:]} == {name: before[name] for name in names[1:]}


def test_many_edits_are_gathered_in_few_writes(world: World) -> None:
    names = [f"many-{number}" for number in range(60)]
    with operator(world) as running:
        create(world, *names)
        secrets = 'graphschedule_operator_api_requests_total{code="201",method="POST",resource="secrets"}'
        assert running.metric(secrets) <= 10
        statuses = (
            'graphschedule_operator_api_requests_total{code="200",method="PATCH",resource="graphschedules/status"}'
        )
        assert running.metric(statuses) == len(names)


# --- moves ------------------------------------------------------------------------------------------------------------


def test_a_schedule_moves_between_groups(world: World) -> None:
    with operator(world):
        create(world, "a", "b")
        old = shard_of(world, "a")
        world.apply("a", **GROUPED, cron="5 5 5 5 *")
        world.until_condition("a", "Ready", "Ready")
        new = shard_of(world, "a")
        assert new != old
        until_members(world, new, "a")
        until_members(world, old, "b")


def test_a_schedule_moves_between_the_modes(world: World) -> None:
    with operator(world):
        create(world, "a", dispatch="PerSchedule")
        world.patch("graphschedule", "a", {"spec": {"dispatch": "Grouped"}})
        world.until_condition("a", "Ready", "Ready")
        world.until_gone("cronjob", "a")
        shard = shard_of(world, "a")
        until_members(world, shard, "a")
        world.patch("graphschedule", "a", {"spec": {"dispatch": "PerSchedule"}})
        world.until_condition("a", "Ready", "Ready")
        world.until_gone("cronjob", shard)
        assert world.get("cronjob", "a") is not None


def test_a_cronjob_with_a_job_at_work_outlives_the_move_into_a_shard(world: World) -> None:
    with operator(world):
        create(world, "a", dispatch="PerSchedule")
        active = {"active": [{"kind": "Job", "namespace": world.namespace, "name": "at-work"}]}
        world.kubectl("create", "--filename", "-", given=job_of(world, "a", "at-work"))
        world.patch("cronjob", "a", {"status": active}, "--subresource", "status")
        world.patch("graphschedule", "a", {"spec": {"dispatch": "Grouped"}})
        until_members(world, shard_of_group(world), "a")
        world.until("cronjob", "a", lambda cronjob: cronjob["spec"]["suspend"])
        world.kubectl("delete", "job", "at-work")
        world.until_gone("cronjob", "a")


def job_of(world: World, cronjob: str, name: str) -> Object:
    """Return a Job of a CronJob, as the controller makes them; there is no node that would run it."""
    owner = world.get("cronjob", cronjob)
    assert owner is not None
    reference = {"apiVersion": "batch/v1", "kind": "CronJob", "name": cronjob, "uid": owner["metadata"]["uid"]}
    template = owner["spec"]["jobTemplate"]["spec"]
    metadata = {"name": name, "ownerReferences": [reference | {"controller": True}]}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": template}


def shard_of_group(world: World) -> str:
    """Return the shard's name when there is one."""
    world.until_count("cronjob", 1, is_shard)
    return str(the_shard(world)["metadata"]["name"])


# --- exactly the set that was true at the tick, and Secrets that go ---------------------------------------------------


class Stepped:
    """The operator's parts at a real API server, taken step by step, with a clock of our own."""

    def __init__(self, world: World, client: kube.Kube) -> None:
        self.now = datetime.now(UTC)
        self._world = world
        self._namespace = world.namespace
        settings = Settings(runner_image="r", data_claim="d", namespaces=(world.namespace,))
        self.queue: WorkQueue[Shard] = WorkQueue(rate=1000)
        schedules, cronjobs = Cache(key_of), Cache(concerned_by)
        known = CronJobs(client, cronjobs)
        self.shards = Shards(client, known, self.queue, lambda _: None, settings, lambda: self.now)
        dispatch = Dispatch(known, self.shards, settings)
        counted = metrics.Schedules(State)
        self._reconciler = Reconciler(client, schedules, dispatch, counted, clock=lambda: self.now)
        self._sweep = Sweep(client, settings, schedules, cronjobs, lambda _: None)

    async def apply(self, name: str, **spec: object) -> None:
        """Apply a schedule and reconcile it: its shard is told."""
        await asyncio.to_thread(self._world.apply, name, **GROUPED | spec)
        await self.see()
        await self._reconciler.reconcile(Key(self._namespace, name))

    async def see(self) -> None:
        """Take what the API server holds."""
        await self._sweep.once()

    async def look(self) -> float | None:
        """Look at the one shard when its changes have come to rest."""
        self._shard = await self.queue.get()
        again = await self.shards.look(self._shard)
        self.queue.done(self._shard)
        return again

    async def look_again(self) -> float | None:
        """Look at the shard that was looked at before, whether it has changed or not."""
        await self.see()
        return await self.shards.look(self._shard)


@pytest.fixture
async def stepped(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stepped]:
    monkeypatch.setenv("KUBECONFIG", str(world.cluster.kubeconfig))
    async with kube.Kube.connect(connections=1, timeout_seconds=10) as client:
        yield Stepped(world, client)


async def test_a_due_job_is_made_with_the_set_before_the_tick(world: World, stepped: Stepped) -> None:
    await stepped.apply("a")
    await stepped.look()
    shard = await asyncio.to_thread(the_shard, world)
    tick = datetime(stepped.now.year + 1, 1, 1, tzinfo=UTC)
    stepped.now = tick + timedelta(seconds=1)
    await stepped.apply("b")
    assert await stepped.look() == WAIT_SECONDS
    assert (await asyncio.to_thread(members, world, shard)).keys() == {"a"}
    fired = {"status": {"lastScheduleTime": format_instant(tick)}}
    await asyncio.to_thread(world.patch, "cronjob", shard["metadata"]["name"], fired, "--subresource", "status")
    await stepped.look_again()
    shard = await asyncio.to_thread(the_shard, world)
    assert (await asyncio.to_thread(members, world, shard)).keys() == {"a", "b"}


async def test_a_job_that_nobody_makes_is_not_waited_for_for_ever(world: World, stepped: Stepped) -> None:
    await stepped.apply("a")
    await stepped.look()
    stepped.now = datetime(stepped.now.year + 1, 1, 1, tzinfo=UTC) + PATIENCE + timedelta(seconds=1)
    await stepped.apply("b")
    await stepped.look()
    shard = await asyncio.to_thread(the_shard, world)
    assert (await asyncio.to_thread(members, world, shard)).keys() == {"a", "b"}


async def test_a_secret_is_deleted_when_no_job_can_need_it_any_more(world: World, stepped: Stepped) -> None:
    await stepped.apply("a")
    await stepped.look()
    await stepped.apply("b")
    await stepped.look()
    assert len(await asyncio.to_thread(world.all, "secret")) == 2
    stepped.now += timedelta(minutes=11)
    await stepped.look_again()
    (left,) = await asyncio.to_thread(world.all, "secret")
    shard = await asyncio.to_thread(the_shard, world)
    assert shard["metadata"]["annotations"][labels.MEMBERS_ANNOTATION] == left["metadata"]["name"]
    assert labels.RETIRED_ANNOTATION not in shard["metadata"]["annotations"]


# --- restarts ---------------------------------------------------------------------------------------------------------


def test_a_restart_over_an_unchanged_world_of_shards_writes_nothing(world: World) -> None:
    with operator(world, shard_members="2"):
        create(world, "a", "b", "c")
        create(world, "d", cron="5 5 5 5 *")
        world.apply("suspended", **GROUPED, suspend=True)
        world.until_condition("suspended", "Ready", "Suspended")
    before = world.versions()
    with operator(world, shard_members="2") as restarted:
        # Each is looked at, and each member once more when its shard was.
        while restarted.metric("graphschedule_operator_reconcile_duration_seconds_count") < 5 + 4:
            assert restarted.process.poll() is None
        assert restarted.writes() == 0
    assert world.versions() == before


def test_a_shard_that_was_not_finished_is_finished_at_the_start(world: World) -> None:
    world.kubectl("create", "quota", "none", "--hard", "count/secrets=0")
    with operator(world) as killed:
        world.apply("a", **GROUPED)
        world.until_condition("a", "Scheduled", "ApplyFailed")
        killed.stop(signal.SIGKILL)
    assert the_shard(world)["spec"]["suspend"] is True
    world.kubectl("delete", "quota", "none")
    with operator(world):
        world.until_condition("a", "Ready", "Ready")
    until_members(world, the_shard(world)["metadata"]["name"], "a")


def test_an_operator_killed_amid_its_work_leaves_no_shard_half_done(world: World) -> None:
    names = [f"many-{number}" for number in range(30)]
    items = [schedule(name, **GROUPED) for name in names]
    with operator(world, shard_members="10") as killed:
        world.kubectl("create", "--filename", "-", given={"apiVersion": "v1", "kind": "List", "items": items})
        world.until_count("cronjob", 2)
        killed.stop(signal.SIGKILL)
    with operator(world, shard_members="10"):
        for name in names:
            world.until_condition(name, "Ready", "Ready")
    sets = [members(world, shard).keys() for shard in the_shards(world)]
    assert sorted(name for one in sets for name in one) == sorted(names)


def test_what_happened_to_members_while_the_operator_was_down_is_found_at_its_start(world: World) -> None:
    with operator(world):
        create(world, "a", "deleted", "edited", "moved")
        name = shard_of(world, "a")
    world.kubectl("delete", "graphschedule", "deleted")
    world.apply("edited", **GROUPED, inputs={"topic": "weather"})
    world.apply("moved", **GROUPED, cron="5 5 5 5 *")
    with operator(world):
        assert until_members(world, name, "a", "edited")["edited"].inputs == {"topic": "weather"}
        world.until_condition("moved", "Ready", "Ready")
        until_members(world, shard_of(world, "moved"), "moved")


def test_members_that_changed_places_while_the_operator_was_down_do_not_wait_for_one_another(world: World) -> None:
    with operator(world):
        create(world, "a", "early")
        create(world, "b", "late", cron="5 5 5 5 *")
        first, second = shard_of(world, "a"), shard_of(world, "b")
    world.apply("a", **GROUPED, cron="5 5 5 5 *")
    world.apply("b", **GROUPED)
    with operator(world):
        until_members(world, first, "b", "early")
        until_members(world, second, "a", "late")
        world.until("graphschedule", "a", lambda obj: obj["status"]["cronJobName"] == second)
        world.until("graphschedule", "b", lambda obj: obj["status"]["cronJobName"] == first)


def test_a_shard_left_without_members_goes_at_the_start(world: World) -> None:
    with operator(world):
        create(world, "a")
        name = shard_of(world, "a")
    world.kubectl("delete", "graphschedule", "a")
    with operator(world):
        world.until_gone("cronjob", name)


# --- foreign hands ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"spec": {"schedule": "* * 1 1 *"}}, id="schedule"),
        pytest.param({"spec": {"suspend": True}}, id="suspend"),
        pytest.param({"metadata": {"labels": {labels.SHARD_LABEL: None}}}, id="label"),
        pytest.param({"metadata": {"annotations": {labels.MEMBERS_ANNOTATION: "x"}}}, id="set"),
    ],
)
def test_an_edited_shard_is_put_back(world: World, edit: Object) -> None:
    with operator(world):
        create(world, "a")
        before = the_shard(world)
        world.patch("cronjob", before["metadata"]["name"], edit)

        def as_before(cronjob: Object) -> bool:
            told = cronjob["metadata"]["annotations"].get(labels.MEMBERS_ANNOTATION)
            same = cronjob["spec"] == before["spec"] and cronjob["metadata"]["labels"] == before["metadata"]["labels"]
            return bool(same and told == before["metadata"]["annotations"][labels.MEMBERS_ANNOTATION])

        world.until("cronjob", before["metadata"]["name"], as_before)


def test_a_deleted_shard_is_made_again_with_all_its_members(world: World) -> None:
    with operator(world):
        create(world, "a", "b")
        before = the_shard(world)
        name = before["metadata"]["name"]
        world.kubectl("delete", "cronjob", name)
        world.until("cronjob", name, lambda cronjob: cronjob["metadata"]["uid"] != before["metadata"]["uid"])
        until_members(world, name, "a", "b")


def test_a_deleted_secret_is_made_again(world: World) -> None:
    with operator(world, sweep_seconds="1"):
        create(world, "a")
        (secret,) = world.all("secret")
        world.kubectl("delete", "secret", secret["metadata"]["name"])
        again = world.until("secret", secret["metadata"]["name"], lambda _: True)
        assert again["data"] == secret["data"]


def test_the_cronjob_of_a_stranger_is_never_taken_over(world: World) -> None:
    with operator(world):
        create(world, "a")
        name = shard_of(world, "a")
        world.kubectl("delete", "graphschedule", "a")
        world.until_gone("cronjob", name)
        world.kubectl("create", "--filename", "-", given=native(name))
        world.apply("a", **GROUPED)
        told = world.until_condition("a", "Scheduled", "NameConflict")
        assert name in told["message"]


def test_a_refusal_of_the_api_server_is_told_by_all_members_until_it_is_lifted(world: World) -> None:
    world.kubectl("create", "quota", "none", "--hard", "count/cronjobs.batch=0")
    with operator(world):
        world.apply("a", **GROUPED)
        world.apply("b", **GROUPED)
        for name in ("a", "b"):
            assert "quota" in world.until_condition(name, "Scheduled", "ApplyFailed")["message"]
        world.kubectl("delete", "quota", "none")
        for name in ("a", "b"):
            world.until_condition(name, "Ready", "Ready")
