"""The CronJob controller's memory, `status.lastScheduleTime`: what it fired last, or what we had it forget. Pure.

A whole minute is a slot that the controller fired. With seconds, we wrote it, when the CronJob was resumed or moved
to other times, and nothing was fired (see `CronJobs`).
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from graphschedule import cron, slots
from graphschedule.errors import InvalidValueError

if TYPE_CHECKING:
    from datetime import datetime

    from graphschedule_operator.cache import Object

PATIENCE = timedelta(seconds=100)
"""How long a Job may be waited for that is due."""


def fired(cronjob: Object | None) -> datetime | None:
    """Return the slot that was fired last, if the memory is of one."""
    memory = _memory(cronjob)
    return memory if memory is not None and memory.second == 0 else None


def forgotten_until(cronjob: Object | None) -> datetime | None:
    """Return up to when slots were forgotten, if the memory is of that."""
    memory = _memory(cronjob)
    return memory if memory is not None and memory.second != 0 else None


def owes(cronjob: Object, now: datetime) -> bool:
    """Tell whether the controller has yet to make the Job of a slot that is due.

    It makes that Job as the CronJob is by then. One that is `PATIENCE` late is waited for no longer.
    """
    spec, made = cronjob["spec"], slots.parse_instant(cronjob["metadata"]["creationTimestamp"])
    if spec.get("suspend"):
        return False
    seen = max(made, _memory(cronjob) or made, now - PATIENCE)
    due = next_fire(spec["schedule"], spec.get("timeZone"), seen)
    return due is not None and due <= now


def next_fire(schedule: str, zone: str | None, after: datetime) -> datetime | None:
    """Return when a CronJob fires next after an instant; None if it does not, or is not written as we write them."""
    try:
        return parsed(schedule).next_after(after, cron.time_zone(zone))
    except InvalidValueError:
        return None


@lru_cache(maxsize=4096)
def parsed(text: str) -> cron.Cron:
    """Return the meaning of a cron expression; many CronJobs share one.

    Raises:
        InvalidValueError: it cannot be used.

    """
    return cron.parse(text)


def _memory(cronjob: Object | None) -> datetime | None:
    memory = ((cronjob or {}).get("status") or {}).get("lastScheduleTime")
    return None if memory is None else slots.parse_instant(memory)
