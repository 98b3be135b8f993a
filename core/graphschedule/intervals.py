"""Intervals as cron (M24): any number of seconds, counted from the Unix epoch, so that nothing ever moves them.

The runs of an interval are at its multiples since 1970-01-01T00:00:00Z. Those that fit neither an hour nor a day
cannot be said in cron: the CronJob then fires at more ticks, and at those in between there is nothing to do.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError

if TYPE_CHECKING:
    from datetime import datetime

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def cron_of(every: int) -> str:
    """Return when a CronJob in UTC must fire for an interval in seconds: at as few ticks as cron can say.

    The chart computes the same (`graphschedule.cronOfInterval`).

    Raises:
        InvalidValueError: the interval is shorter than cron's minute.

    """
    if every < MINUTE:
        raise InvalidValueError("interval", every, f"write at least {MINUTE} seconds, for cron knows no shorter time")
    if every % HOUR == 0:
        step = gcd(every, DAY)
        return "0 0 * * *" if step == DAY else f"0 */{step // HOUR} * * *"
    step = gcd(every, HOUR) if every % MINUTE == 0 else MINUTE
    return f"*/{step // MINUTE} * * * *"


def is_due(tick: datetime, every: int) -> bool:
    """Return whether a tick, an aware datetime on a whole minute, is the first at or after a multiple of an interval.

    Intervals are in seconds; those of whole minutes have all their multiples on ticks.
    """
    return int(tick.timestamp()) % every < MINUTE
