"""When an uploaded file has expired."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from graphschedule_platform.uploads import Upload, has_expired

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
TWO_DAYS = timedelta(hours=48)
FILE = "uploads/users/u/3f/report.pdf"


@pytest.mark.parametrize(
    ("expires_at", "expired"),
    [
        ((NOW - MOMENT).isoformat(), True),
        (NOW.isoformat(), False),
        ((NOW + MOMENT).isoformat(), False),
        ("2026-05-04T10:59:59+02:00", True),
        ("2026-05-04T11:00:00+02:00", False),
        ("2026-05-04T08:59:59Z", True),
        ("2026-01-01T00:00:00", False),  # which instant is meant?
        ("soon", False),
        ("", False),
    ],
)
def test_a_file_expires_at_the_time_in_its_notes(expires_at: str, expired: bool) -> None:
    assert has_expired(Upload(FILE, NOW, {"expires_at": expires_at}), NOW) is expired


def test_a_file_with_other_notes_is_kept_however_old_it_is() -> None:
    ancient = datetime(2000, 1, 1, tzinfo=UTC)
    assert not has_expired(Upload(FILE, ancient, {"uploaded_at": ancient.isoformat()}), NOW)


@pytest.mark.parametrize(("age", "expired"), [(TWO_DAYS + MOMENT, True), (TWO_DAYS, False)])
def test_without_notes_a_file_expires_after_the_longest_life_there_is(age: timedelta, expired: bool) -> None:
    assert has_expired(Upload(FILE, NOW - age, None), NOW) is expired


@pytest.mark.parametrize(
    ("path", "expired"),
    [
        ("uploads/users/u/3f/a.txt", True),
        ("uploads/executions/e/3f/a.txt", True),
        ("uploads/system/3f/a.txt", True),
        ("uploads/users/u/a.txt", False),
        ("uploads/a.txt", False),
        ("uploads/users/u/3f/more/a.txt", False),
        ("uploads/other/u/3f/a.txt", False),
    ],
)
def test_without_notes_only_what_lies_where_the_platform_puts_uploads_expires(path: str, expired: bool) -> None:
    assert has_expired(Upload(path, NOW - timedelta(days=30), None), NOW) is expired
