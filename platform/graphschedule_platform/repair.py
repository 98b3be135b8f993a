"""Finishing what runs left behind: slots whose execution is written but whose message is not known to be queued."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphschedule_platform import ledger

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, timedelta

    from sqlalchemy import Engine

    from graphschedule_platform.delivery import Delivery

BATCH = 1000
"""Slots per transaction."""


@dataclass(slots=True)
class Repaired:
    """What one repair came to: execution ids it finished, and why not for those it could not."""

    finished: list[str] = field(default_factory=list)
    faults: dict[str, str] = field(default_factory=dict)


def repair(engine: Engine, delivery: Delivery, older_than: timedelta, clock: Callable[[], datetime]) -> Repaired:
    """Publish and mark every unfinished slot whose last attempt is older than that.

    Slots that somebody is finishing at this moment are left to them. One that fails is tried again next time.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
        BrokerUnavailableError: the broker cannot be reached.

    """
    delivery.connect()
    repaired = Repaired()
    horizon = clock() - older_than
    while True:
        with engine.begin() as connection:
            waiting = ledger.unfinished(connection, horizon, BATCH)
            faults = delivery.deliver(connection, waiting, clock())
        repaired.faults |= faults
        repaired.finished += [row.id for row in waiting if row.id not in faults]
        if len(waiting) < BATCH:
            return repaired
