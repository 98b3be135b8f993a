"""The second step of enqueueing: what is written but not queued gets published, marked and counted.

`graphschedule_platform.enqueue` explains the order of steps; a retry and `repair` begin here.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from graphschedule.outcomes import Outcome, SlotState
from sqlalchemy import select

from graphschedule_platform import ledger, onboarding
from graphschedule_platform.dialects import among
from graphschedule_platform.ledger import Record
from graphschedule_platform.rows import QUEUED
from graphschedule_platform.tables import agent_graph_execution

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from graphschedule_platform.ledger import SlotRow
    from graphschedule_platform.publisher import Publisher


class Delivery(NamedTuple):
    """How messages get into the queue: `publisher` is None where the QUEUED row itself is the queue (SQLite).

    `credit` pays out onboarding rewards (the platform's `enable_credit`).
    """

    publisher: Publisher | None
    credit: bool = False

    def connect(self) -> None:
        """Reach the broker before anything is written.

        Raises:
            BrokerUnavailableError: it cannot be reached.

        """
        if self.publisher:
            self.publisher.connect()

    def close(self) -> None:
        """Let go of the broker."""
        if self.publisher:
            self.publisher.close()

    def deliver(self, connection: Connection, waiting: Sequence[SlotRow], now: datetime) -> dict[str, str]:
        """Finish slots that the caller's transaction has locked; return why not, by id, for those that cannot be."""
        faults = self._publish(connection, waiting)
        delivered = {row.id: row.user_id for row in waiting if row.id not in faults}
        marked = ledger.mark_enqueued_many(connection, delivered, now)
        if marked:
            onboarding.count_runs(connection, Counter(delivered[id_] for id_ in marked), now, credit=self.credit)
        if faults:
            ledger.record_many(connection, [_unsent(row, faults[row.id]) for row in waiting if row.id in faults], now)
        return faults

    def _publish(self, connection: Connection, waiting: Sequence[SlotRow]) -> dict[str, str]:
        if self.publisher is None:
            return {}
        queued = _queued(connection, [row.id for row in waiting])
        unsent = [row for row in waiting if row.id in queued]
        faults = self.publisher.publish_many([(row.queue_message or "").encode() for row in unsent])
        return {row.id: fault for row, fault in zip(unsent, faults, strict=True) if fault}


def _unsent(row: SlotRow, fault: str) -> Record:
    return Record(row.entry, SlotState.FAILED, Outcome.TRANSIENT.reason, fault)


def _queued(connection: Connection, ids: Sequence[str]) -> frozenset[str]:
    """Return the executions that nobody has taken up or ended yet.

    One that has left QUEUED had its message, or was ended by its user: sending another could run it twice, for the
    executor runs even a FAILED one again (C §2.9).
    """
    execution = agent_graph_execution.c
    return frozenset(
        connection.scalars(
            select(execution.id).where(among(connection, execution.id, ids), execution.execution_status == QUEUED)
        )
    )
