"""When an alert is news, and what is remembered of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.alert_memory import Memory, after, forget, recall, remember

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
REMINDER, TICK = timedelta(hours=12), timedelta(milliseconds=1)


def told(facts: str, ago: timedelta = TICK) -> Memory:
    return Memory(frozenset(facts), NOW - ago)


@pytest.mark.parametrize(
    ("before", "facts", "known"),
    [
        (None, "a", "a"),
        (told("a"), "a", None),
        (told("a"), "ab", "ab"),
        (told("a"), "b", "ab"),
        (told("ab"), "a", None),
        (told("ab", REMINDER - TICK), "a", None),
        (told("ab", REMINDER), "a", "a"),
    ],
)
def test_an_alert_is_news_when_it_is_new_or_changed_or_told_long_ago(
    before: Memory | None, facts: str, known: str | None
) -> None:
    expected = None if known is None else Memory(frozenset(known), NOW)
    assert after(before, set(facts), NOW, REMINDER) == expected


def test_what_was_told_is_remembered_by_task_and_key(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        remember(connection, "late", "one", told("a"))
        remember(connection, "late", "one", told("ab"))
        remember(connection, "late", "two", told("a"))
        remember(connection, "blocks", "one", told("z"))
    with platform_db.begin() as connection:
        assert recall(connection, "late") == {"one": told("ab"), "two": told("a")}
        forget(connection, "late", ["one"])
        forget(connection, "late", [])
        assert recall(connection, "late") == {"two": told("a")}
        assert recall(connection, "blocks") == {"one": told("z")}
