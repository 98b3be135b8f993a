"""Loading of the facts that validation judges by: a few set-based queries for any number of requests (C §2.1)."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sqlalchemy import false, select, tuple_, union

from graphschedule_platform.catalogue import AGENT_EXECUTOR, Catalogue
from graphschedule_platform.facts import (
    Access,
    Block,
    Graph,
    JsonObject,
    JsonValue,
    Link,
    Node,
    input_schema,
    output_fields,
)
from graphschedule_platform.tables import (
    agent_block,
    agent_graph,
    agent_node,
    agent_node_link,
    library_agent,
    store_listing_version,
    user,
)
from graphschedule_platform.validation.coercion import convert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Row, Select

    from graphschedule_platform.verdict import ExecutionRequest

_log = logging.getLogger(__name__)

Version = tuple[str, int]
"""A graph's id and version."""

T = TypeVar("T")

_CHUNK = 500
"""Values in one IN list: within every database's limit of parameters, and quick to plan."""


class Heading(NamedTuple):
    """A graph version that exists, and whose it is."""

    id: str
    version: int
    owner_id: str


class Library(NamedTuple):
    """The graphs that some requests name, and what ties users to them."""

    headings: Mapping[str, Mapping[int, Heading]]
    access: Mapping[tuple[str, str], Access]

    def find(self, graph_id: str, version: int | None) -> Heading | None:
        """Return the version asked for, or the highest if none is; `isActive` does not matter (C §2.1 step 1)."""
        versions = self.headings.get(graph_id, {})
        return versions.get(max(versions, default=0) if version is None else version)

    def access_of(self, user_id: str, graph_id: str) -> Access:
        """Return what ties a user to a graph."""
        return self.access.get((user_id, graph_id), Access())


def load_library(connection: Connection, requests: Sequence[ExecutionRequest]) -> Library:
    """Return the graph versions, library entries and published versions that the requests turn on."""
    graph_ids = {request.graph_id for request in requests if _is_possible(request.graph_id)}
    headings: dict[str, dict[int, Heading]] = defaultdict(dict)
    for heading in _headings(connection, graph_ids):
        headings[heading.id][heading.version] = heading
    wanted = {
        (request.user_id, request.graph_id)
        for request in requests
        if request.graph_id in headings and _is_possible(request.user_id)
    }
    in_library = _library_versions(connection, wanted)
    # What is published matters only to those who do not own the graph.
    foreign = {id_ for user_id, id_ in wanted if any(it.owner_id != user_id for it in headings[id_].values())}
    published = _published_versions(connection, foreign)
    access = {
        (user_id, graph_id): Access(
            frozenset(in_library.get((user_id, graph_id), ())), frozenset(published.get(graph_id, ()))
        )
        for user_id, graph_id in wanted
    }
    return Library(headings, access)


def _is_possible(identifier: str) -> bool:
    """Whether a database can hold the id: a NUL or a lone surrogate would fail the whole query."""
    return identifier.isprintable()


def _headings(connection: Connection, graph_ids: Iterable[str]) -> Iterator[Heading]:
    columns = agent_graph.c
    query = select(columns.id, columns.version, columns.user_id).order_by(columns.id, columns.version)
    for ids in _chunks(graph_ids):
        for row in connection.execute(query.where(columns.id.in_(ids))):
            yield Heading(row.id, row.version, row.user_id)


def _library_versions(
    connection: Connection, wanted: Collection[tuple[str, str]]
) -> Mapping[tuple[str, str], Collection[int]]:
    """Return the versions in users' libraries: entries neither deleted nor archived (C §2.1)."""
    columns = library_agent.c
    query = select(columns.user_id, columns.agent_graph_id, columns.agent_graph_version).where(
        columns.is_deleted == false(), columns.is_archived == false()
    )
    versions: dict[tuple[str, str], set[int]] = defaultdict(set)
    for pairs in _chunks(wanted):
        for row in connection.execute(query.where(tuple_(columns.user_id, columns.agent_graph_id).in_(pairs))):
            versions[row.user_id, row.agent_graph_id].add(row.agent_graph_version)
    return versions


def _published_versions(connection: Connection, graph_ids: Iterable[str]) -> Mapping[str, Collection[int]]:
    """Return the approved versions in the store (C §2.1)."""
    columns = store_listing_version.c
    query = select(columns.agent_graph_id, columns.agent_graph_version).where(
        columns.submission_status == "APPROVED", columns.is_deleted == false()
    )
    versions: dict[str, set[int]] = defaultdict(set)
    for ids in _chunks(graph_ids):
        for row in connection.execute(query.where(columns.agent_graph_id.in_(ids))):
            versions[row.agent_graph_id].add(row.agent_graph_version)
    return versions


def load_graphs(connection: Connection, headings: Collection[Heading]) -> Mapping[Version, Graph]:
    """Return graphs with their nodes, links and sub-graphs, level by level (C §2.1)."""
    roots = {(heading.id, heading.version): heading for heading in headings}
    bodies = _bodies(connection, roots.values())
    found: dict[Version, dict[str, Version]] = {root: {root[0]: root} for root in roots}
    level = {root: [root] for root in roots}
    while level:
        calls = {root: _calls(bodies[member] for member in members) for root, members in level.items()}
        named = {graph_id for subs in calls.values() for graph_id, _ in subs}
        known = {(heading.id, heading.version): heading for heading in _headings(connection, named)}
        level = {}
        for root, subs in calls.items():
            owned = [sub for sub in sorted(subs) if sub in known and known[sub].owner_id == roots[root].owner_id]
            new = [sub for sub in owned if sub[0] not in found[root]]
            found[root] |= {sub[0]: sub for sub in new}
            if new:
                level[root] = new
        missing = {sub for subs in level.values() for sub in subs if sub not in bodies}
        bodies |= _bodies(connection, [known[sub] for sub in missing])
    return {root: _with_sub_graphs(bodies, root, members.values()) for root, members in found.items()}


def _with_sub_graphs(bodies: Mapping[Version, Graph], root: Version, members: Iterable[Version]) -> Graph:
    body = bodies[root]
    sub_graphs = tuple(bodies[member] for member in members if member != root)
    return Graph(body.id, body.version, body.owner_id, body.nodes, body.links, sub_graphs)


def _calls(graphs: Iterable[Graph]) -> set[Version]:
    """Return the graph versions that agent nodes run (C §2.1)."""
    constants = (node.constants for graph in graphs for node in graph.nodes if node.block_id == AGENT_EXECUTOR)
    calls = ((members.get("graph_id"), members.get("graph_version")) for members in constants)
    return {(id_, version) for id_, version in calls if id_ and isinstance(id_, str) and version and _whole(version)}


def _whole(value: JsonValue) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _bodies(connection: Connection, headings: Iterable[Heading]) -> dict[Version, Graph]:
    """Return graphs with nodes and links, without sub-graphs."""
    by_version = {(heading.id, heading.version): heading for heading in headings}
    nodes = _nodes(connection, by_version)
    graph_of = {node.id: version for version, members in nodes.items() for node in members}
    links = _links(connection, graph_of)
    return {
        version: Graph(*version, heading.owner_id, tuple(nodes.get(version, ())), tuple(links.get(version, ())))
        for version, heading in by_version.items()
    }


def _nodes(connection: Connection, versions: Iterable[Version]) -> Mapping[Version, Sequence[Node]]:
    columns = agent_node.c
    graph = tuple_(columns.agent_graph_id, columns.agent_graph_version)
    query = select(
        columns.id,
        columns.agent_block_id,
        columns.agent_graph_id,
        columns.agent_graph_version,
        columns.constant_input,
        columns.metadata,
    ).order_by(columns.id)
    nodes: dict[Version, list[Node]] = defaultdict(list)
    for chunk in _chunks(versions):
        for row in connection.execute(query.where(graph.in_(chunk))):
            nodes[row.agent_graph_id, row.agent_graph_version].append(
                Node(
                    id=row.id,
                    block_id=row.agent_block_id,
                    constants=_object(row.constant_input),
                    credentials_optional=bool(_object(row.metadata).get("credentials_optional")),
                )
            )
    return nodes


def _object(value: JsonValue) -> JsonObject:
    """Return a stored value as the object the platform would make of it."""
    members: JsonObject = convert({"type": "object"}, value)
    return members


def _links(connection: Connection, graph_of: Mapping[str, Version]) -> Mapping[Version, Collection[Link]]:
    """Return the links that start or end at nodes, by the graph of the node."""
    links: dict[Version, dict[Link, None]] = defaultdict(dict)
    for node_ids in _chunks(graph_of):
        for row in connection.execute(union(_ending_at(node_ids), _starting_at(node_ids))):
            link = Link(row.agent_node_source_id, row.source_name, row.agent_node_sink_id, row.sink_name)
            for end in (link.source_id, link.sink_id):
                if end in graph_of:
                    links[graph_of[end]][link] = None
    return links


def _link_columns() -> Select[str, str, str, str]:
    columns = agent_node_link.c
    return select(columns.agent_node_source_id, columns.source_name, columns.agent_node_sink_id, columns.sink_name)


def _ending_at(node_ids: Sequence[str]) -> Select[str, str, str, str]:
    return _link_columns().where(agent_node_link.c.agent_node_sink_id.in_(node_ids))


def _starting_at(node_ids: Sequence[str]) -> Select[str, str, str, str]:
    return _link_columns().where(agent_node_link.c.agent_node_source_id.in_(node_ids))


def load_blocks(connection: Connection, graphs: Iterable[Graph], catalogue: Catalogue) -> Mapping[str, Block]:
    """Return the blocks of the graphs' nodes that the platform registers.

    Left out are those the catalogue does not know and those whose stored schemas cannot be read.
    """
    block_ids = {node.block_id for graph in graphs for member in graph.with_sub_graphs for node in member.nodes}
    columns = agent_block.c
    query = select(columns.id, columns.name, columns.input_schema, columns.output_schema)
    blocks = {}
    for ids in _chunks(block_ids & catalogue.keys()):
        for row in connection.execute(query.where(columns.id.in_(ids))):
            try:
                blocks[row.id] = _block(row, catalogue)
            except ValueError:
                _log.warning("block %s (%s) is left out: its stored schemas cannot be read", row.name, row.id)
    return blocks


def _block(row: Row[str, str, str, str], catalogue: Catalogue) -> Block:
    entry = catalogue[row.id]
    return Block(
        id=row.id,
        name=row.name,
        kind=entry.kind,
        disabled=entry.disabled,
        input=input_schema(row.input_schema),
        output_fields=output_fields(row.output_schema),
    )


def load_integrations(connection: Connection, user_ids: Iterable[str]) -> Mapping[str, str]:
    """Return users' encrypted credentials by user id (C §1.3)."""
    query = select(user.c.id, user.c.integrations)
    return {
        row.id: row.integrations
        for ids in _chunks(filter(_is_possible, user_ids))
        for row in connection.execute(query.where(user.c.id.in_(ids)))
    }


def _chunks(values: Iterable[T]) -> Iterator[list[T]]:
    """Yield the values in lists that fit one statement."""
    remaining = list(values)
    for start in range(0, len(remaining), _CHUNK):
        yield remaining[start : start + _CHUNK]
