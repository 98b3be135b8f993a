"""Which agents' accuracy is looked at, and what it was: both sides of each boundary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform.accuracy import daily_scores
from sqlalchemy import JSON

from tests.support import builders
from tests.support.store import publish, run_agent

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NOW = datetime(2026, 5, 31, 12, 0, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(milliseconds=1)
YESTERDAY = NOW - DAY


def candidates(connection: Connection) -> list[str]:
    return [agent.graph_id for agent in daily_scores(connection, NOW)]


@pytest.mark.parametrize("runs", [9, 10])
def test_an_agent_needs_ten_executions(platform_db: Engine, runs: int) -> None:
    with platform_db.begin() as connection:
        graph = publish(connection)
        run_agent(connection, graph, [0.5] * runs, YESTERDAY)
        assert candidates(connection) == ([graph.id] if runs == 10 else [])


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        ({"created_at": NOW - 30 * DAY}, True),
        ({"created_at": NOW - 30 * DAY - TICK}, False),
        ({"execution_status": "FAILED"}, True),
        ({"execution_status": "TERMINATED"}, True),
        ({"execution_status": "RUNNING"}, False),
        ({"execution_status": "QUEUED"}, False),
        ({"execution_status": "INCOMPLETE"}, False),
        ({"execution_status": "REVIEW"}, False),
        ({"is_deleted": True}, False),
        ({"stats": None}, True),
    ],
)
def test_what_counts_as_an_execution(platform_db: Engine, values: dict[str, Any], counts: bool) -> None:
    with platform_db.begin() as connection:
        graph = publish(connection)
        run_agent(connection, graph, [0.5] * 9, YESTERDAY)
        run_agent(connection, graph, [0.5], **{"created_at": YESTERDAY} | values)
        assert candidates(connection) == ([graph.id] if counts else [])


def test_executions_of_all_users_and_versions_count(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        graph = publish(connection)
        builders.make_graph(connection, graph.user_id, graph_id=graph.id, version=2)
        run_agent(connection, graph, [0.5] * 5, YESTERDAY, user_id=builders.make_user(connection))
        run_agent(connection, graph, [0.7] * 5, YESTERDAY, agent_graph_version=2)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == pytest.approx((60.0,))


@pytest.mark.parametrize(
    "listing", [{"has_approved_version": False}, {"is_deleted": True}, {"active_version_id": None}]
)
def test_only_what_the_store_offers_is_looked_at(platform_db: Engine, listing: dict[str, Any]) -> None:
    with platform_db.begin() as connection:
        run_agent(connection, publish(connection, **listing), [0.5] * 10, YESTERDAY)
        assert candidates(connection) == []


def test_agents_have_their_stores_names_and_come_by_them(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        for name in ("B", "A"):
            run_agent(connection, publish(connection, name), [0.5] * 10, YESTERDAY)
        assert [agent.name for agent in daily_scores(connection, NOW)] == ["A", "B"]


def test_scores_are_the_means_of_days_that_had_executions(platform_db: Engine) -> None:
    midnight = NOW.replace(hour=0)
    with platform_db.begin() as connection:
        graph = publish(connection)
        run_agent(connection, graph, [0.2, 0.4], midnight - 5 * DAY - TICK)
        run_agent(connection, graph, [0.5] * 8, midnight - 5 * DAY)
        run_agent(connection, graph, [None, None], midnight - 3 * DAY)
        run_agent(connection, graph, [None, 0.9], midnight)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == pytest.approx((30.0, 50.0, None, 90.0))


@pytest.mark.parametrize("stats", [None, {}, {"correctness_score": None}, JSON.NULL])
def test_an_execution_without_a_score_has_none(platform_db: Engine, stats: Any) -> None:  # noqa: ANN401 - any JSON value
    with platform_db.begin() as connection:
        graph = publish(connection)
        run_agent(connection, graph, [None] * 10, YESTERDAY, stats=stats)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == (None,)


def test_scores_reach_back_three_weeks(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        graph = publish(connection)
        run_agent(connection, graph, [0.1] * 10, NOW - 21 * DAY - TICK)
        run_agent(connection, graph, [0.5], NOW - 21 * DAY)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == pytest.approx((50.0,))


def test_an_agent_that_ran_long_ago_only_has_no_scores(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        run_agent(connection, publish(connection), [0.1] * 10, NOW - 25 * DAY)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == ()
