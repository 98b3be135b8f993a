"""Executions that should have been through by now: queued for too long, or running for more than a day (C §4.1)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from graphschedule_platform.rows import QUEUED
from graphschedule_platform.tables import agent_graph_execution

if TYPE_CHECKING:
    from sqlalchemy import Connection

RUNNING = "RUNNING"

STUCK_AFTER = timedelta(hours=24)
"""The age from which on a running execution counts as stuck."""

LIMIT = 1000
"""The most executions that are looked at, of each status."""

_c = agent_graph_execution.c


class LateExecution(NamedTuple):
    """An execution that is late."""

    id: str
    graph_id: str
    graph_version: int
    user_id: str
    status: str
    created_at: datetime
    started_at: datetime | None


def late_executions(
    connection: Connection, now: datetime, *, threshold: timedelta, check_range: timedelta
) -> list[LateExecution]:
    """Return those queued for `threshold` up to `check_range`, then those running for a day up to `check_range` more.

    Newest first, and at most `LIMIT` of each. Both ends of a range belong to it.
    """
    stuck = now - STUCK_AFTER
    return [
        *_in_status(connection, QUEUED, now - check_range, now - threshold),
        *_in_status(connection, RUNNING, stuck - check_range, stuck),
    ]


def _in_status(connection: Connection, status: str, since: datetime, until: datetime) -> list[LateExecution]:
    query = (
        select(
            _c.id,
            _c.agent_graph_id,
            _c.agent_graph_version,
            _c.user_id,
            _c.execution_status,
            _c.created_at,
            _c.started_at,
        )
        .where(_c.execution_status == status, _c.is_deleted.is_(False), _c.created_at.between(since, until))
        .order_by(_c.created_at.desc(), _c.id)
        .limit(LIMIT)
    )
    return [LateExecution(*row) for row in connection.execute(query)]
