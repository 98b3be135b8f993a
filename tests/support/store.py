"""Agents that the store offers, and their executions with scores, for tests that watch these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_platform import tables
from graphschedule_platform.standalone_tables import store_listing
from sqlalchemy import update

from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection


def publish(connection: Connection, name: str = "Agent", **listing: object) -> builders.Graph:
    """Make a graph whose active version in the store is approved; `listing` says what else its listing is."""
    graph = builders.make_graph(connection, builders.make_user(connection))
    version_id = builders.make_store_version(connection, graph)
    version = tables.store_listing_version
    connection.execute(update(version).where(version.c.id == version_id).values(name=name))
    connection.execute(
        update(store_listing)
        .where(store_listing.c.agent_graph_id == graph.id)
        .values({"active_version_id": version_id, "has_approved_version": True} | listing)
    )
    return graph


def run_agent(
    connection: Connection,
    graph: builders.Graph,
    scores: Sequence[float | None],
    created_at: datetime,
    **values: object,
) -> None:
    """Let a graph run once for each score."""
    for score in scores:
        row = {"execution_status": "COMPLETED", "stats": {"correctness_score": score}, "created_at": created_at}
        builders.make_execution(connection, graph, **row | values)
