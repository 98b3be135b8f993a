"""Faults of a graph's structure: the platform's plain errors, raised at the first hit (C §2.2)."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from graphschedule_platform.catalogue import BlockKind
from graphschedule_platform.facts import Block, Graph, Link, Node
from graphschedule_platform.validation.dynamic import base_name, is_tool_pin
from graphschedule_platform.validation.hooks import member_object
from graphschedule_platform.validation.refusal import RefusalError

Blocks = Mapping[str, Block]
"""The blocks that the platform registers, by id."""


def check_names(graph: Graph, blocks: Blocks) -> None:
    """Check that input and output nodes of the graph itself say their name (C §2.12).

    Raises:
        RefusalError: one has no `name`; the platform cannot even hand such a graph out.

    """
    for node in graph.nodes:
        block = blocks.get(node.block_id)
        if block and block.kind in {BlockKind.INPUT, BlockKind.OUTPUT} and "name" not in node.constants:
            raise RefusalError(f"Node #{node.id} ({block.name}) has no name")


def check_structure(graph: Graph, blocks: Blocks) -> None:
    """Check the blocks and links of the graph itself (C §2.2).

    Raises:
        RefusalError: an unknown or disabled block, or a link that does not join two fields of its nodes.

    """
    nodes = {node.id: node for node in graph.nodes}
    for node in graph.nodes:
        if node.block_id not in blocks:
            raise RefusalError(f"Invalid block {node.block_id} for node #{node.id}")
    for link in graph.links:
        _check_link(link, nodes, blocks)
    for node in graph.nodes:
        if blocks[node.block_id].disabled:
            raise RefusalError(f"Block {node.block_id} is disabled and cannot be used in graphs")


def _check_link(link: Link, nodes: Mapping[str, Node], blocks: Blocks) -> None:
    ends = ((link.source_id, link.source_name, _source_fields), (link.sink_id, link.sink_name, _sink_fields))
    for node_id, pin, fields_of in ends:
        place = f"Link {link.source_id}.{link.source_name} -> {link.sink_id}.{link.sink_name}"
        if node_id not in nodes:
            raise RefusalError(f"{place}: node #{node_id} is not in the graph")
        fields = fields_of(nodes[node_id], blocks[nodes[node_id].block_id])
        if base_name(pin) not in fields and not is_tool_pin(pin):
            raise RefusalError(f"{place}: `{pin}` is not one of the fields {', '.join(sorted(fields)) or '(none)'}")


def _source_fields(node: Node, block: Block) -> Collection[str]:
    """Return the names a link may start from; an agent node's come from the schema it holds (C §2.2)."""
    return _agent_fields(node, "output_schema") if block.kind is BlockKind.AGENT else block.output_fields


def _sink_fields(node: Node, block: Block) -> Collection[str]:
    """Return the names a link may end at."""
    return _agent_fields(node, "input_schema") if block.kind is BlockKind.AGENT else block.input.fields


def _agent_fields(node: Node, schema: str) -> Collection[str]:
    return member_object(member_object(node.constants, schema), "properties")
