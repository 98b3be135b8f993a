"""Which agents' accuracy is looked at, and what it was: both sides of each boundary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform import tables
from graphschedule_platform.accuracy import daily_scores
from graphschedule_platform.standalone_tables import store_listing
from sqlalchemy import JSON, update

from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine

NOW = datetime(2026, 5, 31, 12, 0, tzinfo=UTC)
DAY, TICK = timedelta(days=1), timedelta(milliseconds=1)


def published(connection: Connection, name: str = "Agent", **listing: object) -> builders.Graph:
    """Make a graph whose active version in the store is approved."""
    graph = builders.make_graph(connection, builders.make_user(connection))
    version_id = builders.make_store_version(connection, graph)
    connection.execute(
        update(tables.store_listing_version).where(tables.store_listing_version.c.id == version_id).values(name=name)
    )
    connection.execute(
        update(store_listing)
        .where(store_listing.c.agent_graph_id == graph.id)
        .values({"active_version_id": version_id, "has_approved_version": True} | listing)
    )
    return graph


def ran(
    connection: Connection,
    graph: builders.Graph,
    scores: Sequence[float | None],
    created_at: datetime = NOW - DAY,
    **values: object,
) -> None:
    """Let a graph run once for each score."""
    for score in scores:
        row = {"execution_status": "COMPLETED", "stats": {"correctness_score": score}, "created_at": created_at}
        builders.make_execution(connection, graph, **row | values)


def candidates(connection: Connection) -> list[str]:
    return [agent.graph_id for agent in daily_scores(connection, NOW)]


@pytest.mark.parametrize("runs", [9, 10])
def test_an_agent_needs_ten_executions(platform_db: Engine, runs: int) -> None:
    with platform_db.begin() as connection:
        graph = published(connection)
        ran(connection, graph, [0.5] * runs)
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
        graph = published(connection)
        ran(connection, graph, [0.5] * 9)
        ran(connection, graph, [0.5], **values)
        assert candidates(connection) == ([graph.id] if counts else [])


def test_executions_of_all_users_and_versions_count(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        graph = published(connection)
        builders.make_graph(connection, graph.user_id, graph_id=graph.id, version=2)
        ran(connection, graph, [0.5] * 5, user_id=builders.make_user(connection))
        ran(connection, graph, [0.7] * 5, agent_graph_version=2)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == pytest.approx((60.0,))


@pytest.mark.parametrize(
    "listing", [{"has_approved_version": False}, {"is_deleted": True}, {"active_version_id": None}]
)
def test_only_what_the_store_offers_is_looked_at(platform_db: Engine, listing: dict[str, Any]) -> None:
    with platform_db.begin() as connection:
        ran(connection, published(connection, **listing), [0.5] * 10)
        assert candidates(connection) == []


def test_agents_have_their_stores_names_and_come_by_them(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        for name in ("B", "A"):
            ran(connection, published(connection, name), [0.5] * 10)
        assert [agent.name for agent in daily_scores(connection, NOW)] == ["A", "B"]


def test_scores_are_the_means_of_days_that_had_executions(platform_db: Engine) -> None:
    midnight = NOW.replace(hour=0)
    with platform_db.begin() as connection:
        graph = published(connection)
        ran(connection, graph, [0.2, 0.4], midnight - 5 * DAY - TICK)
        ran(connection, graph, [0.5] * 8, midnight - 5 * DAY)
        ran(connection, graph, [None, None], midnight - 3 * DAY)
        ran(connection, graph, [None, 0.9], midnight)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == pytest.approx((30.0, 50.0, None, 90.0))


@pytest.mark.parametrize("stats", [None, {}, {"correctness_score": None}, JSON.NULL])
def test_an_execution_without_a_score_has_none(platform_db: Engine, stats: Any) -> None:  # noqa: ANN401 - any JSON value
    with platform_db.begin() as connection:
        graph = published(connection)
        ran(connection, graph, [None] * 10, stats=stats)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == (None,)


def test_scores_reach_back_three_weeks(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        graph = published(connection)
        ran(connection, graph, [0.1] * 10, NOW - 21 * DAY - TICK)
        ran(connection, graph, [0.5], NOW - 21 * DAY)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == pytest.approx((50.0,))


def test_an_agent_that_ran_long_ago_only_has_no_scores(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        ran(connection, published(connection), [0.1] * 10, NOW - 25 * DAY)
        (agent,) = daily_scores(connection, NOW)
    assert agent.scores == ()
