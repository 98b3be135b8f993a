"""`report-late-executions` (M18): alert on executions that wait too long, or do not end (C §4.1)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from graphschedule_platform.late import RUNNING, late_executions
from graphschedule_platform.rows import QUEUED

from graphschedule_runner import alerts
from graphschedule_runner.tasks.task import TaskResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphschedule_platform.late import LateExecution

    from graphschedule_runner.tasks.task import TaskContext

NAME = "report-late-executions"

NONE_LATE = "No late executions detected."

SHOWN = 5
"""Executions that the message shows."""

CROWD = 10
"""Up to so many late executions each new one is told of; of more, only that they have doubled."""


def run(context: TaskContext) -> TaskResult:
    """Alert on late executions; return the message, which unlike the alert names them.

    Raises:
        DependencyError: the alert did not get through.

    """
    settings, now = context.settings, context.clock()
    with context.engine.connect() as connection:
        late = late_executions(
            connection,
            now,
            threshold=timedelta(seconds=settings.late_threshold_seconds),
            check_range=timedelta(seconds=settings.late_range_seconds),
        )
    alert = alerts.Alert(NAME, facts(late), message(late, now, with_ids=False))
    alerts.tell(context, NAME, [alert] if late else [])
    return TaskResult(message(late, now, with_ids=True), counts(late))


def counts(late: Sequence[LateExecution]) -> dict[str, int]:
    """Return the totals."""
    by_status = Counter(execution.status for execution in late)
    return {
        "queued": by_status[QUEUED],
        "running": by_status[RUNNING],
        "users": len({execution.user_id for execution in late}),
    }


def message(late: Sequence[LateExecution], now: datetime, *, with_ids: bool) -> str:
    """Return what is to be said: the totals, and those that have not started or started first.

    Ids lead to users, and do not belong in what leaves the cluster.
    """
    if not late:
        return NONE_LATE
    of = counts(late)
    title = (
        f"Late executions detected: {len(late)} of {of['users']} users, "
        f"{of['queued']} {QUEUED} and {of['running']} {RUNNING}."
    )
    first = sorted(late, key=lambda execution: (execution.started_at is not None, execution.started_at or now))
    more = [f"and {len(late) - SHOWN} more"] if len(late) > SHOWN else []
    return "\n".join([title, *(_line(execution, now, with_ids) for execution in first[:SHOWN]), *more])


def facts(late: Sequence[LateExecution]) -> frozenset[str]:
    """Return what the alert is about: each execution, or of a crowd how often it has doubled."""
    if len(late) <= CROWD:
        return frozenset(execution.id for execution in late)
    doublings = (len(late) // CROWD).bit_length()
    return frozenset(f"{CROWD << doubling} or more" for doubling in range(doublings))


def _line(execution: LateExecution, now: datetime, with_ids: bool) -> str:
    started = "not started" if execution.started_at is None else f"started {execution.started_at:%Y-%m-%d %H:%M} UTC"
    line = f"- {execution.status} for {_age(now - execution.created_at)}, {started}"
    if not with_ids:
        return line
    return (
        f"{line}: execution {execution.id} of graph {execution.graph_id} version {execution.graph_version}, "
        f"user {execution.user_id}"
    )


def _age(age: timedelta) -> str:
    minutes = int(age.total_seconds()) // 60
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
