"""The CronJob controller's memory, `status.lastScheduleTime`: what it fired last, or what we had it forget. Pure.

A whole minute is a slot that the controller fired. With seconds, we wrote it, when the CronJob was resumed or moved
to other times, and nothing was fired (see `CronJobs`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule import slots

if TYPE_CHECKING:
    from datetime import datetime

    from graphschedule_operator.cache import Object


def fired(cronjob: Object | None) -> datetime | None:
    """Return the slot that was fired last, if the memory is of one."""
    memory = _memory(cronjob)
    return memory if memory is not None and memory.second == 0 else None


def forgotten_until(cronjob: Object | None) -> datetime | None:
    """Return up to when slots were forgotten, if the memory is of that."""
    memory = _memory(cronjob)
    return memory if memory is not None and memory.second != 0 else None


def _memory(cronjob: Object | None) -> datetime | None:
    memory = ((cronjob or {}).get("status") or {}).get("lastScheduleTime")
    return None if memory is None else slots.parse_instant(memory)
