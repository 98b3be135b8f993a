"""Runs of the system tasks: what each did (M26), and the arbiter of one run of a task at a time.

One row per run, in our own schema. A row that runs is the task's lease: the database lets each task have one. Who
holds it renews it; a row that was not renewed in time is of a run that was killed, and the next one records it so.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import CheckConstraint, Column, Index, Table, Text, delete, func, inspect, select, text, update

from graphschedule_platform import ledger
from graphschedule_platform.column_types import Json, UtcTimestamp, without_control_characters
from graphschedule_platform.dialects import insert
from graphschedule_platform.errors import PlatformUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Row

KEPT = 1000
"""Runs of each task that are kept: three days of one that runs every five minutes, years of the others."""

_RUNNING = text("state = 'running'")


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


task_run_table = Table(
    "task_run",
    ledger.metadata,
    Column("id", Text, primary_key=True),
    Column("task", Text, nullable=False),
    Column("job", Text),
    Column("tick", UtcTimestamp),
    Column("state", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("counts", Json, nullable=False),
    Column("started_at", UtcTimestamp, nullable=False),
    Column("renewed_until", UtcTimestamp, nullable=False),
    Column("finished_at", UtcTimestamp),
    CheckConstraint("state IN ('running', 'succeeded', 'failed')", name="task_run_state_check"),
    Index("task_run_running_key", "task", unique=True, postgresql_where=_RUNNING, sqlite_where=_RUNNING),
    Index("task_run_started_at_idx", "task", "started_at"),
    schema=ledger.SCHEMA,
)

_c = task_run_table.c

LOST = "the run ended without a word: its pod was killed or lost"


class TaskRun(NamedTuple):
    """A row."""

    id: str
    task: str
    job: str | None
    """The name of the Job; None outside of Kubernetes."""
    tick: datetime | None
    """The time that the CronJob fired for; None for a run that a person made."""
    state: RunState
    message: str
    """The result's text, or why the run failed."""
    counts: Mapping[str, Any]
    started_at: datetime
    renewed_until: datetime
    """Until then nobody else runs this task, unless the run is over."""
    finished_at: datetime | None


class Past(NamedTuple):
    """What a task's runs that are over come to."""

    task: str
    started_at: datetime
    """Of the newest one, as the next."""
    finished_at: datetime
    succeeded_at: datetime | None
    """When the newest one that succeeded ended."""


@dataclass(frozen=True, slots=True)
class Start:
    """A run that wants to begin."""

    id: str
    task: str
    job: str | None
    tick: datetime | None


def require(connection: Connection) -> None:
    """Make sure that there is a record to write to.

    Raises:
        PlatformUnsupportedError: the table is missing.

    """
    schema = ledger.SCHEMA if connection.dialect.name == "postgresql" else None
    if not inspect(connection).has_table(task_run_table.name, schema=schema):
        raise PlatformUnsupportedError("the tables of system tasks are missing: run graphschedule-runner db upgrade")


def begin(connection: Connection, start: Start, now: datetime, renewed_until: datetime) -> bool:
    """Record that a run begins; return False if another one of the task is under way.

    A run that was not renewed in time is recorded as lost, and does not stand in the way.
    """
    lost = update(task_run_table).values(state=RunState.FAILED, message=LOST, finished_at=now)
    connection.execute(lost.where(_c.task == start.task, _RUNNING, _c.renewed_until < now))
    row: dict[str, Any] = {"id": start.id, "task": start.task, "job": start.job, "tick": start.tick}
    row |= {"state": RunState.RUNNING, "message": "", "counts": {}, "started_at": now, "renewed_until": renewed_until}
    new = insert(connection, task_run_table).values(row).on_conflict_do_nothing().returning(_c.id)
    return connection.scalar(new) is not None


def under_way(connection: Connection, task: str) -> TaskRun | None:
    """Return the run of a task that has begun and not ended."""
    row = connection.execute(select(task_run_table).where(_c.task == task, _RUNNING)).one_or_none()
    return None if row is None else _run(row)


def renew(connection: Connection, id_: str, renewed_until: datetime) -> bool:
    """Keep others from running the task; return False if the run has been taken for lost."""
    ours = update(task_run_table).where(_c.id == id_, _RUNNING)
    return connection.scalar(ours.values(renewed_until=renewed_until).returning(_c.id)) is not None


def finish(
    connection: Connection, run: Start, state: RunState, message: str, counts: Mapping[str, Any], now: datetime
) -> None:
    """Record how a run ended, and forget the task's oldest ones."""
    ended = update(task_run_table).where(_c.id == run.id)
    ended = ended.values(state=state, message=without_control_characters(message), counts=counts, finished_at=now)
    connection.execute(ended)
    oldest_kept = select(_c.started_at).where(_c.task == run.task).order_by(_c.started_at.desc()).offset(KEPT - 1)
    connection.execute(
        delete(task_run_table).where(
            _c.task == run.task, _c.state != RunState.RUNNING, _c.started_at < oldest_kept.limit(1).scalar_subquery()
        )
    )


def newest_of_each(connection: Connection) -> dict[str, TaskRun]:
    """Return the newest run of every task that ever ran, by task."""
    newest = select(_c.task, func.max(_c.started_at).label("started_at")).group_by(_c.task).subquery()
    query = select(task_run_table).join(newest, (_c.task == newest.c.task) & (_c.started_at == newest.c.started_at))
    return {row.task: _run(row) for row in connection.execute(query)}


def pasts(connection: Connection) -> list[Past]:
    """Return the past of every task of which a run is over, in the order of their names."""
    succeeded_at = func.max(_c.finished_at).filter(_c.state == RunState.SUCCEEDED)
    query = select(_c.task, func.max(_c.started_at), func.max(_c.finished_at), succeeded_at)
    over = query.where(_c.state != RunState.RUNNING).group_by(_c.task).order_by(_c.task)
    return [Past(*row) for row in connection.execute(over)]


def newest(connection: Connection, task: str, limit: int) -> list[TaskRun]:
    """Return the newest runs of a task, newest first."""
    query = select(task_run_table).where(_c.task == task).order_by(_c.started_at.desc()).limit(limit)
    return [_run(row) for row in connection.execute(query)]


def _run(row: Row[Any]) -> TaskRun:
    return TaskRun(**row._asdict())._replace(state=RunState(row.state))
