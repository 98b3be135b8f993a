"""The circuit breaker: when a schedule that keeps failing is stopped, and when it is tried again (M40). Pure.

Closed, it lets every slot through. After `failures` failed or missed slots in a row it opens: the CronJob is suspended
for `coolOff` seconds. Then it is half open: the CronJob fires again, and the next slot decides: an enqueued one closes
the breaker, a failure opens it for another `coolOff`. A run by hand that is enqueued closes it at any time.

Its memory is the suspension in the schedule's status, so a restart forgets nothing: `until` ahead means open, `until`
past means half open.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Literal

from graphschedule import slots
from graphschedule.errors import InvalidValueError
from graphschedule.status import Suspension

from graphschedule_operator.history import MAX_MESSAGE, Outage, in_a_row

if TYPE_CHECKING:
    from datetime import datetime

    from graphschedule.spec import Breaker
    from graphschedule_platform.ledger import Summary

    from graphschedule_operator.cache import Object
    from graphschedule_operator.desired import Accepted

POLICY: Literal["BreakerOpen"] = "BreakerOpen"


def suspension(
    schedule: Object, verdict: Accepted | InvalidValueError, past: Summary | Outage, now: datetime
) -> Suspension | None:
    """Return the suspension that a schedule's breaker wants; while the spec cannot be used it stays as it was."""
    told = (schedule.get("status") or {}).get("suspension")
    known = Suspension.model_validate(told) if told and told["reason"] == POLICY else None
    return known if isinstance(verdict, InvalidValueError) else decide(verdict.spec.breaker, past, known, now)


def decide(
    breaker: Breaker | None, past: Summary | Outage, known: Suspension | None, now: datetime
) -> Suspension | None:
    """Return the suspension that the breaker wants, given the one that it wanted before."""
    if breaker is None:
        return None
    if isinstance(past, Outage):
        return known
    if past.failure is None:
        return None
    if known is not None and (holds(known, now) or past.failure.time < _until(known)):
        return known
    if known is None and past.failures < breaker.failures:
        return None
    return Suspension(
        reason=POLICY,
        message=in_a_row(past.failures, past.failure)[: MAX_MESSAGE // 2],
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
