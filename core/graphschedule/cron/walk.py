"""The search for the next fire time, step for step as the CronJob controller makes it.

This follows `SpecSchedule.Next` of robfig/cron v3.0.1 and Go's `time.Date`, their habits around clock changes
included: where the clock leaps over midnight, for instance, a walk from an earlier day may pass the whole day by.
A next fire time is only worth showing if it is the one at which the controller fires, so a "better" answer would be
a wrong one. The differential test (tests/core/test_cron_differential.py) holds the two together.

One habit is not followed: where a zone leapt over a whole day to change sides of the date line, most lately in 2011,
the controller's walk stands before that day for ever. This one steps over it.
"""

from __future__ import annotations

from datetime import MAXYEAR, UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from graphschedule.cron.schedule import Cron

_HORIZON_YEARS = 5
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_NOON = 12
_STEADY = 6 * _DAY
"""No zone has ever changed its clock and changed it back within this span, nor is one about to (tzdata 2026f)."""


class Walk:
    """One search: a place in time that moves forward until every field matches.

    Each field's method moves the place until its field matches and returns True; it returns False when the place
    has run over into the field above, and the fields must be looked at from the top again.
    """

    def __init__(self, cron: Cron, instant: datetime, zone: ZoneInfo) -> None:
        self._cron = cron
        self._zone = zone
        self._moved = False
        self._go(instant.astimezone(UTC).replace(microsecond=0) + _SECOND)

    def first(self) -> datetime | None:
        """Return the first fire time in UTC, or None when there is none within the horizon."""
        last_year = min(self._wall.year + _HORIZON_YEARS, MAXYEAR - 1)
        while self._wall.year <= last_year:
            if self._month() and self._day() and self._hour() and self._minute() and self._second():
                return self._utc
        return None

    def _month(self) -> bool:
        while self._wall.month not in self._cron.months:
            self._start_at(self._wall.replace(day=1, hour=0, minute=0, second=0))
            self._go(self._instant(_a_month_later(self._wall)))
            if self._wall.month == 1:
                return False
        return True

    def _day(self) -> bool:
        while not self._cron.fires_on(self._wall):
            self._start_at(self._wall.replace(hour=0, minute=0, second=0))
            if self._wall.hour or not self._leap_days():
                self._go_to_next_midnight()
            if self._wall.day == 1:
                return False
        return True

    def _hour(self) -> bool:
        while self._wall.hour not in self._cron.hours:
            self._start_at(self._wall.replace(minute=0, second=0))
            hour = self._wall.hour
            if not self._leap((_following(self._cron.hours, hour, 24) - hour) * _HOUR):
                self._go(self._utc + _HOUR)
            if self._wall.hour == 0:
                return False
        return True

    def _minute(self) -> bool:
        while self._wall.minute not in self._cron.minutes:
            if not self._moved:
                self._moved = True
                self._go(self._utc.replace(second=0))
            minute = self._wall.minute
            if not self._leap((_following(self._cron.minutes, minute, 60) - minute) * _MINUTE):
                self._go(self._utc + _MINUTE)
            if self._wall.minute == 0:
                return False
        return True

    def _second(self) -> bool:
        while self._wall.second != 0:
            self._moved = True
            if not self._leap((60 - self._wall.second) * _SECOND):
                self._go(self._utc + _SECOND)
            if self._wall.second == 0:
                return False
        return True

    def _start_at(self, wall: datetime) -> None:
        """Before the first move, go to where the field began: the time that was asked from no longer counts."""
        if not self._moved:
            self._moved = True
            self._go(self._instant(wall))

    def _leap(self, span: timedelta) -> bool:
        """Move on by a span of up to `_STEADY` if the clock is the same at its end; tell whether it was.

        The controller goes through such a span unit by unit and comes out at the same place.
        """
        start, offset = self._utc, self._wall.utcoffset()
        self._go(start + span)
        if self._wall.utcoffset() == offset:
            return True
        self._go(start)
        return False

    def _leap_days(self) -> bool:
        """Leap to a midnight ahead if it is there and comes once only; tell whether it was so."""
        span = self._days_ahead()
        return self._instant(self._wall + span) == self._utc + span and self._leap(span)

    def _days_ahead(self) -> timedelta:
        """Return the span to the next day that matches, to the next month, or of `_STEADY`, whichever is least."""
        day = self._wall + _DAY
        while day.day != 1 and day - self._wall < _STEADY and not self._cron.fires_on(day):
            day += _DAY
        return day - self._wall

    def _go_to_next_midnight(self) -> None:
        before = self._utc
        self._go(self._instant(self._wall + _DAY))
        if self._utc <= before:  # the calendar has no such day, as Samoa had no 30 December 2011
            self._go(before + _DAY)
        if self._wall.hour > _NOON:  # midnight fell into a gap: the clock shows the evening before, or 1 o'clock
            self._go(self._utc + (24 - self._wall.hour) * _HOUR)
        else:
            self._go(self._utc - self._wall.hour * _HOUR)

    def _instant(self, wall: datetime) -> datetime:
        """Return the instant that Go's `time.Date` picks for a wall clock time, be it in a gap or a fold."""
        as_utc = wall.replace(tzinfo=UTC)
        offset = self._offset(as_utc)
        if offset:
            offset = self._offset(as_utc - offset)
        return as_utc - offset

    def _go(self, utc: datetime) -> None:
        self._utc = utc
        self._wall = utc.astimezone(self._zone)

    def _offset(self, utc: datetime) -> timedelta:
        return utc.astimezone(self._zone).utcoffset() or timedelta()


def _following(values: Sequence[int], value: int, end: int) -> int:
    """Return the first of the ascending values above `value`, or `end`."""
    return next((candidate for candidate in values if candidate > value), end)


def _a_month_later(wall: datetime) -> datetime:
    """Add a month as Go's `AddDate` does: a day that the month lacks runs over into the next."""
    years, month = divmod(wall.month, 12)
    return wall.replace(year=wall.year + years, month=month + 1, day=1) + (wall.day - 1) * _DAY
