"""Starting nodes and the inputs they are given (C §2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_platform.catalogue import BlockKind
from graphschedule_platform.validation import hooks
from graphschedule_platform.validation.coercion import coerce
from graphschedule_platform.validation.dynamic import merge
from graphschedule_platform.validation.refusal import RefusalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphschedule_platform.facts import Block, Graph, JsonObject, JsonValue, Link, Node
    from graphschedule_platform.validation.structure import Blocks

_WEBHOOKS = {BlockKind.WEBHOOK, BlockKind.WEBHOOK_MANUAL}


def starting_nodes(graph: Graph, blocks: Blocks) -> Iterator[tuple[Node, Block]]:
    """Yield the nodes that no link ends at and the input nodes, notes left out (C §2.4 step 1)."""
    for node in graph.nodes:
        block = blocks[node.block_id]
        starts = not graph.inbound.get(node.id) or block.kind is BlockKind.INPUT
        if starts and block.kind is not BlockKind.NOTE:
            yield node, block


def starting_input(
    node: Node, block: Block, inbound: Sequence[Link], graph_inputs: JsonObject, mask: JsonObject
) -> dict[str, JsonValue]:
    """Return the whole input a starting node is queued with (C §2.4 steps 2 to 5).

    Raises:
        RefusalError: a webhook block without payload, or an input that is incomplete or of the wrong type.

    """
    given = {**_graph_input(node, block, graph_inputs), **mask}
    if block.kind in _WEBHOOKS and "payload" not in given:
        raise RefusalError(
            "This agent is triggered by an external event (webhook) and cannot be executed directly: "
            "run it by its trigger, or give its webhook node a payload"
        )
    unpopulated = {link.sink_name for link in inbound} - given.keys()
    if unpopulated:
        raise _mismatch(block, f"unpopulated links {_set(unpopulated)}")
    data = coerce(block.input.fields, merge({**hooks.defaults(block, node.constants), **given}))
    missing = hooks.missing_input(block, data)
    if missing:
        raise _mismatch(block, f"missing input {_set(missing)}")
    violation = hooks.mismatch(block, data)
    if violation:
        raise _mismatch(block, violation)
    return data


def _graph_input(node: Node, block: Block, graph_inputs: JsonObject) -> dict[str, JsonValue]:
    """Return the value that the graph's inputs hold under an input node's name (C §2.4 step 2)."""
    name = node.constants.get("name")
    if block.kind is BlockKind.INPUT and name and name in graph_inputs:
        return {"value": graph_inputs[name]}
    return {}


def _mismatch(block: Block, fault: str) -> RefusalError:
    return RefusalError(f"Input data missing or mismatch for `{block.name}`: {fault}")


def _set(names: set[str] | frozenset[str]) -> str:
    return f"{{{', '.join(map(repr, sorted(names)))}}}"


def no_starting_nodes() -> RefusalError:
    """Return the refusal of a graph that nothing starts (C §2.4 step 6)."""
    return RefusalError("No starting nodes found for the graph: it needs an input node, or a node that no link ends at")
