"""The weekly summary: who gets one, and the message that asks the platform's notification service for it (C §4.6)."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from graphschedule_platform.publisher import Route
from graphschedule_platform.tables import agent_graph_execution

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

WEEK = timedelta(days=7)
"""What a summary covers, up to the moment it is asked for."""

SUMMARIES = Route("notifications", "notification.summary.WEEKLY_SUMMARY", "notification service")
"""The route of the messages."""


def active_users(connection: Connection, now: datetime) -> list[str]:
    """Return the users with an execution created in the last week, of any status, deleted ones too."""
    execution = agent_graph_execution.c
    query = select(execution.user_id).where(execution.created_at.between(now - WEEK, now))
    return list(connection.scalars(query.distinct().order_by(execution.user_id)))


def message(user_id: str, now: datetime) -> bytes:
    """Return the message that asks for a user's summary."""
    return json.dumps(
        {
            "user_id": user_id,
            "type": "WEEKLY_SUMMARY",
            "created_at": now.isoformat(),
            "data": {"start_date": (now - WEEK).isoformat(), "end_date": now.isoformat()},
        }
    ).encode()
