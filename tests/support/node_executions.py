"""Executions of nodes, and what they wrote to their outputs, for tests that count them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_platform import tables
from sqlalchemy import insert

from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection


def make_node(connection: Connection, block_id: str) -> tuple[str, str]:
    """Make a node of a block, in a graph that is run once; return the ids of the node and the run."""
    node = builders.Node(block_id)
    graph = builders.make_graph(connection, builders.make_user(connection), [node])
    return node.id, builders.make_execution(connection, graph)


def make_node_executions(
    connection: Connection, place: tuple[str, str], statuses: Sequence[str], added_time: datetime
) -> list[str]:
    """Make executions of a node in these statuses; return their ids."""
    node_id, execution_id = place
    rows = [
        {
            "id": builders.new_id(),
            "agent_graph_execution_id": execution_id,
            "agent_node_id": node_id,
            "execution_status": status,
            "added_time": added_time,
        }
        for status in statuses
    ]
    if rows:
        connection.execute(insert(tables.agent_node_execution), rows)
    return [str(row["id"]) for row in rows]


def make_output(connection: Connection, node_execution: str, data: object, time: datetime, name: str = "error") -> None:
    """Let a node's execution write a value to an output."""
    connection.execute(
        insert(tables.agent_node_execution_input_output).values(
            id=builders.new_id(), name=name, referenced_by_output_exec_id=node_execution, data=data, time=time
        )
    )
