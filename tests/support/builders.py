"""Rows of a platform: users, blocks, graphs, library entries, for tests that need some.

Every function takes a connection, writes at once, and returns what tests refer to later. Ids are random unless given.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from graphschedule_platform import standalone_tables, tables
from sqlalchemy import insert, select

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

INPUT_BLOCK = "c0a8e994-ebf1-4a9c-a4d8-89d09c86741b"
OUTPUT_BLOCK = "363ae599-353e-4804-937e-b2ee3cef3da4"
NOTE_BLOCK = "cc10ff7b-7753-4ff2-9af6-9399b1a7eddc"
AGENT_BLOCK = "e189baac-8c20-45a1-94a7-55177ea42565"
STORE_VALUE_BLOCK = "1ff065e9-88e8-4358-9d82-8dc91f622ba9"

ANY_OBJECT: Mapping[str, Any] = {"type": "object", "properties": {}, "required": []}
INPUT_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "value": {"default": None}, "title": {"type": "string", "default": ""}},
    "required": ["name"],
}
STORE_VALUE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {"input": {}, "data": {"default": None}},
    "required": ["input"],
}
RESULT_SCHEMA: Mapping[str, Any] = {"type": "object", "properties": {"result": {}}, "required": ["result"]}


def new_id() -> str:
    """Return an id as the platform makes them."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Node:
    """A node to make; give it an id to refer to it in links and assertions."""

    block_id: str
    constant_input: Mapping[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=new_id)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    webhook_id: str | None = None


@dataclass(frozen=True)
class Link:
    """A link to make, from (node id, pin) to (node id, pin)."""

    source: str
    source_name: str
    sink: str
    sink_name: str
    is_static: bool = False


@dataclass(frozen=True)
class Graph:
    """A graph that was made."""

    id: str
    version: int
    user_id: str


def make_user(
    connection: Connection, *, user_id: str | None = None, timezone: str = "not-set", integrations: str = ""
) -> str:
    """Make a user; return the id."""
    user_id = user_id or new_id()
    connection.execute(
        insert(tables.user).values(
            id=user_id,
            email=f"{user_id}@example.com",
            timezone=timezone,
            integrations=integrations,
            updated_at=datetime.now(UTC),
        )
    )
    return user_id


def make_block(
    connection: Connection,
    block_id: str | None = None,
    *,
    name: str | None = None,
    input_schema: Mapping[str, Any] = ANY_OBJECT,
    output_schema: Mapping[str, Any] = RESULT_SCHEMA,
) -> str:
    """Make a block unless there is one of that id; return the id."""
    block_id = block_id or new_id()
    block = tables.agent_block
    if connection.scalar(select(block.c.id).where(block.c.id == block_id)) is None:
        connection.execute(
            insert(block).values(
                id=block_id,
                name=name or f"Block{block_id[:8]}",
                input_schema=json.dumps(input_schema),
                output_schema=json.dumps(output_schema),
            )
        )
    return block_id


def make_input_block(connection: Connection) -> str:
    """Make the block of AgentInput nodes; return its id."""
    return make_block(connection, INPUT_BLOCK, name="AgentInputBlock", input_schema=INPUT_SCHEMA)


def make_graph(
    connection: Connection,
    user_id: str,
    nodes: Sequence[Node] = (),
    links: Sequence[Link] = (),
    *,
    graph_id: str | None = None,
    version: int = 1,
    is_active: bool = True,
    name: str = "A graph",
) -> Graph:
    """Make a graph with its nodes and links; blocks that do not exist are made, with a schema that takes anything."""
    graph = Graph(graph_id or new_id(), version, user_id)
    connection.execute(
        insert(tables.agent_graph).values(
            id=graph.id, version=version, name=name, is_active=is_active, user_id=user_id, updated_at=datetime.now(UTC)
        )
    )
    for node in nodes:
        make_block(connection, node.block_id)
    if nodes:
        connection.execute(insert(tables.agent_node), [_node_row(graph, node) for node in nodes])
    if links:
        connection.execute(insert(tables.agent_node_link), [_link_row(link) for link in links])
    return graph


def make_simple_graph(connection: Connection, user_id: str, *, input_name: str = "text") -> Graph:
    """Make a valid graph with one graph input wired to one working node, in the user's library."""
    make_input_block(connection)
    entry = Node(INPUT_BLOCK, {"name": input_name, "value": None})
    worker = Node(make_block(connection, STORE_VALUE_BLOCK, name="StoreValueBlock", input_schema=STORE_VALUE_SCHEMA))
    graph = make_graph(connection, user_id, [entry, worker], [Link(entry.id, "result", worker.id, "input")])
    make_library_agent(connection, graph)
    return graph


def make_library_agent(
    connection: Connection,
    graph: Graph,
    *,
    user_id: str | None = None,
    settings: Mapping[str, Any] | None = None,
    is_archived: bool = False,
    is_deleted: bool = False,
) -> str:
    """Put a graph version into its owner's library, or another user's; return the library entry's id."""
    agent_id = new_id()
    connection.execute(
        insert(tables.library_agent).values(
            id=agent_id,
            user_id=user_id or graph.user_id,
            agent_graph_id=graph.id,
            agent_graph_version=graph.version,
            settings=settings or {},
            is_archived=is_archived,
            is_deleted=is_deleted,
        )
    )
    return agent_id


def make_store_version(
    connection: Connection, graph: Graph, *, status: str = "APPROVED", is_deleted: bool = False
) -> str:
    """Publish a graph version in the store as its owner; return the listing version's id."""
    listing_id, version_id = new_id(), new_id()
    profile = standalone_tables.profile
    if connection.scalar(select(profile.c.id).where(profile.c.user_id == graph.user_id)) is None:
        connection.execute(
            insert(profile).values(
                id=new_id(), user_id=graph.user_id, name="Author", username=graph.user_id, description="", links=[]
            )
        )
    connection.execute(
        insert(standalone_tables.store_listing).values(
            id=listing_id, agent_graph_id=graph.id, owning_user_id=graph.user_id, slug=listing_id
        )
    )
    connection.execute(
        insert(tables.store_listing_version).values(
            id=version_id,
            agent_graph_id=graph.id,
            agent_graph_version=graph.version,
            name="Published",
            sub_heading="",
            image_urls=[],
            description="",
            categories=[],
            store_listing_id=listing_id,
            submission_status=status,
            is_deleted=is_deleted,
        )
    )
    return version_id


def make_execution(connection: Connection, graph: Graph, **values: Any) -> str:  # noqa: ANN401 - of any column
    """Make an execution of a graph by its owner; return the id."""
    execution_id = new_id()
    columns = {"agent_graph_id": graph.id, "agent_graph_version": graph.version, "user_id": graph.user_id}
    connection.execute(insert(tables.agent_graph_execution).values({"id": execution_id} | columns | values))
    return execution_id


def make_notification_batch(connection: Connection, user_id: str, type_: str, times: Sequence[datetime]) -> None:
    """Make a user's batch of notifications of one type, with one made at each time."""
    batch, event = standalone_tables.user_notification_batch, standalone_tables.notification_event
    batch_id = new_id()
    connection.execute(insert(batch).values(id=batch_id, user_id=user_id, type=type_))
    for time in times:
        row = {"id": new_id(), "user_notification_batch_id": batch_id, "type": type_, "data": {}, "created_at": time}
        connection.execute(insert(event).values(row))


def _node_row(graph: Graph, node: Node) -> dict[str, Any]:
    return {
        "id": node.id,
        "agent_block_id": node.block_id,
        "agent_graph_id": graph.id,
        "agent_graph_version": graph.version,
        "webhook_id": node.webhook_id,
        "constant_input": node.constant_input,
        "metadata": node.metadata,
    }


def _link_row(link: Link) -> dict[str, Any]:
    return {
        "id": new_id(),
        "agent_node_source_id": link.source,
        "source_name": link.source_name,
        "agent_node_sink_id": link.sink,
        "sink_name": link.sink_name,
        "is_static": link.is_static,
    }
