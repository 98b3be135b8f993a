"""What has been alerted on, so that one problem is not told of at every run.

An alert is about facts: an execution that is late, a block and about how often it fails. It is news at first sight,
when a fact is new, and again after a set time. One that is over is forgotten, so that its return is a first sight.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Column, Table, Text, delete, select

from graphschedule_platform import ledger
from graphschedule_platform.column_types import Json, UtcTimestamp
from graphschedule_platform.dialects import insert

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

alert_table = Table(
    "alert",
    ledger.metadata,
    Column("task", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("facts", Json, nullable=False),
    Column("told_at", UtcTimestamp, nullable=False),
    schema=ledger.SCHEMA,
)
"""One row per alert that was told and is not over: the task, which of its alerts, and the `Memory`."""

_c = alert_table.c


class Memory(NamedTuple):
    """What was told of an alert."""

    facts: frozenset[str]
    told_at: datetime
    """When it was last delivered."""


def after(memory: Memory | None, facts: Collection[str], now: datetime, remind_after: timedelta) -> Memory | None:
    """Return what is to be remembered of an alert once it is delivered; None if it is no news and shall not be.

    Facts stay told until the next reminder, so that one that comes and goes does not make an alert each time.
    """
    if memory is None or now - memory.told_at >= remind_after:
        return Memory(frozenset(facts), now)
    known = memory.facts.union(facts)
    return None if known == memory.facts else Memory(known, now)


def recall(connection: Connection, task: str) -> dict[str, Memory]:
    """Return a task's alerts by key."""
    rows = connection.execute(select(_c.key, _c.facts, _c.told_at).where(_c.task == task))
    return {row.key: Memory(frozenset(row.facts), row.told_at) for row in rows}


def remember(connection: Connection, task: str, key: str, memory: Memory) -> None:
    """Note that an alert was delivered."""
    told = {"facts": sorted(memory.facts), "told_at": memory.told_at}
    new = insert(connection, alert_table).values(task=task, key=key, **told)
    connection.execute(new.on_conflict_do_update(index_elements=[_c.task, _c.key], set_=told))


def forget(connection: Connection, task: str, keys: Collection[str]) -> None:
    """Forget a task's alerts of these keys: they are over."""
    connection.execute(delete(alert_table).where(_c.task == task, _c.key.in_(sorted(keys))))
