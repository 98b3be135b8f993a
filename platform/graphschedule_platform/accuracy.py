"""How well the store's agents do: the correctness scores of their executions, day by day (C §4.3)."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Text, cast, func, select

from graphschedule_platform.standalone_tables import store_listing
from graphschedule_platform.tables import agent_graph_execution, store_listing_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import ColumnElement, Connection

MIN_EXECUTIONS = 10
"""An agent with fewer executions in `CANDIDATE_DAYS` is not looked at."""

CANDIDATE_DAYS = timedelta(days=30)
SCORE_DAYS = timedelta(days=21)

_OVER = ("COMPLETED", "FAILED", "TERMINATED")

_c = agent_graph_execution.c


class DailyScores(NamedTuple):
    """A graph that the store offers, and its mean score of each day that had executions."""

    graph_id: str
    name: str
    """Its name in the store."""
    scores: tuple[float | None, ...]
    """Percentages, oldest day first; None of a day on which no execution was scored."""


def daily_scores(connection: Connection, now: datetime) -> list[DailyScores]:
    """Return the agents that are offered and used enough, with the scores of their last 21 days; days are UTC's.

    Executions of all users and versions count, once they are over and unless they are deleted.
    """
    names = _candidates(connection, now - CANDIDATE_DAYS)
    scores = _scores(connection, names, now - SCORE_DAYS)
    return [DailyScores(graph_id, name, tuple(scores.get(graph_id, ()))) for graph_id, name in names.items()]


def _candidates(connection: Connection, since: datetime) -> dict[str, str]:
    """Return the names of candidates by graph id, in the order of names."""
    listing, version = store_listing.c, store_listing_version.c
    enough = select(_c.agent_graph_id).where(_counts_since(since)).group_by(_c.agent_graph_id)
    query = (
        select(version.agent_graph_id, version.name)
        .join_from(store_listing, store_listing_version, version.id == listing.active_version_id)
        .where(
            listing.has_approved_version,
            listing.is_deleted.is_(False),
            version.agent_graph_id.in_(enough.having(func.count() >= MIN_EXECUTIONS)),
        )
        .order_by(version.name, version.agent_graph_id)
    )
    return {row.agent_graph_id: row.name for row in connection.execute(query)}


def _scores(connection: Connection, graph_ids: Mapping[str, str], since: datetime) -> dict[str, list[float | None]]:
    day = cast(func.date(_c.created_at), Text)
    score = func.avg(_c.stats["correctness_score"].as_float() * 100).label("score")
    query = (
        select(_c.agent_graph_id, score)
        .where(_counts_since(since), _c.agent_graph_id.in_(sorted(graph_ids)))
        .group_by(_c.agent_graph_id, day)
        .order_by(_c.agent_graph_id, day)
    )
    scores: dict[str, list[float | None]] = {}
    for row in connection.execute(query):
        scores.setdefault(row.agent_graph_id, []).append(row.score)
    return scores


def _counts_since(since: datetime) -> ColumnElement[bool]:
    return (_c.created_at >= since) & _c.execution_status.in_(_OVER) & _c.is_deleted.is_(False)
