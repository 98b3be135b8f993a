"""Intervals: at which ticks a CronJob fires for them, and at which of those there is something to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, takewhile

import pytest
from graphschedule import cron
from graphschedule.errors import InvalidValueError
from graphschedule.intervals import DAY, HOUR, MINUTE, cron_of, is_due
from hypothesis import given, settings
from hypothesis import strategies as st

MONTH = timedelta(days=31)
TEN_HOURS = 10 * HOUR
SEVEN_MINUTES = 7 * MINUTE

whole_minutes = st.integers(1, 3 * DAY // MINUTE).map(lambda minutes: minutes * MINUTE)
starts = st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - st adds it


def fires(every: int, start: datetime, span: timedelta) -> list[datetime]:
    """Return when the CronJob fires after `start`, and there is something to do."""
    upcoming = cron.parse(cron_of(every)).upcoming(start, cron.time_zone("Etc/UTC"))
    return [tick for tick in takewhile(lambda tick: tick <= start + span, upcoming) if is_due(tick, every)]


def multiples(every: int, start: datetime, span: timedelta) -> list[datetime]:
    first = int(start.timestamp()) // every + 1
    last = int((start + span).timestamp()) // every
    return [datetime.fromtimestamp(number * every, UTC) for number in range(first, last + 1)]


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (MINUTE, "*/1 * * * *"),
        (300, "*/5 * * * *"),
        (SEVEN_MINUTES, "*/1 * * * *"),
        (90 * MINUTE, "*/30 * * * *"),
        (HOUR, "0 */1 * * *"),
        (6 * HOUR, "0 */6 * * *"),
        (TEN_HOURS, "0 */2 * * *"),
        (DAY, "0 0 * * *"),
        (7 * DAY, "0 0 * * *"),
        (90, "*/1 * * * *"),
    ],
)
def test_the_ticks_are_as_few_as_cron_can_say(every: int, expected: str) -> None:
    assert cron_of(every) == expected


@pytest.mark.parametrize("every", [TEN_HOURS, SEVEN_MINUTES, DAY, 3 * DAY])
def test_over_a_month_an_interval_fires_at_its_multiples_since_the_epoch(every: int) -> None:
    start = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
    found = fires(every, start, MONTH)
    assert found == multiples(every, start, MONTH)
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(seconds=every)}


@settings(max_examples=25)
@given(every=whole_minutes, start=starts)
def test_any_interval_of_whole_minutes_fires_at_its_multiples(every: int, start: datetime) -> None:
    span = timedelta(days=1)
    assert fires(every, start, span) == multiples(every, start, span)


@settings(max_examples=25)
@given(every=whole_minutes, start=starts, pauses=st.lists(st.integers(0, DAY), max_size=2))
def test_a_restart_or_an_upgrade_moves_nothing(every: int, start: datetime, pauses: list[int]) -> None:
    """Whenever the CronJob is made anew, its next fires are those that it would have had."""
    undisturbed = fires(every, start, timedelta(days=2))
    for pause in pauses:
        again = start + timedelta(seconds=pause)
        assert fires(every, again, timedelta(days=1)) == [
            tick for tick in undisturbed if again < tick <= again + timedelta(days=1)
        ]


@settings(max_examples=25)
@given(every=st.integers(MINUTE, 2 * HOUR), start=starts)
def test_an_interval_of_odd_seconds_fires_within_a_minute_of_each_multiple(every: int, start: datetime) -> None:
    span = timedelta(hours=8)
    found = fires(every, start, span)
    for multiple in multiples(every, start, span - timedelta(seconds=MINUTE)):
        assert sum(0 <= (tick - multiple).total_seconds() < MINUTE for tick in found) == 1


@pytest.mark.parametrize("every", [0, 1, 59, -60])
def test_an_interval_shorter_than_a_minute_is_refused(every: int) -> None:
    with pytest.raises(InvalidValueError, match="at least 60 seconds"):
        cron_of(every)
