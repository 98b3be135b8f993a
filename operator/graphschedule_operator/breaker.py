"""The circuit breaker: when a schedule that keeps failing is stopped, and when it is tried again (M40). Pure.

Closed, it lets every slot through. After `failures` failed or missed slots in a row it opens: the CronJob is suspended
for `coolOff` seconds. Then it is half open: the CronJob fires again, and the next slot decides: an enqueued one closes
the breaker, a failure opens it for another `coolOff`. A run by hand that is enqueued closes it at any time.

Its memory is the suspension in the schedule's status, so a restart forgets nothing: `until` ahead means open, `until`
past means half open.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from graphschedule import slots
from graphschedule.status import Suspension

from graphschedule_operator.history import MAX_MESSAGE, Outage, in_a_row

if TYPE_CHECKING:
    from datetime import datetime

    from graphschedule.spec import Breaker
    from graphschedule_platform.ledger import Summary


def decide(
    breaker: Breaker | None, history: Summary | Outage, known: Suspension | None, now: datetime
) -> Suspension | None:
    """Return the suspension that the breaker wants, given the one that it wanted before."""
    if breaker is None:
        return None
    if isinstance(history, Outage):
        return known
    if history.failure is None:
        return None
    if known is not None and (holds(known, now) or history.failure.time < _until(known)):
        return known
    if known is None and history.failures < breaker.failures:
        return None
    return Suspension(
        reason="BreakerOpen",
        message=in_a_row(history.failures, history.failure)[: MAX_MESSAGE // 2],
        since=slots.format_instant(now),
        until=slots.format_instant(now + timedelta(seconds=breaker.cool_off)),
    )


def holds(suspension: Suspension | None, now: datetime) -> bool:
    """Tell whether a suspension keeps the schedule from firing now."""
    return suspension is not None and (suspension.until is None or now < _until(suspension))


def seconds_left(suspension: Suspension | None, now: datetime) -> float | None:
    """Return in how many seconds a suspension ends by itself; None if it does not, or has."""
    if suspension is None or suspension.until is None or not holds(suspension, now):
        return None
    return (_until(suspension) - now).total_seconds()


def _until(suspension: Suspension) -> datetime:
    return slots.parse_instant(suspension.until or suspension.since)
