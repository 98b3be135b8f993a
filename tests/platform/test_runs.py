"""Runs of a schedule: the ledger's slots with the states of the platform's executions (M33)."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule.outcomes import SlotState
from graphschedule.slots import Slot
from graphschedule_platform import ledger, runs
from graphschedule_platform.ledger import Entry, Record

from tests.support import builders

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NOW = datetime(2026, 5, 4, 9, 0, 1, 234_000, tzinfo=UTC)
UID = "0b9e1c9a-2f0b-4f0e-9d3e-2f6a2d6f0a11"


def entry(minute: int, uid: str = UID) -> Entry:
    slot = Slot.at(uid, NOW + timedelta(minutes=minute))
    return Entry(slot, "team-a", "daily", "user-1", "graph-1", 3, "{}")


def enqueue(connection: Connection, made: Entry) -> str:
    """Have a slot be enqueued, as far as the ledger knows; return its execution's id."""
    ledger.claim_many(connection, [made], NOW)
    ledger.mark_enqueued_many(connection, [made.slot.execution_id], NOW)
    return made.slot.execution_id


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("INCOMPLETE", "pending"),
        ("QUEUED", "pending"),
        ("RUNNING", "running"),
        ("REVIEW", "running"),
        ("COMPLETED", "completed"),
        ("TERMINATED", "cancelled"),
        ("FAILED", "failed"),
    ],
)
def test_the_state_of_a_run_is_its_executions(platform_db: Engine, status: str, state: str) -> None:
    with platform_db.begin() as connection:
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
        id_ = enqueue(connection, entry(0))
        builders.make_execution(connection, graph, id=id_, execution_status=status, started_at=NOW, ended_at=NOW)
        (run,) = runs.runs_of(connection, UID, 10)
        assert (run.id, run.state, run.execution_status, run.slot) == (id_, state, status, "2026-05-04T09:00:00Z")
        assert (run.started_at, run.ended_at, run.enqueued_at) == (NOW, NOW, NOW)
        assert runs.run_of(connection, UID, id_) == run


@pytest.mark.parametrize("state", [SlotState.SKIPPED, SlotState.FAILED, SlotState.MISSED])
def test_a_slot_without_an_execution_says_what_it_came_to(platform_db: Engine, state: SlotState) -> None:
    errors = {"node-1": {"text": "missing"}}
    with platform_db.begin() as connection:
        ledger.record_many(connection, [Record(entry(0), state, "Because", "of this", errors)], NOW)
        (run,) = runs.runs_of(connection, UID, 10)
    assert (run.state.value, run.slot_state, run.reason, run.message) == (state.value, state, "Because", "of this")
    assert (run.node_errors, run.execution_status) == (errors, None)


def test_what_the_platform_has_deleted_is_told_as_deleted(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
        id_ = enqueue(connection, entry(0))
        assert runs.runs_of(connection, UID, 10)[0].state == "deleted"
        builders.make_execution(connection, graph, id=id_, execution_status="COMPLETED", is_deleted=True)
        assert runs.runs_of(connection, UID, 10)[0].state == "deleted"


def test_a_run_that_was_claimed_is_pending(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        ledger.claim_many(connection, [entry(0)], NOW)
        assert runs.runs_of(connection, UID, 10)[0].state == "pending"


def test_runs_come_newest_first_in_pages_and_those_by_hand_in_their_place(platform_db: Engine) -> None:
    by_hand = [entry(0)._replace(slot=Slot.manual(UID, str(uuid.uuid4()))) for _ in range(3)]
    others = [entry(minute) for minute in (-3, -2, 0, 5)]
    with platform_db.begin() as connection:
        for made in (*by_hand, *others, entry(0, str(uuid.uuid4()))):
            enqueue(connection, made)
        everything = runs.runs_of(connection, UID, 100)
        assert [run.time for run in everything] == sorted((run.time for run in everything), reverse=True)
        assert {run.id for run in everything} == {made.slot.execution_id for made in (*by_hand, *others)}
        pages: list[runs.Run] = []
        while page := runs.runs_of(connection, UID, 2, pages[-1].place if pages else None):
            pages += page
        assert pages == everything


def test_a_run_is_found_with_its_own_schedule_only(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        id_ = enqueue(connection, entry(0))
        assert runs.run_of(connection, str(uuid.uuid4()), id_) is None
        assert runs.run_of(connection, UID, str(uuid.uuid4())) is None
