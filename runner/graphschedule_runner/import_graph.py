"""`graph import`: a graph from a file, with its user, blocks and library entry, for databases without a platform."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from graphschedule.errors import InvalidValueError
from graphschedule_platform import migrations, tables
from graphschedule_platform.dialects import insert
from graphschedule_platform.errors import MigrationRefusedError

from graphschedule_runner import assembly
from graphschedule_runner.console import read, say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Table

    from graphschedule_runner.settings import Settings


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Load the file; what the database has already stays as it is. Return 0."""
    document = _document(options.filename)
    try:
        rows = list(_rows(document, datetime.now(UTC)))
    except (KeyError, TypeError) as error:
        raise InvalidValueError("file", str(options.filename), f"a graph file needs {error}") from error
    engine = assembly.engine(settings)
    try:
        with engine.begin() as connection:
            _write(connection, rows)
    finally:
        engine.dispose()
    graph = document["graph"]
    say(f"graph {graph['id']} version {graph['version']} is in the library of user {document['user']['id']}")
    return 0


def _document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(read("file", path))
    except json.JSONDecodeError as error:
        raise InvalidValueError("file", str(path), f"it must be JSON ({error})") from error
    if not isinstance(document, dict):
        raise InvalidValueError("file", str(path), "it must hold an object with user, blocks and graph")
    return document


def _rows(document: dict[str, Any], now: datetime) -> Iterator[tuple[Table, dict[str, Any]]]:
    """Yield the rows of a document, parents first."""
    user, graph = document["user"], document["graph"]
    yield tables.user, {"id": user["id"], "email": user["email"], "name": user.get("name"), "updated_at": now}
    for block in document["blocks"]:
        schemas = {"input_schema": json.dumps(block["inputSchema"]), "output_schema": json.dumps(block["outputSchema"])}
        yield tables.agent_block, {"id": block["id"], "name": block["name"]} | schemas
    version = {"agent_graph_id": graph["id"], "agent_graph_version": graph["version"]}
    yield (
        tables.agent_graph,
        {"id": graph["id"], "version": graph["version"], "user_id": user["id"], "updated_at": now}
        | {name: graph.get(name) for name in ("name", "description")},
    )
    for node in graph["nodes"]:
        constants = {"constant_input": node.get("constantInput", {}), "metadata": node.get("metadata", {})}
        yield tables.agent_node, {"id": node["id"], "agent_block_id": node["blockId"]} | version | constants
    for link in graph["links"]:
        yield (
            tables.agent_node_link,
            {
                "id": link["id"],
                "agent_node_source_id": link["sourceId"],
                "source_name": link["sourceName"],
                "agent_node_sink_id": link["sinkId"],
                "sink_name": link["sinkName"],
                "is_static": link.get("isStatic", False),
            },
        )
    entry = {"id": str(uuid.uuid5(uuid.UUID(graph["id"]), user["id"])), "user_id": user["id"]}
    yield tables.library_agent, entry | version | {"is_created_by_user": True}


def _write(connection: Connection, rows: list[tuple[Table, dict[str, Any]]]) -> None:
    if not migrations.is_standalone(connection):
        raise MigrationRefusedError(
            "this database belongs to a platform, which makes its graphs itself; a standalone one is made by "
            "graphschedule-runner db upgrade --standalone"
        )
    for table, row in rows:
        connection.execute(insert(connection, table).values(row).on_conflict_do_nothing())
