"""Fire times around changes of the clock. The differential test proves many more; these say what is meant."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from graphschedule.cron import parse
from hypothesis import given
from hypothesis import strategies as st

CASES = {
    "a plain morning": ("0 9 * * 1-5", "Europe/Berlin", "2026-05-08T07:00:00Z", ["2026-05-11T07:00:00Z"]),
    "strictly after": ("0 9 * * *", "UTC", "2026-05-04T09:00:00Z", ["2026-05-05T09:00:00Z"]),
    "a moment before": ("0 9 * * *", "UTC", "2026-05-04T08:59:59.999Z", ["2026-05-04T09:00:00Z"]),
    "seconds after": ("* * * * *", "UTC", "2026-05-04T09:00:01Z", ["2026-05-04T09:01:00Z"]),
    "a gap skips the day": (
        "30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", ["2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"],
    ),
    "a fold fires twice": (
        "30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z",
        ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-26T01:30:00Z"],
    ),
    "every hour is every hour through a fold": (
        "0 * * * *", "America/New_York", "2026-11-01T04:30:00Z",
        ["2026-11-01T05:00:00Z", "2026-11-01T06:00:00Z", "2026-11-01T07:00:00Z"],
    ),
    "half an hour's gap": (
        "15 2 * * *", "Australia/Lord_Howe", "2026-10-03T00:00:00Z", ["2026-10-04T15:15:00Z"],
    ),
    "half an hour's fold": (
        "45 1 * * *", "Australia/Lord_Howe", "2026-04-04T00:00:00Z", ["2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"],
    ),
    "a gap at midnight": (
        "0 0 * * *", "America/Sao_Paulo", "2018-11-03T12:00:00Z", ["2018-11-05T02:00:00Z"],
    ),
    "a fold at midnight, reached by days": (
        "0 0 26 10 *", "Asia/Amman", "2018-10-20T00:00:00Z", ["2018-10-25T22:00:00Z", "2019-10-25T22:00:00Z"],
    ),
    "a fold at midnight, reached by hours": (
        "0 0 * * *", "Asia/Amman", "2018-10-25T12:00:00Z", ["2018-10-25T21:00:00Z", "2018-10-25T22:00:00Z"],
    ),
    "a day that never was": (
        "0 9 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", ["2012-12-29T19:00:00Z"],
    ),
    "a leap day": ("0 0 29 2 *", "UTC", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
    "day of month or weekday": (
        "0 9 13 * 5", "UTC", "2026-03-10T00:00:00Z", ["2026-03-13T09:00:00Z", "2026-03-20T09:00:00Z"],
    ),
    "nothing within five years": ("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", []),
    "the end of the calendar": ("0 9 * * *", "Pacific/Kiritimati", "9999-12-30T00:00:00Z", []),
}  # fmt: skip


@pytest.mark.parametrize(("expression", "zone", "after", "times"), CASES.values(), ids=CASES.keys())
def test_fire_times(expression: str, zone: str, after: str, times: list[str]) -> None:
    upcoming = parse(expression).upcoming(datetime.fromisoformat(after), ZoneInfo(zone))
    assert list(islice(upcoming, len(times) or 1)) == [datetime.fromisoformat(time) for time in times]


ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo"])
EXPRESSIONS = st.sampled_from(
    ["* * * * *", "*/7 3 * * *", "30 2 * * 0", "0 0 1 */2 5", "15,45 22-2 * * *", "0 12 29 2 *"]
)
INSTANTS = st.datetimes(datetime(1970, 1, 2), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 (hypothesis adds the zone)


@given(EXPRESSIONS, ZONES, INSTANTS)
def test_a_fire_time_lies_after_the_instant_and_matches_every_field(text: str, zone: str, instant: datetime) -> None:
    cron = parse(text)
    following = cron.next_after(instant, ZoneInfo(zone))
    if following is None:
        assert text == "0 12 29 2 *"
        return
    wall = following.astimezone(ZoneInfo(zone))
    assert following > instant
    assert following.tzinfo is UTC
    assert (wall.second, wall.microsecond) == (0, 0)
    assert wall.minute in cron.minutes
    assert wall.hour in cron.hours
    assert wall.month in cron.months
    assert cron.fires_on(wall)


@given(EXPRESSIONS, ZONES, INSTANTS, st.timedeltas(timedelta(), timedelta(days=40)))
def test_a_later_instant_never_has_an_earlier_fire_time(
    text: str, zone: str, instant: datetime, later: timedelta
) -> None:
    cron = parse(text)
    first = cron.next_after(instant, ZoneInfo(zone))
    second = cron.next_after(instant + later, ZoneInfo(zone))
    assert first is None or second is None or first <= second


@pytest.mark.parametrize(
    ("expression", "wall", "fires"),
    [
        ("0 9 * * 1", "2026-05-04T09:00", True),
        ("0 9 * * 1", "2026-05-04T09:01", False),
        ("0 9 * * 1", "2026-05-05T09:00", False),
        ("0 9 1 * 1", "2026-05-01T09:00", True),
        ("0 9 * 6 *", "2026-05-04T09:00", False),
        ("*/7 22-2 * * *", "2026-05-04T01:56", True),
    ],
)
def test_a_minute_on_the_wall_matches_or_not(expression: str, wall: str, fires: bool) -> None:
    assert parse(expression).fires_at(datetime.fromisoformat(wall)) is fires
