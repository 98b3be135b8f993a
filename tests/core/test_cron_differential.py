"""Our next fire times against those of the CronJob controller's own parser, robfig/cron v3.0.1.

The oracle beside this file is built with Go and reads the same time zone data as Python here. It is given our
canonical form; where it takes the raw expression as well, that must mean the same.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from graphschedule.cron import parse
from graphschedule.errors import InvalidValueError

from dev import cache as store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEED = 20_260_504
TRIPLES = 24_000
TIMES_EACH = 4
FIRST_YEAR, LAST_YEAR = 1970, 2100

SOURCES = Path(__file__).parent / "oracle"
ZONE_DATA = Path(str(resources.files("tzdata"))) / "zoneinfo"
ZONES = sorted(resources.files("tzdata").joinpath("zones").read_text().split())
HARD_ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Beirut", "America/Sao_Paulo",
    "America/Havana", "America/Santiago", "Africa/Casablanca", "Pacific/Apia", "Asia/Gaza", "Asia/Tehran", "Asia/Amman",
    "America/Asuncion", "Antarctica/Troll", "Africa/Monrovia", "Asia/Kathmandu", "Pacific/Chatham", "America/Nuuk",
)  # fmt: skip
"""Zones with gaps at midnight, half-hour changes, Ramadan breaks, skipped days, changes of the standard offset."""


LEAPT_OVER_A_DAY = (
    "Pacific/Apia",
    "Pacific/Fakaofo",
    "Pacific/Kwajalein",
    "Kwajalein",
    "Pacific/Kanton",
    "Pacific/Enderbury",
    "Pacific/Kiritimati",
)
"""Until 2011. A walk of the controller across such a day never ends, so the oracle cannot be asked about it."""


@dataclass(frozen=True)
class Question:
    expression: str
    zone: str
    start: datetime
    count: int = TIMES_EACH


@dataclass(frozen=True)
class Answer:
    times: tuple[datetime, ...]
    error: str = ""


class Oracle:
    """The controller's parser, asked many questions at a time."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        lines = "\n".join(
            json.dumps({"expression": q.expression, "zone": q.zone, "from": q.start.isoformat(), "count": q.count})
            for q in questions
        )
        environment = os.environ | {"ZONEINFO": str(ZONE_DATA)}
        output = subprocess.run(
            [self._program], input=lines, env=environment, stdout=subprocess.PIPE, text=True, check=True
        ).stdout
        answers = [json.loads(line) for line in output.splitlines()]
        assert len(answers) == len(questions)
        return [Answer(tuple(map(datetime.fromisoformat, a["times"] or ())), a.get("error", "")) for a in answers]


@pytest.fixture(scope="module")
def oracle() -> Oracle:
    sources = sorted(SOURCES.iterdir())

    def build(folder: Path) -> None:
        subprocess.run(["go", "build", "-o", folder / "oracle", "."], cwd=SOURCES, check=True)

    version = subprocess.check_output(["go", "version"])
    folder = store.entry("oracle", store.key(version, *(source.read_bytes() for source in sources)), build)
    return Oracle(folder / "oracle")


@pytest.fixture(scope="module", autouse=True)
def _same_zone_data() -> Iterator[None]:
    """Let Python read the zone data that the oracle reads, whatever the machine has installed."""
    before = zoneinfo.TZPATH
    zoneinfo.reset_tzpath(to=())
    ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath(to=before)
    ZoneInfo.clear_cache()


@pytest.mark.parametrize("seed", [SEED])
def test_random_schedules_fire_when_the_controller_fires_them(oracle: Oracle, seed: int) -> None:
    invented = list(islice(Inventor(seed).questions(), TRIPLES))
    canonical = [Question(parse(q.expression).canonical, q.zone, q.start) for q in invented]
    raw_answers = oracle.ask(invented)

    for asked, theirs, raw in zip(invented, oracle.ask(canonical), raw_answers, strict=True):
        assert not theirs.error, asked
        assert our_times(asked) == theirs.times, asked
        assert raw.error or raw.times == theirs.times, asked

    taken = sum(not raw.error for raw in raw_answers)
    assert TRIPLES // 3 < taken < TRIPLES


def our_times(asked: Question) -> tuple[datetime, ...]:
    return tuple(islice(parse(asked.expression).upcoming(asked.start, ZoneInfo(asked.zone)), asked.count))


@dataclass(frozen=True)
class Shape:
    """What may be written in one field."""

    low: int
    high: int
    names: tuple[str, ...] = ()


MINUTE, HOUR, DAY = Shape(0, 59), Shape(0, 23), Shape(1, 31)
MONTH = Shape(1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"))
WEEKDAY = Shape(0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun"))


class Inventor:
    """Invents questions; most of them are close to a change of the clock, in time and in what they ask for."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def questions(self) -> Iterator[Question]:
        while True:
            zone = self._random.choice(HARD_ZONES if self._random.random() < 0.5 else ZONES)
            instant = self._instant(ZoneInfo(zone), 2012 if zone in LEAPT_OVER_A_DAY else FIRST_YEAR)
            expression = self._expression(instant.astimezone(ZoneInfo(zone)))
            if is_possible(expression):
                yield Question(expression, zone, instant)

    def _instant(self, zone: ZoneInfo, first_year: int) -> datetime:
        year = self._random.randint(first_year, self._random.choice((2037, LAST_YEAR)))
        instant = datetime(year, 1, 1, tzinfo=UTC) + timedelta(
            microseconds=self._random.randrange(365 * 86_400_000_000)
        )
        changes = clock_changes(zone, year)
        if changes and self._random.random() < 0.8:
            hours = self._random.choice((1, 3, 30, 24 * 20))
            instant = self._random.choice(changes) + timedelta(seconds=self._random.randint(-hours * 3600, 5400))
        return instant if self._random.random() < 0.3 else instant.replace(second=0, microsecond=0)

    def _expression(self, near: datetime) -> str:
        """Return an expression whose single values are often those of a wall clock time soon after `near`."""
        soon = near + timedelta(minutes=self._random.randint(0, 180))
        fields = (
            self._field(MINUTE, self._random.choice((0, 30, soon.minute))),
            self._field(HOUR, soon.hour),
            self._field(DAY, soon.day, star=0.5),
            self._field(MONTH, soon.month, star=0.5),
            self._field(WEEKDAY, soon.isoweekday(), star=0.4),
        )
        return self._random.choice((" ", " ", "  ", "\t")).join(fields)

    def _field(self, shape: Shape, likely: int, star: float = 0.2) -> str:
        if self._random.random() < star:
            return self._random.choice(("*", "*", "*", "?", "*/1", "*,*"))
        length = self._random.choice((1, 1, 1, 1, 2, 3))
        return ",".join(self._item(shape, likely) for _ in range(length))

    def _item(self, shape: Shape, likely: int) -> str:
        step = self._random.choice((1, 2, 2, 3, 5, 7, 10, 15, 20, 30, 45, 70))
        first = self._value(shape, likely)
        return self._random.choice(
            (
                first,
                first,
                first,
                f"*/{step}",
                f"{first}/{step}",
                f"{first}-{self._value(shape, likely)}",
                f"{self._value(shape, likely)}-{first}",
                f"{first}-{self._value(shape, likely)}/{step}",
            )
        )

    def _value(self, shape: Shape, likely: int) -> str:
        value = likely if self._random.random() < 0.4 else self._random.randint(shape.low, shape.high)
        if shape.names and self._random.random() < 0.4:
            name = shape.names[value - shape.low]
            return self._random.choice((name, name.upper(), name.title()))
        return f"{value:02}" if self._random.random() < 0.2 else str(value)


def is_possible(expression: str) -> bool:
    """Tell whether it ever fires: the one ground on which an invented expression may be refused."""
    try:
        parse(expression)
    except InvalidValueError as error:
        assert "would never fire" in str(error), expression
        return False
    return True


@cache
def clock_changes(zone: ZoneInfo, year: int) -> list[datetime]:
    """Return the seconds of a year at which the zone's offset changes, but for changes undone within days."""
    days = [datetime(year, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(0, 371, 10)]
    return [change(zone, *span) for span in pairwise(days) if offset(zone, span[0]) != offset(zone, span[1])]


def change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        before, after = (middle, after) if offset(zone, middle) == offset(zone, before) else (before, middle)
    return after


def offset(zone: ZoneInfo, instant: datetime) -> timedelta | None:
    return instant.astimezone(zone).utcoffset()
