"""What a cron expression means: in words, in times, and how many schedules are due then (M39). Pure."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from cron_descriptor import ExpressionDescriptor, Options
from graphschedule import cron
from graphschedule.errors import InvalidValueError

from graphschedule_api.rest.views import moment
from graphschedule_api.schedule import parsed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from graphschedule_api.cache import Entry

_OPTIONS = Options()
_OPTIONS.use_24hour_time_format = True


def preview(text: str, zone_name: str, count: int, entries: Iterable[Entry], now: datetime) -> dict[str, Any]:
    """Return what an expression means; `entries` are the schedules there are.

    Raises:
        InvalidValueError: the expression or the zone cannot be used.

    """
    expression, zone = cron.parse(text), cron.time_zone(zone_name)
    times = [each.astimezone(zone) for each in islice(expression.upcoming(now, zone), count)]
    due = herd(entries, times)
    return {
        "cron": text,
        "canonical": expression.canonical,
        "timeZone": zone_name,
        "description": described(expression),
        "items": [moment(each) | {"schedules": due[each]} for each in times],
    }


def described(expression: cron.Cron) -> str:
    """Return an expression in words; the numbers of its weekdays are Unix cron's, as the describer's are."""
    minute, hour, day, month, weekday = expression.canonical.split()
    if not (expression.day_is_star or expression.weekday_is_star):
        weekday = ",".join(map(str, expression.weekdays))  # of a range it would not be said that one of both is enough
    text: str = ExpressionDescriptor(" ".join((minute, hour, day, month, weekday)), _OPTIONS).get_description()
    return text


def herd(entries: Iterable[Entry], times: Sequence[datetime]) -> dict[datetime, int]:
    """Return how many of the schedules are due at each of some minutes, paused ones left out."""
    alike = Counter((entry.times.zone, entry.times.cron) for entry in entries if not entry.paused)
    due = dict.fromkeys(times, 0)
    walls: dict[str, list[tuple[datetime, datetime]]] = {}
    for (zone_name, text), count in alike.items():
        with suppress(InvalidValueError):  # of somebody's hands: it never fires
            expression, zone = parsed(text), cron.time_zone(zone_name)
            if zone_name not in walls:
                walls[zone_name] = [(time, time.astimezone(zone)) for time in times]
            for time, wall in walls[zone_name]:
                due[time] += count if expression.fires_at(wall) else 0
    return due
