"""Runs of a schedule: slots of the ledger, joined with what the platform has made of their executions (M33)."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from graphschedule.outcomes import SlotState
from sqlalchemy import func, literal, select, tuple_

from graphschedule_platform.column_types import UtcTimestamp
from graphschedule_platform.ledger import slot_table
from graphschedule_platform.tables import agent_graph_execution

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row, Select


class ExecutionState(StrEnum):
    """Where a run stands: the platform's five states (M33), and those of slots that came to no execution."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"
    SKIPPED = "skipped"
    MISSED = "missed"
    DELETED = "deleted"
    """It was queued, and the platform has deleted the execution since."""


_OF_EXECUTION = {
    "INCOMPLETE": ExecutionState.PENDING,
    "QUEUED": ExecutionState.PENDING,
    "RUNNING": ExecutionState.RUNNING,
    "REVIEW": ExecutionState.RUNNING,
    "COMPLETED": ExecutionState.COMPLETED,
    "TERMINATED": ExecutionState.CANCELLED,
    "FAILED": ExecutionState.FAILED,
}
"""By the execution's status (C §1.1)."""

_OF_SLOT = {
    SlotState.CLAIMED: ExecutionState.PENDING,
    SlotState.ENQUEUED: ExecutionState.DELETED,
    SlotState.SKIPPED: ExecutionState.SKIPPED,
    SlotState.FAILED: ExecutionState.FAILED,
    SlotState.MISSED: ExecutionState.MISSED,
}
"""By the slot's state, where there is no execution to see."""

_slot = slot_table.c
_execution = agent_graph_execution.c
_time = func.coalesce(_slot.fire_time, _slot.created_at)


class Place(NamedTuple):
    """Where a run stands among those of its schedule, newest first."""

    time: datetime
    id: str


class Run(NamedTuple):
    """A run."""

    id: str
    """The slot's execution id, whether or not there is an execution."""
    slot: str
    time: datetime
    """The fire time; of a run by hand, when it began."""
    state: ExecutionState
    slot_state: SlotState
    reason: str
    message: str
    node_errors: Mapping[str, Mapping[str, str]]
    attempts: int
    graph_version: int | None
    execution_status: str | None
    """The platform's own word."""
    enqueued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None

    @property
    def place(self) -> Place:
        """Where to go on after this one."""
        return Place(self.time, self.id)


def runs_of(connection: Connection, schedule_uid: str, limit: int, after: Place | None = None) -> list[Run]:
    """Return the runs of a schedule, newest first, those that come after a place."""
    query = _query().where(_slot.schedule_uid == schedule_uid).order_by(_time.desc(), _slot.id.desc()).limit(limit)
    if after is not None:
        place = tuple_(literal(after.time, UtcTimestamp), literal(after.id))
        query = query.where(_time <= literal(after.time, UtcTimestamp), tuple_(_time, _slot.id) < place)
    return [_run(row) for row in connection.execute(query)]


def run_of(connection: Connection, schedule_uid: str, id_: str) -> Run | None:
    """Return a run of a schedule, if it has begun."""
    row = connection.execute(_query().where(_slot.id == id_, _slot.schedule_uid == schedule_uid)).one_or_none()
    return None if row is None else _run(row)


def _query() -> Select[*tuple[Any, ...]]:
    return select(
        _slot.id,
        _slot.slot,
        _time.label("time"),
        _slot.state,
        _slot.reason,
        _slot.message,
        _slot.node_errors,
        _slot.attempts,
        _slot.graph_version,
        _slot.enqueued_at,
        _execution.execution_status.label("execution_status"),
        _execution.started_at.label("started_at"),
        _execution.ended_at.label("ended_at"),
    ).outerjoin_from(slot_table, agent_graph_execution, (_execution.id == _slot.id) & _execution.is_deleted.is_(False))


def _run(row: Row[*tuple[Any, ...]]) -> Run:
    slot_state = SlotState(row.state)
    state = _OF_EXECUTION.get(row.execution_status) or _OF_SLOT[slot_state]
    return Run(**(row._asdict() | {"state": state, "slot_state": slot_state}))
