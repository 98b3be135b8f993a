"""Who gets a weekly summary, and the message that asks for it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.weekly_summary import active_users, message

from tests.support import builders

if TYPE_CHECKING:
    from sqlalchemy import Engine

MONDAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("created_at", "active"),
    [
        (MONDAY - WEEK - MOMENT, False),
        (MONDAY - WEEK, True),
        (MONDAY, True),
        (MONDAY + MOMENT, False),
    ],
)
def test_a_user_is_active_with_an_execution_of_the_last_week(
    platform_db: Engine, created_at: datetime, active: bool
) -> None:
    with platform_db.begin() as connection:
        user_id = builders.make_user(connection)
        builders.make_execution(connection, builders.make_graph(connection, user_id), created_at=created_at)
        assert active_users(connection, MONDAY) == [user_id] * active


def test_executions_of_any_status_count_deleted_ones_too_and_a_user_counts_once(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        users = sorted(builders.make_user(connection) for _ in range(3))
        for user_id, status in zip(users, ("INCOMPLETE", "FAILED", "REVIEW"), strict=True):
            graph = builders.make_graph(connection, user_id)
            values = {"created_at": MONDAY - MOMENT, "execution_status": status, "is_deleted": True}
            for _ in range(2):
                builders.make_execution(connection, graph, **values)
        builders.make_user(connection)
        assert active_users(connection, MONDAY) == users


def test_the_message_names_the_user_and_the_week() -> None:
    assert json.loads(message("u", MONDAY)) == {
        "user_id": "u",
        "type": "WEEKLY_SUMMARY",
        "created_at": "2026-05-04T09:00:00+00:00",
        "data": {"start_date": "2026-04-27T09:00:00+00:00", "end_date": "2026-05-04T09:00:00+00:00"},
    }
