"""What the slots of schedules came to, from the ledger into the world: status, Events and metrics."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.outcomes import Outcome, SlotState
from graphschedule.payload import RunPayload
from graphschedule.slots import Slot, format_instant
from graphschedule_platform import ledger, tables
from graphschedule_platform.fires import Fire
from graphschedule_platform.ledger import Record
from sqlalchemy import delete, text

from tests.operator.sets import GROUPED, the_shard
from tests.operator.world import Operator, World, condition, new_world, operator
from tests.support import builders
from tests.support.platforms import Platform, on_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster

    Object = dict[str, Any]


@pytest.fixture
def world(control_plane: Cluster) -> Iterator[World]:
    with new_world(control_plane) as made:
        yield made


class Fires:
    """Slots of one schedule, brought about as its runs would."""

    def __init__(self, world: World, platform: Platform, name: str, **spec: object) -> None:
        with platform.engine.begin() as connection:
            self.graph = builders.make_simple_graph(connection, builders.make_user(connection))
        self.platform = platform
        asked = {"graph": {"id": self.graph.id}, "userId": self.graph.user_id, "inputs": {"text": "x"}}
        world.apply(name, **asked | spec)
        made = world.until("graphschedule", name, lambda _: True)
        self.uid: str = made["metadata"]["uid"]
        self.payload = RunPayload(
            schedule_uid=self.uid,
            namespace=world.namespace,
            name=name,
            cronjob=name,
            graph_id=self.graph.id,
            user_id=self.graph.user_id,
            inputs={"text": "x"},
        )

    def slot(self, minutes_ago: int = 0) -> Slot:
        return Slot.at(self.uid, datetime.now(UTC) - timedelta(minutes=minutes_ago))

    def run(self, *slots: Slot) -> list[Outcome]:
        """Run the slots through."""
        fires = [Fire(slot, self.payload) for slot in slots]
        return [result.outcome for result in self.platform.enqueuer().enqueue_many(fires)]

    def record(self, slot: Slot, state: SlotState, reason: str, message: str) -> None:
        record = Record(Fire(slot, self.payload).entry(), state, reason, message)
        with self.platform.engine.begin() as connection:
            ledger.record_many(connection, [record], datetime.now(UTC))

    def break_graph(self) -> None:
        """Take the graph out of its user's library, so that runs fail."""
        entry = tables.library_agent
        with self.platform.engine.begin() as connection:
            connection.execute(delete(entry).where(entry.c.agent_graph_id == self.graph.id))

    def mend_graph(self) -> None:
        with self.platform.engine.begin() as connection:
            builders.make_library_agent(connection, self.graph)


@contextmanager
def following(world: World, platform: Platform, **settings: str) -> Iterator[Operator]:
    """Run an operator that follows the platform's ledger."""
    with operator(world, database_url=platform.url, ledger_seconds="0.5", **settings) as running:
        yield running


def until_outcome(world: World, name: str, slot: Slot, state: str) -> Object:
    """Watch a schedule until its last outcome is that of a slot, and return its status."""

    def holds(obj: Object) -> bool:
        last = obj.get("status", {}).get("lastOutcome", {})
        return (last.get("slot"), last.get("state")) == (slot.key, state)

    status: Object = world.until("graphschedule", name, holds)["status"]
    return status


def test_an_enqueued_slot_is_told_in_status_event_and_metrics(world: World, platform: Platform) -> None:
    with following(world, platform) as running:
        fires = Fires(world, platform, "good")
        world.until_condition("good", "Healthy", "NoRuns")
        slot = fires.slot(minutes_ago=1)
        assert fires.run(slot) == [Outcome.ENQUEUED]
        status = until_outcome(world, "good", slot, "enqueued")
        assert status["lastOutcome"]["executionId"] == slot.execution_id
        assert status["lastFireTime"] == slot.key
        assert status["counts"] == {"enqueued": 1, "skipped": 0, "failed": 0, "missed": 0}
        assert status["consecutiveFailures"] == 0
        assert condition({"status": status}, "Healthy")["reason"] == "Healthy"
        world.until_events("good", ("Normal", "SlotEnqueued"))
        assert running.metric('graphschedule_slots_total{reason="Enqueued",state="enqueued"}') == 1
        assert running.metric("graphschedule_slot_enqueue_latency_seconds_count") == 1
        assert 60 <= running.metric("graphschedule_slot_enqueue_latency_seconds_sum") < 180


def test_news_of_a_failure_and_an_edit_overtake_what_went_well(world: World, platform: Platform) -> None:
    with following(world, platform, routine_rate="0.2"):
        well = [Fires(world, platform, f"well-{number}") for number in range(4)]
        badly, _ = Fires(world, platform, "badly"), Fires(world, platform, "edited")
        for name in (*(one.payload.name for one in well), "badly", "edited"):
            world.until_condition(name, "Healthy", "NoRuns")
        slots = [one.slot(minutes_ago=1) for one in well]
        for one, slot in zip(well, slots, strict=True):
            one.run(slot)
        failed = badly.slot(minutes_ago=1)
        badly.record(failed, SlotState.FAILED, "Transient", "the broker is away")
        world.patch("graphschedule", "edited", {"spec": {"suspend": True}})
        until_outcome(world, "badly", failed, "failed")
        world.until_condition("edited", "Ready", "Suspended")
        names = {one.payload.name for one in well}
        told = [made["metadata"]["name"] for made in world.all("graphschedule") if "lastOutcome" in made["status"]]
        assert not names <= set(told)
        for one, slot in zip(well, slots, strict=True):
            until_outcome(world, one.payload.name, slot, "enqueued")


def test_a_failed_slot_makes_it_unhealthy_until_one_is_enqueued(world: World, platform: Platform) -> None:
    with following(world, platform, recheck_seconds="0.5") as running:
        fires = Fires(world, platform, "shaky")
        world.until_condition("shaky", "Ready", "Ready")
        first, second, third = (fires.slot(minutes) for minutes in (3, 2, 1))
        fires.record(first, SlotState.FAILED, "Transient", "the broker is away")
        until_outcome(world, "shaky", first, "failed")
        told = world.until_condition("shaky", "Ready", "SlotFailed")
        assert told["status"] == "False"
        assert f"slot {first.key} failed, Transient: the broker is away" in told["message"]
        fires.record(second, SlotState.SKIPPED, "Overlap", "the one before still runs")
        status = until_outcome(world, "shaky", second, "skipped")
        assert condition({"status": status}, "Healthy")["reason"] == "SlotFailed"
        assert fires.run(third) == [Outcome.ENQUEUED]
        status = until_outcome(world, "shaky", third, "enqueued")
        assert status["counts"] == {"enqueued": 1, "skipped": 1, "failed": 1, "missed": 0}
        world.until_condition("shaky", "Ready", "Ready")
        world.until_events("shaky", ("Warning", "SlotFailed"), ("Normal", "SlotSkipped"), ("Normal", "SlotEnqueued"))
        assert running.metric("graphschedule_slots_total{") == 3


def test_a_retry_that_succeeds_takes_the_failure_back(world: World, platform: Platform) -> None:
    with following(world, platform):
        fires = Fires(world, platform, "retried")
        slot = fires.slot(minutes_ago=1)
        fires.record(slot, SlotState.FAILED, "Transient", "the broker is away")
        until_outcome(world, "retried", slot, "failed")
        assert fires.run(slot) == [Outcome.ENQUEUED]
        status = until_outcome(world, "retried", slot, "enqueued")
        assert status["counts"] == {"enqueued": 1, "skipped": 0, "failed": 0, "missed": 0}
        assert status["consecutiveFailures"] == 0


def test_what_happened_while_the_operator_was_down_is_told_and_a_restart_over_it_writes_nothing(
    world: World, platform: Platform
) -> None:
    with following(world, platform):
        fires = Fires(world, platform, "alone")
        world.until_condition("alone", "Ready", "Ready")
    slots = [fires.slot(minutes) for minutes in (3, 2, 1)]
    fires.record(slots[0], SlotState.FAILED, "Transient", "x")
    fires.run(*slots[1:])
    with following(world, platform) as second:
        status = until_outcome(world, "alone", slots[2], "enqueued")
        assert status["counts"] == {"enqueued": 2, "skipped": 0, "failed": 1, "missed": 0}
        world.until_events("alone", ("Normal", "SlotEnqueued"))
        assert second.metric("graphschedule_slots_total{") == 0
    before = world.versions()
    with following(world, platform) as third:
        while third.metric("graphschedule_operator_reconcile_duration_seconds_count") < 1:
            assert third.process.poll() is None
        assert third.writes() == 0
    assert world.versions() == before


@on_postgresql
def test_many_slots_at_once_cost_few_writes(world: World, platform: Platform) -> None:
    with following(world, platform) as running:
        fires = Fires(world, platform, "busy")
        world.until_condition("busy", "Ready", "Ready")
        before = running.metric('graphschedule_operator_api_requests_total{code="200",method="PATCH"')
        slots = [fires.slot(minutes) for minutes in range(60, 0, -1)]
        for slot in slots:
            fires.record(slot, SlotState.SKIPPED, "Overlap", "the one before still runs")
        status = until_outcome(world, "busy", slots[-1], "skipped")
        assert status["counts"]["skipped"] == len(slots)
        after = running.metric('graphschedule_operator_api_requests_total{code="200",method="PATCH"')
        assert after - before < len(slots) / 3
        assert running.metric("graphschedule_slots_total{") == len(slots)


@on_postgresql
def test_an_outage_leaves_what_was_known_and_ends_by_itself(world: World, platform: Platform) -> None:
    with following(world, platform, outage_seconds="0.5"):
        fires = Fires(world, platform, "known")
        slot, later = fires.slot(2), fires.slot(1)
        fires.run(slot)
        before = until_outcome(world, "known", slot, "enqueued")
        with platform.engine.begin() as connection:
            connection.execute(text("ALTER TABLE graphschedule.slot RENAME TO elsewhere"))
        told = world.until_condition("known", "Healthy", "OutcomesUnknown")
        assert told["status"] == "Unknown"
        during = world.until("graphschedule", "known", lambda _: True)["status"]
        assert condition({"status": during}, "Ready")["status"] == "True"
        assert {name: during[name] for name in ("lastOutcome", "counts", "lastFireTime")} == {
            name: before[name] for name in ("lastOutcome", "counts", "lastFireTime")
        }
        with platform.engine.begin() as connection:
            connection.execute(text("ALTER TABLE graphschedule.elsewhere RENAME TO slot"))
        world.until_condition("known", "Healthy", "Healthy")
        fires.run(later)
        until_outcome(world, "known", later, "enqueued")


@on_postgresql
def test_rows_of_others_concern_nobody(world: World, platform: Platform) -> None:
    with following(world, platform) as running:
        fires = Fires(world, platform, "ours")
        stranger = Slot.at(builders.new_id(), datetime.now(UTC))
        fires.record(stranger, SlotState.FAILED, "Transient", "x")
        slot = fires.slot(1)
        fires.run(slot)
        status = until_outcome(world, "ours", slot, "enqueued")
        assert status["counts"]["failed"] == 0
        assert running.metric("graphschedule_slots_total{") == 1


@on_postgresql
def test_the_breaker_opens_after_failures_in_a_row_and_a_run_by_hand_closes_it(
    world: World, platform: Platform
) -> None:
    with following(world, platform):
        fires = Fires(world, platform, "fragile", breaker={"failures": 2, "coolOff": 3600})
        world.until_condition("fragile", "Ready", "Ready")
        for minutes in (3, 2):
            fires.record(fires.slot(minutes), SlotState.FAILED, "Transient", "the broker is away")
        told = world.until_condition("fragile", "Ready", "BreakerOpen")
        assert "2 slots in a row" in told["message"]
        assert "the broker is away" in told["message"]
        cronjob = world.until("cronjob", "fragile", lambda cronjob: cronjob["spec"]["suspend"])
        assert cronjob["spec"]["suspend"]
        suspension = world.until("graphschedule", "fragile", lambda _: True)["status"]["suspension"]
        assert suspension["reason"] == "BreakerOpen"
        assert suspension["until"] > format_instant(datetime.now(UTC) + timedelta(minutes=58))
        assert ("Warning", "BreakerOpen") in world.events("fragile")
        fires.run(Slot.manual(fires.uid, "by-hand"))
        world.until("cronjob", "fragile", lambda cronjob: not cronjob["spec"]["suspend"])
        world.until_condition("fragile", "Ready", "Ready")
        healed = world.until("graphschedule", "fragile", lambda obj: "suspension" not in obj["status"])
        assert healed["status"]["consecutiveFailures"] == 0


@on_postgresql
def test_the_breaker_tries_again_after_its_cool_off_and_never_overrules_a_person(
    world: World, platform: Platform
) -> None:
    with following(world, platform):
        fires = Fires(world, platform, "cooling", breaker={"failures": 1, "coolOff": 60})
        fires.record(fires.slot(1), SlotState.FAILED, "Transient", "x")
        world.until_condition("cooling", "Ready", "BreakerOpen")
    past = format_instant(datetime.now(UTC) - timedelta(seconds=10))
    world.patch("graphschedule", "cooling", {"status": {"suspension": {"until": past}}}, "--subresource", "status")
    with following(world, platform):
        world.until("cronjob", "cooling", lambda cronjob: not cronjob["spec"]["suspend"])
        world.until_condition("cooling", "Ready", "SlotFailed")
        world.patch("graphschedule", "cooling", {"spec": {"suspend": True}})
        world.until("cronjob", "cooling", lambda cronjob: cronjob["spec"]["suspend"])
        world.until_condition("cooling", "Ready", "Suspended")
        fires.run(Slot.manual(fires.uid, "by-hand"))
        world.until("graphschedule", "cooling", lambda obj: "suspension" not in obj["status"])
        world.until_condition("cooling", "Ready", "Suspended")
        cronjob = world.get("cronjob", "cooling")
        assert cronjob is not None
        assert cronjob["spec"]["suspend"]


# --- missed slots ---------------------------------------------------------------------------------------------------


def owe(world: World, name: str, minutes: int) -> None:
    """Have a schedule be active for some minutes already."""
    since = format_instant(datetime.now(UTC) - timedelta(minutes=minutes))
    world.patch("graphschedule", name, {"status": {"activeSince": since}}, "--subresource", "status")


@contextmanager
def searching(world: World, platform: Platform) -> Iterator[Operator]:
    """Run an operator that looks for missed slots all the time, and grants them a minute."""
    with following(world, platform, missed_seconds="1", grace_seconds="60") as running:
        yield running


def until_missed(world: World, name: str, count: int) -> Object:
    """Watch a schedule until so many of its slots were missed, and return its status."""
    status: Object = world.until(
        "graphschedule", name, lambda obj: obj.get("status", {}).get("counts", {}).get("missed", 0) >= count
    )["status"]
    return status


def test_slots_are_missed_though_no_job_was_ever_made(world: World, platform: Platform) -> None:
    with following(world, platform):
        fires = Fires(world, platform, "unfired", cron="* * * * *")
        world.until_condition("unfired", "Ready", "Ready")
    owe(world, "unfired", minutes=10)
    enqueued = fires.slot(minutes_ago=5)
    fires.run(enqueued)
    with searching(world, platform) as running:
        status = until_missed(world, "unfired", 7)
        assert status["counts"]["enqueued"] == 1
        assert condition({"status": status}, "Healthy")["reason"] == "SlotMissed"
        assert status["lastOutcome"]["reason"] in {"NotStarted", "Coalesced"}
        assert running.metric('graphschedule_slots_total{reason="NotStarted",state="missed"}') >= 7
        told = world.until_condition("unfired", "Ready", "SlotMissed")
        assert "made no Job" in told["message"]
    assert ("Warning", "SlotMissed") in world.events("unfired")
    with platform.engine.connect() as connection:
        rows = ledger.changes_since(connection).rows
    assert enqueued.fire_time is not None
    states = {row.fire_time: row.state for row in rows if row.schedule_uid == fires.uid}
    assert states[enqueued.fire_time] is SlotState.ENQUEUED
    around = [enqueued.fire_time + timedelta(minutes=minutes) for minutes in (-3, -2, -1, 1, 2)]
    assert {states[fire_time] for fire_time in around} == {SlotState.MISSED}


@on_postgresql
def test_a_slot_that_a_shard_missed_is_missed_by_each_of_its_members_for_the_same_reason(
    world: World, platform: Platform
) -> None:
    slot = (datetime.now(UTC) - timedelta(minutes=5)).replace(second=0, microsecond=0)
    with following(world, platform):
        for name in ("one", "two"):
            Fires(world, platform, name, **GROUPED, cron=f"{slot.minute} * * * *")
            world.until_condition(name, "Ready", "Ready")
    for name in ("one", "two"):
        owe(world, name, minutes=10)
    fired = {"status": {"lastScheduleTime": format_instant(slot)}}
    world.patch("cronjob", the_shard(world)["metadata"]["name"], fired, "--subresource", "status")
    with searching(world, platform) as running:
        for name in ("one", "two"):
            last = until_missed(world, name, 1)["lastOutcome"]
            assert (last["slot"], last["reason"]) == (format_instant(slot), "JobGone")
        asked = 'graphschedule_operator_api_requests_total{code="404",method="GET",resource="jobs"}'
        assert running.metric(asked) == 1


@on_postgresql
def test_slots_are_not_missed_while_suspended(world: World, platform: Platform) -> None:
    with following(world, platform):
        Fires(world, platform, "rested", cron="* * * * *", suspend=True)
        world.until_condition("rested", "Ready", "Suspended")
        Fires(world, platform, "unrested", cron="* * * * *")
        world.until_condition("unrested", "Ready", "Ready")
    owe(world, "rested", minutes=10)
    owe(world, "unrested", minutes=10)
    world.patch("graphschedule", "rested", {"spec": {"suspend": False}})
    with searching(world, platform):
        until_missed(world, "unrested", 8)
        rested = world.until_condition("rested", "Ready", "Ready")
        assert rested["status"] == "True"
        status = world.until("graphschedule", "rested", lambda _: True)["status"]
        assert status["counts"]["missed"] == 0


@on_postgresql
def test_a_quota_that_forbids_the_job_is_named(world: World, platform: Platform) -> None:
    world.kubectl("create", "quota", "none", "--hard", "count/jobs.batch=0")
    with following(world, platform):
        slot = apply_overdue(world, platform, "forbidden")
        world.until_event("forbidden", "FailedCreate")
    owe(world, "forbidden", minutes=10)
    with searching(world, platform):
        last = until_missed(world, "forbidden", 1)["lastOutcome"]
    assert (last["slot"], last["reason"]) == (slot.key, "FailedCreate")
    assert "exceeded quota" in last["message"]


@on_postgresql
def test_a_job_that_passed_its_deadline_is_named(world: World, platform: Platform) -> None:
    with following(world, platform):
        slot = apply_overdue(world, platform, "late")
        cronjob = world.until("cronjob", "late", lambda cronjob: cronjob["status"].get("active"))
        job = cronjob["status"]["active"][0]["name"]
        world.patch("job", job, {"spec": {"activeDeadlineSeconds": 1}})
        world.until(
            "job", job, lambda job: any(told["type"] == "Failed" for told in job["status"].get("conditions", ()))
        )
    owe(world, "late", minutes=10)
    with searching(world, platform):
        last = until_missed(world, "late", 1)["lastOutcome"]
    assert (last["slot"], last["reason"]) == (slot.key, "DeadlineExceeded")


def apply_overdue(world: World, platform: Platform, name: str) -> Slot:
    """Apply a schedule that fires once an hour, have the CronJob controller find one slot overdue, and return that."""
    overdue = datetime.now(UTC) - timedelta(minutes=3)
    fires = Fires(world, platform, name, cron=f"{overdue.minute} * * * *")
    world.until_condition(name, "Ready", "Ready")
    before = (overdue - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:00Z")
    world.patch("cronjob", name, {"status": {"lastScheduleTime": before}}, "--subresource", "status")
    return Slot.at(fires.uid, overdue)
