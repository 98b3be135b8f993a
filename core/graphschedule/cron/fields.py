"""The five fields of a cron expression: their ranges and names, and how a set of values is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_SHORTEST_RANGE = 3
"""Fewer values than this read better as a list."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `low` to `high` are the values that the CronJob controller takes.

    `names` are those of the values from `low` on. `closing` is one more value that Unix cron allows: weekday 7,
    another name for `low`.
    """

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    closing: int | None = None

    @property
    def size(self) -> int:
        """How many values there are."""
        return self.high - self.low + 1

    def text(self, values: Sequence[int], full: str = "*") -> str:
        """Return ascending values in the shortest usual form; `full` stands for all of them."""
        if len(values) == self.size:
            return full
        if len(values) >= _SHORTEST_RANGE:
            step = values[1] - values[0]
            if step > 1 and tuple(values) == tuple(range(self.low, self.high + 1, step)):
                return f"*/{step}"
        return ",".join(_ranges(values))


MINUTE = Field("minute", 0, 59)
HOUR = Field("hour", 0, 23)
DAY = Field("day-of-month", 1, 31)
MONTH = Field("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))
WEEKDAY = Field("weekday", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat"), closing=7)

FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)


def _ranges(values: Sequence[int]) -> Iterator[str]:
    start = 0
    for end in range(1, len(values) + 1):
        if end < len(values) and values[end] == values[end - 1] + 1:
            continue
        run = values[start:end]
        if len(run) >= _SHORTEST_RANGE:
            yield f"{run[0]}-{run[-1]}"
        else:
            yield from map(str, run)
        start = end
