"""Which executions are late: both sides of each boundary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform import late
from graphschedule_platform.late import late_executions

from tests.support import builders

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
THRESHOLD, RANGE, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)
TICK = timedelta(milliseconds=1)


@pytest.fixture
def graph(platform_db: Engine) -> builders.Graph:
    with platform_db.begin() as connection:
        return builders.make_graph(connection, builders.make_user(connection))


def made(connection: Connection, graph: builders.Graph, status: str, age: timedelta, **values: object) -> str:
    return builders.make_execution(connection, graph, execution_status=status, created_at=NOW - age, **values)


def found(connection: Connection) -> list[str]:
    return [row.id for row in late_executions(connection, NOW, threshold=THRESHOLD, check_range=RANGE)]


@pytest.mark.parametrize(
    ("status", "age", "late"),
    [
        ("QUEUED", THRESHOLD - TICK, False),
        ("QUEUED", THRESHOLD, True),
        ("QUEUED", RANGE, True),
        ("QUEUED", RANGE + TICK, False),
        ("RUNNING", DAY - TICK, False),
        ("RUNNING", DAY, True),
        ("RUNNING", DAY + RANGE, True),
        ("RUNNING", DAY + RANGE + TICK, False),
        ("RUNNING", THRESHOLD, False),
        ("QUEUED", DAY, False),
        *[(status, age, False) for status in ("INCOMPLETE", "COMPLETED", "REVIEW") for age in (THRESHOLD, DAY)],
    ],
)
def test_an_execution_is_late_by_its_status_and_age(
    platform_db: Engine, graph: builders.Graph, status: str, age: timedelta, late: bool
) -> None:
    with platform_db.begin() as connection:
        execution_id = made(connection, graph, status, age)
        assert found(connection) == ([execution_id] if late else [])


def test_deleted_executions_are_not_looked_at(platform_db: Engine, graph: builders.Graph) -> None:
    with platform_db.begin() as connection:
        made(connection, graph, "QUEUED", THRESHOLD, is_deleted=True)
        made(connection, graph, "RUNNING", DAY, is_deleted=True)
        assert found(connection) == []


def test_queued_ones_come_first_and_of_each_the_newest(
    platform_db: Engine, graph: builders.Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late, "LIMIT", 2)
    with platform_db.begin() as connection:
        queued = [made(connection, graph, "QUEUED", THRESHOLD + minutes * TICK) for minutes in range(3)]
        running = [made(connection, graph, "RUNNING", DAY + minutes * TICK) for minutes in range(3)]
        assert found(connection) == queued[:2] + running[:2]


def test_what_is_known_of_one(platform_db: Engine, graph: builders.Graph) -> None:
    with platform_db.begin() as connection:
        execution_id = made(connection, graph, "RUNNING", DAY, started_at=NOW - DAY)
        (execution,) = late_executions(connection, NOW, threshold=THRESHOLD, check_range=RANGE)
    assert execution == (execution_id, graph.id, graph.version, graph.user_id, "RUNNING", NOW - DAY, NOW - DAY)
