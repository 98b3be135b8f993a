"""Notifications that wait to be mailed together, and when a batch of them is due (C §4.7)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from graphschedule_platform.standalone_tables import notification_event, user_notification_batch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection

DELAYS = {
    "AGENT_RUN": timedelta(days=1),
    "ZERO_BALANCE": timedelta(minutes=60),
    "LOW_BALANCE": timedelta(minutes=60),
    "BLOCK_EXECUTION_FAILED": timedelta(minutes=60),
    "CONTINUOUS_AGENT_ERROR": timedelta(minutes=60),
}
"""How long a batch of each type collects, from its oldest notification on. The service fails on any other type."""


class Batch(NamedTuple):
    """What waits for one user, of one type."""

    type: str
    oldest: datetime
    """When its first notification was made."""


def waiting(connection: Connection, types: Iterable[str]) -> list[Batch]:
    """Return the batches of some types; one without notifications has nothing that waits."""
    batch, event = user_notification_batch, notification_event
    query = (
        select(batch.c.type, func.min(event.c.created_at).label("oldest"))
        .join_from(batch, event, event.c.user_notification_batch_id == batch.c.id)
        .where(batch.c.type.in_(list(types)))
        .group_by(batch.c.id, batch.c.type)
    )
    return [Batch(row.type, row.oldest) for row in connection.execute(query)]


def due(batches: Iterable[Batch], now: datetime) -> Counter[str]:
    """Return how many batches of each type are due: the delay since their oldest notification has passed."""
    return Counter(batch.type for batch in batches if batch.oldest + DELAYS[batch.type] < now)
