"""Which batches of notifications are due."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.notification_batches import DELAYS, Batch, due, waiting

from tests.support import builders

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
MOMENT = timedelta(milliseconds=1)


@pytest.mark.parametrize(("type_", "delay"), [("AGENT_RUN", timedelta(days=1)), ("LOW_BALANCE", timedelta(hours=1))])
def test_a_batch_is_due_once_its_delay_has_passed(type_: str, delay: timedelta) -> None:
    assert due([Batch(type_, NOW - delay - MOMENT)], NOW) == {type_: 1}
    assert due([Batch(type_, NOW - delay)], NOW) == {}


def test_all_types_but_one_wait_an_hour() -> None:
    assert {type_ for type_, delay in DELAYS.items() if delay == timedelta(hours=1)} == DELAYS.keys() - {"AGENT_RUN"}


def test_due_batches_are_counted_by_type() -> None:
    batches = [Batch("AGENT_RUN", NOW - timedelta(days=2)), Batch("ZERO_BALANCE", NOW - timedelta(days=2))]
    assert due([*batches, batches[0]], NOW) == {"AGENT_RUN": 2, "ZERO_BALANCE": 1}


def test_a_batch_waits_since_its_oldest_notification(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        user_id = builders.make_user(connection)
        times = [NOW - timedelta(hours=2), NOW - timedelta(hours=3), NOW]
        builders.make_notification_batch(connection, user_id, "AGENT_RUN", times)
        assert waiting(connection, ["AGENT_RUN"]) == [Batch("AGENT_RUN", NOW - timedelta(hours=3))]


def test_other_types_and_batches_without_notifications_do_not_wait(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        user_id = builders.make_user(connection)
        builders.make_notification_batch(connection, user_id, "WEEKLY_SUMMARY", [NOW])
        builders.make_notification_batch(connection, user_id, "AGENT_RUN", [])
        builders.make_notification_batch(connection, user_id, "LOW_BALANCE", [NOW])
        builders.make_notification_batch(connection, builders.make_user(connection), "LOW_BALANCE", [NOW])
        assert waiting(connection, ["AGENT_RUN", "LOW_BALANCE"]) == [Batch("LOW_BALANCE", NOW)] * 2
