"""From fires to queued executions: exactly one execution per slot, whichever step is cut short (M9, M10).

A batch takes two transactions, and a fire that fails in one harms no other:

1. Read what the ledger knows; judge the fires that have no execution yet; claim their slots, and write the platform's
   rows and, into the ledger, the queue message. Commit: from here on the slot has its one execution.
2. Lock the slots that still wait; publish the messages of those whose execution is still QUEUED; mark them enqueued
   and count their runs. Commit.

Why nothing is lost or doubled, wherever a process dies:

* before the first commit nothing exists, and the next attempt starts afresh;
* between the commits the slot is on record as unfinished, with its message: the next attempt, or `repair`, begins at
  step 2 and judges nothing again;
* after a publish whose mark was not committed, the next attempt cannot know and sends the same message again, unless
  the execution has left QUEUED, which shows that the first one arrived. The executor takes an id once (C §2.9);
* of two processes with one slot, the ledger's primary key lets one claim it and its row lock lets one publish at a
  time; the other then finds it enqueued;
* the executor never sees a message of an uncommitted row, for publishing starts after the first commit.

Without a broker (SQLite) the QUEUED row is the queue, and both steps are one transaction.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from graphschedule.errors import InvalidValueError
from graphschedule.outcomes import Outcome
from sqlalchemy.exc import DataError, DBAPIError

from graphschedule_platform import database, ledger
from graphschedule_platform.admission import admit
from graphschedule_platform.errors import PlatformUnsupportedError, TransientError
from graphschedule_platform.fires import Fire, FireResult, Results
from graphschedule_platform.ledger import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection, Engine

    from graphschedule_platform.admission import Judge
    from graphschedule_platform.delivery import Delivery

BATCH = 1000
"""Fires per transaction."""

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """Return the present instant, aware."""
    return datetime.now(UTC)


class Enqueuer(NamedTuple):
    """Enqueues fires on one platform: where its database is, who judges, and how messages are delivered.

    `stopping` is asked before each batch: what is not begun by then is left to a later attempt.
    """

    engine: Engine
    judge: Judge
    delivery: Delivery
    clock: Callable[[], datetime] = utc_now
    stopping: Callable[[], bool] = lambda: False

    def enqueue_many(self, fires: Sequence[Fire]) -> list[FireResult]:
        """Enqueue fires; return what became of each, in their order. A slot given twice is enqueued once.

        Nothing that one fire or the world outside can do wrong is raised: it is that fire's outcome, and on record
        in the ledger as far as this can be reached.

        Raises:
            InvalidValueError: a setting cannot be used.
            PlatformUnsupportedError: the database is not one that we can work with.

        """
        distinct = list({fire.id: fire for fire in fires}.values())
        results: Results = {}
        for start in range(0, len(distinct), BATCH):
            results |= self._enqueue(distinct[start : start + BATCH])
        return [results[fire.id] for fire in fires]

    def _enqueue(self, fires: Sequence[Fire]) -> Results:
        if self.stopping():
            return _results(fires, Outcome.TRANSIENT, "stopped before its turn; a later attempt enqueues it")
        try:
            self.delivery.connect()
        except TransientError as error:
            return self._record(fires, Outcome.TRANSIENT, str(error))
        results = self._admit(fires)
        return results | self._deliver([fire for fire in fires if fire.id not in results])

    def _admit(self, fires: Sequence[Fire]) -> Results:
        """Take the first step; if the fires cannot take it together, each half tries, down to the culprit."""
        try:
            with self.engine.begin() as connection:
                results = admit(connection, fires, self.judge, self.clock())
                if self.delivery.publisher is None:
                    results |= self._finish(connection, [fire for fire in fires if fire.id not in results])
                return results
        except TransientError as error:
            return self._record(fires, Outcome.TRANSIENT, str(error))
        except (InvalidValueError, PlatformUnsupportedError):  # a setting or the database, whatever the fires
            raise
        except Exception as error:
            if len(fires) == 1:
                return self._blame(fires, error)
            middle = len(fires) // 2
            return self._admit(fires[:middle]) | self._admit(fires[middle:])

    def _deliver(self, fires: Sequence[Fire]) -> Results:
        """Take the second step."""
        if not fires:
            return {}
        try:
            with self.engine.begin() as connection:
                return self._finish(connection, fires)
        except TransientError as error:
            return self._record(fires, Outcome.TRANSIENT, str(error))

    def _finish(self, connection: Connection, fires: Sequence[Fire]) -> Results:
        waiting = ledger.lock_unfinished(connection, [fire.id for fire in fires])
        faults = self.delivery.deliver(connection, waiting, self.clock())
        delivered = {row.id for row in waiting} - faults.keys()
        return {fire.id: _finished(fire, faults.get(fire.id), fire.id in delivered) for fire in fires}

    def _blame(self, fires: Sequence[Fire], error: Exception) -> Results:
        """Put a fault that only this fire has on record: what cannot be stored is hopeless, the rest may pass."""
        if isinstance(error, DBAPIError):  # its own text may quote the row, and with it what was kept in a Secret
            fault = database.cause(error.orig)
            if isinstance(error, DataError):
                return self._record(fires, Outcome.GRAPH_ERROR, f"the database cannot store its inputs: {fault}")
            return self._record(fires, Outcome.TRANSIENT, f"{type(error).__name__}: {fault}")
        _log.error("unexpected fault", exc_info=error, extra={"executionId": fires[0].id})
        return self._record(fires, Outcome.TRANSIENT, f"{type(error).__name__}: {error}")

    def _record(self, fires: Sequence[Fire], outcome: Outcome, message: str) -> Results:
        """Put failures on record, if the ledger can be reached."""
        records = [Record(fire.entry(), outcome.state, outcome.reason, message) for fire in fires]
        try:
            with self.engine.begin() as connection:
                ledger.record_many(connection, records, self.clock())
        except TransientError as error:
            _log.warning("failure not recorded: %s", error)
        return _results(fires, outcome, message)


def _results(fires: Iterable[Fire], outcome: Outcome, message: str) -> Results:
    return {fire.id: FireResult(fire, outcome, message) for fire in fires}


def _finished(fire: Fire, fault: str | None, delivered: bool) -> FireResult:
    if fault:
        return FireResult(fire, Outcome.TRANSIENT, fault)
    return FireResult(fire, Outcome.ENQUEUED if delivered else Outcome.ALREADY_ENQUEUED)
