"""What all slots of a schedule amount to, read from the ledger's rows."""

from __future__ import annotations

import itertools
import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule.outcomes import SlotState
from graphschedule.slots import Slot
from graphschedule_platform import ledger
from graphschedule_platform.ledger import Entry, Record, Summary

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
CLAIMED, ENQUEUED, SKIPPED, FAILED, MISSED = SlotState
NONE = dict.fromkeys((ENQUEUED, SKIPPED, FAILED, MISSED), 0)


@pytest.fixture
def uid() -> str:
    return str(uuid.uuid4())


def bring_about(connection: Connection, slot: Slot, state: SlotState, now: datetime = NOON) -> None:
    """Put a slot on record in a state, the way the runner does."""
    entry = Entry(slot, "team", "daily", "user-1", "graph-1")
    if state in {CLAIMED, ENQUEUED}:
        ledger.claim_many(connection, [entry], now)
    else:
        ledger.record_many(connection, [Record(entry, state, f"Because{state}", f"at {slot.key}")], now)
    if state is ENQUEUED:
        ledger.mark_enqueued_many(connection, [slot.execution_id], now)


def last_of(summary: Summary) -> ledger.SlotRow:
    """Return the newest slot; a summary of rows has one."""
    assert summary.last is not None
    return summary.last


def after(engine: Engine, uid: str, *states: SlotState) -> Summary | None:
    """Bring one slot a minute into these states, and return the summary of the schedule."""
    with engine.begin() as connection:
        for minute, state in enumerate(states):
            bring_about(connection, Slot.at(uid, NOON + timedelta(minutes=minute)), state)
        return ledger.summaries(connection).get(uid)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_summary_is_what_its_rows_say(platform_db: Engine, length: int) -> None:
    orders = {str(uuid.uuid4()): states for states in itertools.product(SlotState, repeat=length)}
    with platform_db.begin() as connection:
        for uid, states in orders.items():
            for minute, state in enumerate(states):
                bring_about(connection, Slot.at(uid, NOON + timedelta(minutes=minute)), state)
        found = ledger.summaries(connection)
    for uid, states in orders.items():
        decided = [(minute, state) for minute, state in enumerate(states) if state is not CLAIMED]
        if not decided:
            assert uid not in found
            continue
        summary = found[uid]
        assert summary.counts == NONE | {state: states.count(state) for state in NONE}
        assert (last_of(summary).fire_time, last_of(summary).state) == (
            NOON + timedelta(minutes=decided[-1][0]),
            decided[-1][1],
        )
        success = max((minute for minute, state in decided if state is ENQUEUED), default=-1)
        failures = [minute for minute, state in decided if state in {FAILED, MISSED} and minute > success]
        assert summary.failures == len(failures)
        newest = summary.failure.fire_time if summary.failure else None
        assert newest == (NOON + timedelta(minutes=failures[-1]) if failures else None)


def test_the_order_is_that_of_fire_times_not_of_records(platform_db: Engine, uid: str) -> None:
    with platform_db.begin() as connection:
        bring_about(connection, Slot.at(uid, NOON), ENQUEUED)
        bring_about(connection, Slot.at(uid, NOON - timedelta(minutes=5)), MISSED, NOON + timedelta(minutes=1))
        summary = ledger.summaries(connection)[uid]
    assert (last_of(summary).state, summary.failures, summary.failure) == (ENQUEUED, 0, None)


@pytest.mark.parametrize(("state", "failures"), [(ENQUEUED, 0), (SKIPPED, 2), (FAILED, 3)])
def test_a_slot_made_by_hand_counts_at_the_time_it_was_made(
    platform_db: Engine, uid: str, state: SlotState, failures: int
) -> None:
    with platform_db.begin() as connection:
        for minute in (0, 1):
            bring_about(connection, Slot.at(uid, NOON + timedelta(minutes=minute)), FAILED)
        by_hand = Slot.manual(uid, "job-1")
        bring_about(connection, by_hand, state, NOON + timedelta(seconds=90))
        summary = ledger.summaries(connection)[uid]
        assert (last_of(summary).slot, summary.failures) == (by_hand.key, failures)
        bring_about(connection, Slot.at(uid, NOON + timedelta(minutes=2)), SKIPPED)
        assert last_of(ledger.summaries(connection)[uid]).state is SKIPPED


def test_a_retry_that_succeeds_takes_the_failure_back(platform_db: Engine, uid: str) -> None:
    summary = after(platform_db, uid, FAILED)
    assert summary is not None
    assert summary.failures == 1
    with platform_db.begin() as connection:
        bring_about(connection, Slot.at(uid, NOON), ENQUEUED)
        summary = ledger.summaries(connection)[uid]
    assert (summary.counts, summary.failures, last_of(summary).state) == (NONE | {ENQUEUED: 1}, 0, ENQUEUED)


def test_only_the_schedules_asked_for_are_told(platform_db: Engine, uid: str) -> None:
    other, unknown = str(uuid.uuid4()), str(uuid.uuid4())
    after(platform_db, other, ENQUEUED)
    after(platform_db, uid, ENQUEUED)
    with platform_db.connect() as connection:
        assert ledger.summaries(connection, [uid, unknown]).keys() == {uid}
        assert ledger.summaries(connection, []) == {}
        assert ledger.summaries(connection).keys() == {uid, other}


def test_what_follows_a_horizon_is_told_of_even_if_it_began_before(platform_db: Engine, uid: str) -> None:
    after(platform_db, uid, ENQUEUED)
    with platform_db.connect() as connection:
        start = ledger.horizon(connection)
        assert ledger.changes_since(connection, start).rows == ()
    after(platform_db, uid, ENQUEUED, FAILED)
    with platform_db.connect() as connection:
        (row,) = ledger.changes_since(connection, start).rows
    assert row.state is FAILED


def test_states_are_told_of_the_slots_that_are_known(platform_db: Engine, uid: str) -> None:
    after(platform_db, uid, CLAIMED, MISSED)
    ids = [Slot.at(uid, NOON + timedelta(minutes=minute)).execution_id for minute in range(3)]
    with platform_db.connect() as connection:
        assert ledger.states_of(connection, ids) == {ids[0]: CLAIMED, ids[1]: MISSED}
