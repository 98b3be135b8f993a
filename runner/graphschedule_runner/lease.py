"""One run of a task at a time: a run holds a lease, its row in the database, and renews it for as long as it lives."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from graphschedule_platform import task_runs
from graphschedule_platform.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from graphschedule_platform.task_runs import Start
    from sqlalchemy import Engine

LASTS = timedelta(seconds=60)
"""Validity of a lease that is not renewed. Pods' clocks must agree much better than that."""

RENEW_AFTER = timedelta(seconds=15)

_log = logging.getLogger(__name__)


def take(engine: Engine, start: Start, clock: Callable[[], datetime], stopping: threading.Event) -> bool:
    """Begin a run, unless another one of the task is under way; return whether it has begun.

    A run that was killed holds its lease until it is over: this waits that long, to find out whether it is renewed.
    """
    with engine.begin() as connection:
        if task_runs.begin(connection, start, clock(), clock() + LASTS):
            return True
        other = task_runs.under_way(connection, start.task)
    if other is None:  # it ended at this moment
        return False
    _log.info("another run is under way", extra={"task": start.task, "job": other.job})
    while (left := (other.renewed_until - clock()).total_seconds()) >= 0:
        if stopping.wait(left + 0.001):
            return False
    with engine.begin() as connection:
        lost = task_runs.under_way(connection, start.task) == other
        return lost and task_runs.begin(connection, start, clock(), clock() + LASTS)


@contextmanager
def renewed(engine: Engine, id_: str, clock: Callable[[], datetime]) -> Iterator[Callable[[], bool]]:
    """Renew a run's lease meanwhile; give what tells whether it may have run out, and others may have begun."""
    over, lost = threading.Event(), threading.Event()
    renewing = threading.Thread(target=_renew, args=(engine, id_, clock, over, lost), daemon=True)
    renewing.start()
    try:
        yield lost.is_set
    finally:
        over.set()
        renewing.join()


def _renew(
    engine: Engine, id_: str, clock: Callable[[], datetime], over: threading.Event, lost: threading.Event
) -> None:
    valid_until = clock() + LASTS
    while not over.wait(RENEW_AFTER.total_seconds()):
        until = clock() + LASTS
        try:
            with engine.begin() as connection:
                if task_runs.renew(connection, id_, until):
                    valid_until = until
                else:
                    lost.set()
        except TransientError as error:
            _log.warning("the lease cannot be renewed: %s", error)
        if clock() + RENEW_AFTER >= valid_until:
            lost.set()
