"""What is said of a schedule's slots: histories to conditions, members of the status, Events and metrics."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.outcomes import SlotState
from graphschedule.slots import format_instant
from graphschedule.status import Reason, Suspension
from graphschedule_operator import history, metrics
from graphschedule_operator.desired import accept
from graphschedule_operator.events import outcomes
from graphschedule_operator.graph import NO_DATABASE
from graphschedule_operator.history import NO_SLOTS, NOT_READ, Histories, Outage
from graphschedule_operator.judgement import Judgement
from graphschedule_operator.slotcount import REMEMBERED, SlotCount
from graphschedule_operator.status import Facts, State, differences, is_only_a_fire, state_of, status

from tests.support import histories
from tests.support.histories import UID, failing, row

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphschedule_platform.ledger import Summary

    MakeSchedule = Callable[..., dict[str, Any]]

NINE = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
CRONJOB = {"metadata": {"name": "daily"}, "spec": {"suspend": False}}
ENQUEUED, SKIPPED, FAILED, MISSED = SlotState.ENQUEUED, SlotState.SKIPPED, SlotState.FAILED, SlotState.MISSED
GOOD = histories.history(row(ENQUEUED, NINE), enqueued=3)
BAD = failing(2, NINE)
OPEN = Suspension(
    reason="BreakerOpen",
    message="2 slots in a row failed",
    since=format_instant(NINE),
    until=format_instant(NINE + timedelta(hours=1)),
)


@pytest.fixture
def facts(make_schedule: MakeSchedule) -> Facts:
    now = NINE + timedelta(minutes=1)
    schedule = make_schedule()
    return Facts(schedule, accept(schedule, now), CRONJOB, None, now, NO_DATABASE, history=GOOD)


def wire(facts: Facts) -> dict[str, Any]:
    return status(facts).model_dump(mode="json", by_alias=True, exclude_none=True)


def reported(facts: Facts, **members: object) -> Facts:
    """Return the facts after their status was written, and whatever else then changed."""
    return replace(facts, schedule={**facts.schedule, "status": wire(facts)}, **members)  # type: ignore[arg-type] # each test names real members


def skipped_after_failure() -> Summary:
    failure = row(FAILED, NINE, reason="Transient", message="because of this")
    return histories.history(row(SKIPPED, NINE + timedelta(minutes=1)), 1, failure, skipped=1, failed=1)


@pytest.mark.parametrize(
    ("known", "expected", "words"),
    [
        pytest.param(NO_SLOTS, ("True", "NoRuns"), "no slot", id="no slot yet"),
        pytest.param(GOOD, ("True", "Healthy"), "no slot has failed", id="enqueued"),
        pytest.param(
            histories.history(row(SKIPPED, NINE), skipped=1), ("True", "Healthy"), "no slot has failed", id="skipped"
        ),
        pytest.param(
            failing(1, NINE),
            ("False", "SlotFailed"),
            "slot 2026-05-04T09:00:00Z failed, Transient: because of this",
            id="failed",
        ),
        pytest.param(
            failing(3, NINE), ("False", "SlotFailed"), "3 slots in a row failed or were missed; slot", id="many"
        ),
        pytest.param(failing(1, NINE, MISSED), ("False", "SlotMissed"), "was missed, Transient", id="missed"),
        pytest.param(skipped_after_failure(), ("False", "SlotFailed"), "09:00:00Z failed", id="failed, then skipped"),
        pytest.param(Outage("no route", BAD), ("Unknown", "OutcomesUnknown"), "no route", id="an outage"),
        pytest.param(history.NO_DATABASE, ("Unknown", "OutcomesUnknown"), "DATABASE_URL", id="no database"),
        pytest.param(NOT_READ, ("Unknown", "OutcomesUnknown"), "not been read", id="not read, never told"),
    ],
)
def test_every_history_has_its_condition(known: Summary | Outage, expected: tuple[str, str], words: str) -> None:
    said = history.judgement(known)
    assert (said.status, said.reason) == expected
    assert words in said.message


def test_what_was_told_stands_until_the_ledger_is_read() -> None:
    told = Judgement("False", Reason.SLOT_FAILED, "as before")
    assert history.judgement(NOT_READ, told) == told
    assert history.judgement(Outage("no route"), told).status == "Unknown"
    assert history.judgement(GOOD, told).status == "True"


@pytest.mark.parametrize(
    ("changes", "suspend", "ready", "state"),
    [
        pytest.param({}, False, ("True", "Ready"), State.ACTIVE, id="healthy"),
        pytest.param({"history": BAD}, False, ("False", "SlotFailed"), State.FAILING, id="failing"),
        pytest.param({"history": BAD}, True, ("True", "Suspended"), State.SUSPENDED, id="failed, and suspended"),
        pytest.param({"history": Outage("x", BAD)}, False, ("True", "Ready"), State.ACTIVE, id="not known"),
        pytest.param(
            {"history": BAD, "suspension": OPEN}, False, ("False", "BreakerOpen"), State.HALTED, id="breaker open"
        ),
        pytest.param(
            {"history": BAD, "suspension": OPEN}, True, ("True", "Suspended"), State.SUSPENDED, id="open and suspended"
        ),
        pytest.param(
            {"history": BAD, "suspension": OPEN, "now": NINE + timedelta(hours=1)},
            False,
            ("False", "SlotFailed"),
            State.FAILING,
            id="breaker half open",
        ),
    ],
)
def test_health_is_summed_up_after_all_else(
    facts: Facts,
    make_schedule: MakeSchedule,
    changes: dict[str, Any],
    suspend: bool,
    ready: tuple[str, str],
    state: State,
) -> None:
    schedule = make_schedule(suspend=suspend)
    current = status(replace(facts, schedule=schedule, verdict=accept(schedule, facts.now), **changes))
    (told,) = [condition for condition in current.conditions if condition.type == "Ready"]
    assert (told.status, told.reason) == ready
    assert state_of(current) is state


def test_the_newest_outcome_and_the_numbers_are_shown(facts: Facts) -> None:
    shown = wire(replace(facts, history=failing(2, NINE)))
    assert shown["lastOutcome"] == {
        "slot": "2026-05-04T09:00:00Z",
        "state": "failed",
        "reason": "Transient",
        "message": "because of this",
    }
    assert (shown["counts"], shown["consecutiveFailures"]) == (
        {"enqueued": 0, "skipped": 0, "failed": 2, "missed": 0},
        2,
    )


def test_an_execution_is_named_once_its_rows_are_written(facts: Facts) -> None:
    assert GOOD.last is not None
    assert wire(facts)["lastOutcome"]["executionId"] == GOOD.last.id


@pytest.mark.parametrize("known", [NOT_READ, Outage("no route"), Outage("no route", GOOD)])
def test_what_is_not_known_stays_as_it_was_told(facts: Facts, known: Outage) -> None:
    told = reported(facts)
    changes = differences(told.schedule, status(replace(told, history=known)))
    assert changes.keys() <= {"conditions"}


def test_an_execution_that_is_no_more_is_removed_from_the_status(facts: Facts) -> None:
    told = reported(facts, history=failing(1, NINE))
    changes = differences(told.schedule, status(told))
    assert changes["lastOutcome"]["executionId"] is None
    again = reported(told)
    assert differences(again.schedule, status(again)) == {}


@pytest.mark.parametrize(
    ("known", "memory", "shown"),
    [
        pytest.param(GOOD, None, "2026-05-04T09:00:00Z", id="the ledger's"),
        pytest.param(GOOD, "2026-05-04T10:00:00Z", "2026-05-04T10:00:00Z", id="the controller's, not run yet"),
        pytest.param(GOOD, "2026-05-04T08:00:00Z", "2026-05-04T09:00:00Z", id="the ledger's, remade CronJob"),
        pytest.param(failing(1, NINE, MISSED), None, None, id="a missed slot was not fired"),
        pytest.param(histories.history(row(ENQUEUED, NINE, by_hand=True)), None, None, id="nor one by hand"),
        pytest.param(Outage("x", GOOD), None, "2026-05-04T09:00:00Z", id="what was known"),
        pytest.param(NOT_READ, None, None, id="nothing"),
    ],
)
def test_the_last_fire_is_the_newest_that_anybody_knows(
    facts: Facts, known: Summary | Outage, memory: str | None, shown: str | None
) -> None:
    cronjob = {**CRONJOB, "status": {"lastScheduleTime": memory} if memory else {}}
    assert status(replace(facts, history=known, cronjob=cronjob)).last_fire_time == shown


@pytest.mark.parametrize(
    ("told", "memory", "suspend", "since"),
    [
        pytest.param(None, None, False, "2026-05-04T09:01:00Z", id="from its first status on"),
        pytest.param("2026-05-04T08:00:00Z", None, False, "2026-05-04T08:00:00Z", id="stays"),
        pytest.param("2026-05-04T08:00:00Z", "2026-05-04T08:30:00Z", False, "2026-05-04T08:00:00Z", id="has fired"),
        pytest.param("2026-05-04T08:00:00Z", "2026-05-04T08:30:12Z", False, "2026-05-04T08:30:12Z", id="was moved"),
        pytest.param("2026-05-04T08:00:00Z", None, True, None, id="suspended"),
        pytest.param(None, "2026-05-04T08:30:12Z", False, "2026-05-04T09:01:00Z", id="resumed"),
    ],
)
def test_slots_are_owed_since_the_schedule_fires_as_it_does(
    facts: Facts, make_schedule: MakeSchedule, told: str | None, memory: str | None, suspend: bool, since: str | None
) -> None:
    schedule = make_schedule(suspend=suspend, status={"cronJobName": "daily", "activeSince": told} if told else {})
    cronjob = {**CRONJOB, "status": {"lastScheduleTime": memory} if memory else {}}
    current = status(replace(facts, schedule=schedule, verdict=accept(schedule, facts.now), cronjob=cronjob))
    assert current.active_since == since


def test_slots_are_owed_anew_when_another_cronjob_takes_over(facts: Facts, make_schedule: MakeSchedule) -> None:
    told = {"cronJobName": "graphschedule-0123456789-0", "activeSince": "2026-05-04T08:00:00Z"}
    current = status(replace(facts, schedule=make_schedule(status=told)))
    assert current.active_since == "2026-05-04T09:01:00Z"


@pytest.mark.parametrize(
    ("changed", "seconds", "expected"),
    [
        pytest.param({"nextFireTimes", "nextFireTimesLocal", "lastFireTime"}, 1, True, id="it was fired"),
        pytest.param({"nextFireTimes", "nextFireTimesLocal"}, 1, True, id="its time has come"),
        pytest.param({"nextFireTimes", "nextFireTimesLocal"}, 30, False, id="a while ago"),
        pytest.param({"nextFireTimes", "nextFireTimesLocal"}, -1, False, id="its time was not come"),
        pytest.param({"nextFireTimes", "lastFireTime", "lastOutcome"}, 1, False, id="and came to something"),
        pytest.param({"conditions"}, 1, False, id="something else"),
    ],
)
def test_a_fire_alone_can_wait_for_what_it_comes_to(
    make_schedule: MakeSchedule, changed: set[str], seconds: int, expected: bool
) -> None:
    schedule = make_schedule(status={"nextFireTimes": [format_instant(NINE), "2026-05-05T09:00:00Z"]})
    now = NINE + timedelta(seconds=seconds)
    assert is_only_a_fire(schedule, dict.fromkeys(changed), now, 30.0) is expected
    assert not is_only_a_fire(make_schedule(), dict.fromkeys(changed), now, 30.0)


# --- the store ------------------------------------------------------------------------------------------------------


def test_the_store_knows_nothing_before_it_is_told() -> None:
    store = Histories()
    assert store.of(UID) is NOT_READ
    store.replace({})
    assert store.of(UID) is NO_SLOTS


def test_the_store_tells_for_whom_there_is_news() -> None:
    store = Histories()
    assert list(store.replace({"a": GOOD, "b": BAD})) != []
    assert list(store.update({"a": GOOD, "b": GOOD})) == ["b"]
    assert store.of("b") == GOOD
    assert list(store.replace({"b": GOOD})) == ["a"]
    assert store.of("a") is NO_SLOTS


def test_an_outage_keeps_what_was_known() -> None:
    store = Histories()
    store.outage = "no route"
    assert store.of(UID) == Outage("no route", None)
    store.replace({UID: GOOD})
    assert store.of(UID) == Outage("no route", GOOD)
    store.outage = None
    assert store.of(UID) == GOOD


# --- Events ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(NO_SLOTS, NO_SLOTS, [], id="nothing"),
        pytest.param(NO_SLOTS, GOOD, [("Normal", "SlotEnqueued", "slot 2026-05-04T09:00:00Z")], id="enqueued"),
        pytest.param(GOOD, GOOD, [], id="told before"),
        pytest.param(
            GOOD,
            failing(1, NINE),
            [("Warning", "SlotFailed", "slot 2026-05-04T09:00:00Z, Transient: because of this")],
            id="failed",
        ),
        pytest.param(
            NO_SLOTS,
            failing(1, NINE, MISSED),
            [("Warning", "SlotMissed", "slot 2026-05-04T09:00:00Z, Transient: because of this")],
            id="missed",
        ),
        pytest.param(
            NO_SLOTS,
            failing(3, NINE, MISSED),
            [
                ("Warning", "SlotMissed", "slot 2026-05-04T09:00:00Z, Transient: because of this"),
                ("Warning", "SlotMissed", "missed slots before the newest: 2"),
            ],
            id="missed, and others before",
        ),
        pytest.param(
            GOOD,
            GOOD._replace(counts={ENQUEUED: 3, MISSED: 1}),
            [("Warning", "SlotMissed", "missed slots before the newest: 1")],
            id="an older slot was missed",
        ),
        pytest.param(
            NO_SLOTS, skipped_after_failure(), [("Normal", "SlotSkipped", "slot 2026-05-04T09:01:00Z")], id="skip"
        ),
        pytest.param(GOOD, Outage("x", GOOD), [], id="an outage is no outcome"),
    ],
)
def test_the_newest_outcome_is_told_once(
    facts: Facts, before: Summary, after: Summary | Outage, told: list[tuple[str, str, str]]
) -> None:
    known = reported(replace(facts, history=before), history=after)
    events = [(event.type, event.reason, event.note) for event in outcomes(known.schedule, status(known))]
    assert events == told


# --- metrics --------------------------------------------------------------------------------------------------------


def counted(state: SlotState, reason: str) -> float:
    return float(metrics.SLOTS.labels(state.value, reason)._value.get())


def test_a_slot_counts_once_for_each_state_it_comes_to() -> None:
    count = SlotCount()
    reason = "OnceForEachState"
    failed = row(FAILED, NINE, reason=reason)
    enqueued = row(ENQUEUED, NINE, reason=reason)._replace(updated_at=NINE + timedelta(seconds=9))
    count.see([failed._replace(state=SlotState.CLAIMED)])
    count.see([failed])
    count.see([failed._replace(attempts=2, updated_at=NINE + timedelta(seconds=5))])
    count.see([enqueued])
    assert [counted(state, reason) for state in SlotState] == [0, 1, 0, 1, 0]


def test_failures_are_not_remembered_for_ever() -> None:
    count = SlotCount()
    old, new = row(FAILED, NINE, reason="Old"), row(MISSED, NINE + REMEMBERED + timedelta(minutes=1), reason="New")
    count.see([old, new])
    assert list(count._failures) == [new.id]


def test_latency_is_that_of_fires_not_of_runs_by_hand() -> None:
    before = metrics.ENQUEUE_SECONDS._sum.get()
    SlotCount().see([row(ENQUEUED, NINE), row(ENQUEUED, NINE, by_hand=True)])
    assert metrics.ENQUEUE_SECONDS._sum.get() - before == pytest.approx(2.0)
