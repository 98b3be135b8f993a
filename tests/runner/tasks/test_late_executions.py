"""The task that alerts on late executions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform import tables
from graphschedule_platform.errors import DependencyError
from graphschedule_platform.late import LateExecution
from graphschedule_runner.tasks.report_late_executions import CROWD, facts, message, run
from sqlalchemy import update

from tests.runner.tasks.contexts import NOW, Environment, context, notification_service
from tests.support import builders
from tests.support.json_peer import Answer, JsonPeer, json_peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def late(
    name: str, *, user: str = "u", age: timedelta = 7 * MINUTE, started_at: datetime | None = None
) -> LateExecution:
    return LateExecution(name, "g", 1, user, "RUNNING" if started_at else "QUEUED", NOW - age, started_at)


def names(lines: list[str]) -> list[str]:
    """Return the executions in a message's lines."""
    return [line.split("execution ")[1].split()[0] for line in lines]


def test_none_is_said_in_the_platforms_words() -> None:
    assert message([], NOW, with_ids=True) == "No late executions detected."


def test_a_message_has_the_totals_and_each_execution() -> None:
    found = [late("e1"), late("e2", user="v", age=26 * 60 * MINUTE, started_at=NOW - DAY)]
    assert message(found, NOW, with_ids=True).splitlines() == [
        "Late executions detected: 2 of 2 users, 1 QUEUED and 1 RUNNING.",
        "- QUEUED for 7 min, not started: execution e1 of graph g version 1, user u",
        "- RUNNING for 26 h, started 2026-05-03 09:00 UTC: execution e2 of graph g version 1, user v",
    ]


@pytest.mark.parametrize(("count", "more"), [(5, []), (6, ["and 1 more"]), (20, ["and 15 more"])])
def test_only_the_first_five_are_shown(count: int, more: list[str]) -> None:
    lines = message([late(f"e{number}") for number in range(count)], NOW, with_ids=True).splitlines()
    assert lines[0].startswith(f"Late executions detected: {count} of 1 users")
    assert names(lines[1:6]) == [f"e{number}" for number in range(5)]
    assert lines[6:] == more


def test_those_not_started_come_first_then_those_that_started_first() -> None:
    found = [late("c", started_at=NOW - MINUTE), late("b", started_at=NOW - DAY), late("a")]
    lines = message(found, NOW, with_ids=True).splitlines()[1:]
    assert names(lines) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        (1, 2, True),
        (5, 4, False),
        (CROWD - 1, CROWD, True),
        (CROWD, CROWD + 1, True),
        (CROWD + 1, 2 * CROWD - 1, False),
        (2 * CROWD - 1, 2 * CROWD, True),
        (2 * CROWD, 4 * CROWD - 1, False),
        (4 * CROWD - 1, 4 * CROWD, True),
        (8 * CROWD, 2 * CROWD, False),
    ],
)
def test_each_of_a_few_is_news_but_of_a_crowd_only_a_doubling(before: int, after: int, news: bool) -> None:
    known, seen = (facts([late(f"e{number}") for number in range(count)]) for count in (before, after))
    assert bool(seen - known) is news


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as running:
        yield running


@pytest.fixture
def graph(platform_db: Engine) -> builders.Graph:
    with platform_db.begin() as connection:
        return builders.make_graph(connection, builders.make_user(connection))


def queue(engine: Engine, graph: builders.Graph, age: timedelta) -> str:
    with engine.begin() as connection:
        return builders.make_execution(connection, graph, execution_status="QUEUED", created_at=NOW - age)


def test_a_healthy_platform_is_not_alerted_on(platform_db: Engine, graph: builders.Graph, peer: JsonPeer) -> None:
    queue(platform_db, graph, 4 * MINUTE)
    result = run(context(platform_db, notification_service(peer)))
    assert result.text == "No late executions detected."
    assert result.counts == {"queued": 0, "running": 0, "users": 0}
    assert peer.calls == []


def test_the_result_names_what_is_late_and_the_alert_names_nobody(
    platform_db: Engine, graph: builders.Graph, peer: JsonPeer
) -> None:
    execution_id = queue(platform_db, graph, 5 * MINUTE)
    result = run(context(platform_db, notification_service(peer)))
    assert result.text is not None
    assert result.text.endswith(f"execution {execution_id} of graph {graph.id} version 1, user {graph.user_id}")
    assert result.counts == {"queued": 1, "running": 0, "users": 1}
    ((_, told),) = peer.asked
    assert told == {
        "channel": "platform",
        "content": "Late executions detected: 1 of 1 users, 1 QUEUED and 0 RUNNING.\n- QUEUED for 5 min, not started",
    }


def test_one_late_execution_is_told_once_until_the_reminder_and_anew_after_recovery(
    platform_db: Engine, graph: builders.Graph, peer: JsonPeer
) -> None:
    environment = notification_service(peer) | {"ALERT_REMINDER_SECS": 1800}
    execution_id = queue(platform_db, graph, 5 * MINUTE)
    told = []
    for minutes in range(0, 50, 5):
        run(context(platform_db, environment, now=NOW + minutes * MINUTE))
        told.append(len(peer.calls))
    assert told == [1] * 6 + [2] * 4
    with platform_db.begin() as connection:
        connection.execute(update(tables.agent_graph_execution).values(execution_status="COMPLETED"))
    run(context(platform_db, environment, now=NOW + 50 * MINUTE))
    with platform_db.begin() as connection:
        connection.execute(
            update(tables.agent_graph_execution)
            .where(tables.agent_graph_execution.c.id == execution_id)
            .values(execution_status="QUEUED", created_at=NOW + 45 * MINUTE)
        )
    run(context(platform_db, environment, now=NOW + 55 * MINUTE))
    assert len(peer.calls) == 3


def test_threshold_and_range_are_settings(platform_db: Engine, graph: builders.Graph, peer: JsonPeer) -> None:
    queue(platform_db, graph, 10 * MINUTE)
    settings: list[tuple[Environment, int]] = [
        ({"EXECUTION_LATE_NOTIFICATION_THRESHOLD_SECS": 601}, 0),
        ({"EXECUTION_LATE_NOTIFICATION_THRESHOLD_SECS": 600}, 1),
        ({"EXECUTION_LATE_NOTIFICATION_CHECKRANGE_SECS": 599}, 0),
        ({"EXECUTION_LATE_NOTIFICATION_CHECKRANGE_SECS": 600}, 1),
    ]
    for environment, queued in settings:
        result = run(context(platform_db, notification_service(peer) | environment))
        assert result.counts["queued"] == queued


def test_a_service_that_is_down_fails_the_run_by_name_and_the_next_run_tells(
    platform_db: Engine, graph: builders.Graph, peer: JsonPeer
) -> None:
    queue(platform_db, graph, 5 * MINUTE)
    peer.answer = lambda _: Answer({"detail": "starting"}, 503)
    with pytest.raises(DependencyError, match="discord_system_alert of the notification service"):
        run(context(platform_db, notification_service(peer)))
    peer.answer = lambda _: Answer()
    run(context(platform_db, notification_service(peer), now=NOW + 5 * MINUTE))
    assert len(peer.calls) == 2
