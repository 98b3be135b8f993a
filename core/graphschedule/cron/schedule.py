"""A parsed cron expression: which minutes it matches, and how it is written for Kubernetes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphschedule.cron.fields import DAY, HOUR, MINUTE, MONTH, WEEKDAY
from graphschedule.cron.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date, datetime
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Cron:
    """The values each field matches, ascending; weekday 0 is Sunday.

    The two flags tell a star from a field that merely lists every value: see "star" in `graphschedule.cron`.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    day_is_star: bool
    weekday_is_star: bool

    @property
    def canonical(self) -> str:
        """The expression for a CronJob's `spec.schedule`: numbers only, and one text for one meaning."""
        return " ".join(
            (
                MINUTE.text(self.minutes),
                HOUR.text(self.hours),
                "*" if self.day_is_star else DAY.text(self.days, full="1-31"),
                MONTH.text(self.months),
                "*" if self.weekday_is_star else WEEKDAY.text(self.weekdays, full="0-6"),
            )
        )

    def fires_on(self, day: date) -> bool:
        """Tell whether a day matches day-of-month and weekday; the month is not looked at."""
        matches = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return all(matches) if self.day_is_star or self.weekday_is_star else any(matches)

    def fires_at(self, wall: datetime) -> bool:
        """Tell whether a minute matches, by the clock on the schedule's wall."""
        fields = (wall.minute, self.minutes), (wall.hour, self.hours), (wall.month, self.months)
        return all(value in values for value, values in fields) and self.fires_on(wall)

    def next_after(self, instant: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the first fire time strictly after an aware instant, in UTC.

        Seconds count: after 09:00:00 comes the next fire, after 08:59:59.9 comes 09:00:00. None when there is none
        within five years, as the controller has it.
        """
        return Walk(self, instant, zone).first()

    def upcoming(self, instant: datetime, zone: ZoneInfo) -> Iterator[datetime]:
        """Yield the fire times strictly after an aware instant, in UTC."""
        following = self.next_after(instant, zone)
        while following is not None:
            yield following
            following = self.next_after(following, zone)
