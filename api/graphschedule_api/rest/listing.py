"""Which schedules a page lists, and in which order. Pure."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from enum import StrEnum
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError
from graphschedule.slots import format_instant

from graphschedule_api.rest import pages
from graphschedule_api.schedule import next_time

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from graphschedule_api.cache import Entry

_LAST = "~"
"""Comes after every time: where schedules are that do not fire."""


class Sort(StrEnum):
    """The orders of a list; those with a minus go the other way."""

    CREATED = "createdAt"
    NEWEST = "-createdAt"
    NAME = "name"
    NAME_DOWN = "-name"
    NEXT_RUN = "nextRun"
    NEXT_RUN_DOWN = "-nextRun"


def page(
    entries: Iterable[Entry], sort: Sort, limit: int, cursor: str | None, now: datetime
) -> tuple[list[Entry], str | None]:
    """Return the entries of a page, and the cursor of the next one.

    Raises:
        BadRequestError: the cursor is none of ours, or was made in another order.

    """
    after = pages.read(cursor, 3, begins=sort)
    placed = {_place(entry, sort, now): entry for entry in entries}
    down = sort.startswith("-")
    places = sorted(placed, reverse=down)
    if after is not None:
        place = (after[1], after[2])
        places = [each for each in places if (each < place if down else each > place)]
    shown = places[:limit]
    more = len(places) > limit
    return [placed[each] for each in shown], pages.written((sort, *shown[-1])) if more else None


def _place(entry: Entry, sort: Sort, now: datetime) -> tuple[str, str]:
    """Return by what an entry is ordered; the names of resources tell those apart that are alike."""
    match sort.removeprefix("-"):
        case Sort.CREATED:
            first = entry.created
        case Sort.NAME:
            first = entry.key.name
        case _:
            first = _next_run(entry, now)
    return first, f"{entry.key.namespace}/{entry.key.name}"


def _next_run(entry: Entry, now: datetime) -> str:
    if not entry.paused:
        with suppress(InvalidValueError):
            return format_instant(next_time(entry.times, now).astimezone(UTC))
    return _LAST
