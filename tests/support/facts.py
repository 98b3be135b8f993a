"""Graphs as facts, without a database, for tests of the rules of validation.

Blocks are the platform's, with the structure of their real schemas (`tests/platform/data/block_schemas.json`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphschedule_platform import catalogue
from graphschedule_platform.facts import (
    Access,
    Block,
    CredentialStore,
    Graph,
    Link,
    Node,
    StoredCredential,
    input_schema,
    output_fields,
)
from graphschedule_platform.stores import OLLAMA
from graphschedule_platform.validation.judge import Examination, judge
from graphschedule_platform.verdict import ExecutionRequest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphschedule_platform.verdict import Verdict

USER = "user-1"
GRAPH = "graph-1"
IN_LIBRARY = Access(library_versions=frozenset({1}))

SCHEMAS: Sequence[Mapping[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "platform" / "data" / "block_schemas.json").read_text("utf-8")
)
"""Id, name, input and output schema of each block, as the platform stores them."""


def make_block(block_id: str, name: str, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> Block:
    """Return a block of the shipped catalogue's kind, or an ordinary one if it is not in there."""
    entry = catalogue.shipped().get(block_id, catalogue.CatalogueEntry(name, catalogue.BlockKind.STANDARD))
    return Block(
        block_id, name, entry.kind, entry.disabled, input_schema(json.dumps(inputs)), output_fields(json.dumps(outputs))
    )


BLOCKS: Mapping[str, Block] = {
    schema["id"]: make_block(schema["id"], schema["name"], schema["inputSchema"], schema["outputSchema"])
    for schema in SCHEMAS
}
BLOCK_IDS: Mapping[str, str] = {block.name.removesuffix("Block"): block.id for block in BLOCKS.values()}
"""Block ids by class name without `Block`."""

STORE = CredentialStore(
    {
        credential.id: credential
        for credential in (
            OLLAMA,
            StoredCredential("github-1", "github", "api_key"),
            StoredCredential("openai-1", "openai", "api_key"),
            StoredCredential("google-1", "google", "oauth2"),
        )
    }
)
"""The credentials of the user in these tests."""


def node(node_id: str, block: str, /, **constants: Any) -> Node:  # noqa: ANN401 - any JSON value
    """Return a node of a block given by name or id."""
    return Node(node_id, BLOCK_IDS.get(block, block), constants)


def optional(made: Node) -> Node:
    """Return the node with its credentials made optional."""
    return made._replace(credentials_optional=True)


def link(source: str, sink: str) -> Link:
    """Return a link between two pins, each written `node.pin`."""
    return Link(*source.split(".", 1), *sink.split(".", 1))


def graph(
    *nodes: Node, links: Sequence[Link] = (), sub_graphs: Sequence[Graph] = (), graph_id: str = GRAPH, owner: str = USER
) -> Graph:
    """Return version 1 of a graph."""
    return Graph(graph_id, 1, owner, nodes, links, sub_graphs)


def decide(
    asked: Graph,
    *,
    inputs: Mapping[str, Any] | None = None,
    credentials: Mapping[str, Mapping[str, Any]] | None = None,
    masks: Mapping[str, Mapping[str, Any]] | None = None,
    access: Access = IN_LIBRARY,
    store: CredentialStore | None = STORE,
    blocks: Mapping[str, Block] = BLOCKS,
) -> Verdict:
    """Return the verdict on a request of the user for a graph."""
    request = ExecutionRequest(asked.id, USER, None, inputs or {}, credentials or {}, masks or {})
    return judge(request, Examination(asked, blocks), access, store)
