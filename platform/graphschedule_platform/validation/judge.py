"""The judgement of one request over an examined graph: the rules in the platform's order (C §2.1)."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING

from graphschedule_platform.validation import credentials
from graphschedule_platform.validation.access import check_access
from graphschedule_platform.validation.inputs import node_errors
from graphschedule_platform.validation.refusal import RefusalError, invalid
from graphschedule_platform.validation.starting import no_starting_nodes, starting_input, starting_nodes
from graphschedule_platform.validation.structure import Blocks, check_names, check_structure
from graphschedule_platform.verdict import ExecutionRequest, NodeInputs, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphschedule_platform.facts import Access, Block, CredentialStore, Graph, JsonObject, Node

_NO_MASK: JsonObject = {}


class Examination:
    """A graph with what can be said of it before any request is known, each thing found out once.

    The properties raise `RefusalError` for a fault that refuses every request for the graph.
    """

    def __init__(self, graph: Graph, blocks: Blocks) -> None:
        self.graph = graph
        self.blocks = blocks

    @cached_property
    def credential_groups(self) -> credentials.Groups:
        """The graph's credential inputs; faults here come before any question of access (C §2.12)."""
        for member in self.graph.with_sub_graphs:
            check_names(member, self.blocks)
        return credentials.group(self.graph, self.blocks)

    @cached_property
    def unmasked_errors(self) -> Mapping[str, Mapping[str, str]]:
        """The collected errors of nodes that have any while no mask applies."""
        for member in self.graph.with_sub_graphs:
            check_structure(member, self.blocks)
        errors = {node_id: self.errors_of(node_id, _NO_MASK) for node_id in self.nodes}
        return {node_id: texts for node_id, texts in errors.items() if texts}

    def errors_of(self, node_id: str, mask: JsonObject) -> Mapping[str, str]:
        """Return the collected input errors of a node under a mask."""
        member, node = self.nodes[node_id]
        return node_errors(node, self.blocks[node.block_id], member.inbound.get(node_id, ()), mask)

    @cached_property
    def nodes(self) -> Mapping[str, tuple[Graph, Node]]:
        """Every node, with the graph or sub-graph it is in, by node id."""
        return {node.id: (member, node) for member in self.graph.with_sub_graphs for node in member.nodes}

    @cached_property
    def credential_nodes(self) -> Sequence[tuple[Node, Block]]:
        """The nodes whose credentials are checked: those of the top-level graph that take any (C §2.3)."""
        nodes = ((node, self.blocks[node.block_id]) for node in self.graph.nodes)
        return [(node, block) for node, block in nodes if block.input.credentials or block.input.pickers]

    @cached_property
    def starting(self) -> Sequence[tuple[Node, Block]]:
        """The starting nodes."""
        return list(starting_nodes(self.graph, self.blocks))


def judge(
    request: ExecutionRequest, examination: Examination, access: Access, store: CredentialStore | None
) -> Verdict:
    """Return what the platform answers to a request for a graph that exists (C §2.1 steps 2 to 5).

    Without a store, credentials are judged by shape only and the verdict says so.
    """
    graph = examination.graph
    try:
        groups = examination.credential_groups
        check_access(request.user_id, graph.id, graph.version, graph.owner_id, access)
        masks = _compiled(credentials.masks(groups, request.credentials), request.nodes_input_masks)
        skipped = _check_nodes(examination, masks, store)
        inputs = _starting_inputs(examination, request.inputs, masks)
        _check_storable(request)
    except RefusalError as refusal:
        return refused(refusal, graph.version, store)
    return Verdict(
        VerdictKind.VALID,
        graph_version=graph.version,
        starting_nodes=inputs,
        nodes_input_masks=masks,
        nodes_to_skip=skipped,
        credentials_checked=store is not None,
    )


def refused(refusal: RefusalError, version: int | None = None, store: CredentialStore | None = None) -> Verdict:
    """Return the verdict of a refusal."""
    return Verdict(
        refusal.kind,
        refusal.message,
        refusal.node_errors,
        graph_version=version,
        credentials_checked=store is not None,
    )


def _compiled(mapped: NodeInputs, own: NodeInputs) -> NodeInputs:
    """Lay the caller's own masks over the mapped credentials, by node and field (C §2.1 step 3)."""
    return {**mapped, **{node_id: {**mapped.get(node_id, {}), **mask} for node_id, mask in own.items()}}


def _check_nodes(examination: Examination, masks: NodeInputs, store: CredentialStore | None) -> tuple[str, ...]:
    """Check every node's inputs and credentials (C §2.1 step 4); return the nodes to skip.

    Raises:
        RefusalError: the collected errors, or a plain error.

    """
    errors = {**examination.unmasked_errors}
    for node_id, mask in masks.items():
        if node_id in examination.nodes:
            errors[node_id] = examination.errors_of(node_id, mask)
    skipped = []
    for node, block in examination.credential_nodes:
        findings = credentials.check_node(node, block, masks.get(node.id, _NO_MASK), store)
        if findings.errors:
            errors[node.id] = {**errors.get(node.id, {}), **findings.errors}
        if findings.skipped:
            skipped.append(node.id)
    found = {node_id: texts for node_id, texts in errors.items() if texts}
    if found:
        raise invalid(found)
    return tuple(skipped)


def _starting_inputs(examination: Examination, inputs: JsonObject, masks: NodeInputs) -> NodeInputs:
    """Return the input of each starting node (C §2.1 step 5)."""
    if not examination.starting:
        raise no_starting_nodes()
    inbound = examination.graph.inbound
    return {
        node.id: starting_input(node, block, inbound.get(node.id, ()), inputs, masks.get(node.id, _NO_MASK))
        for node, block in examination.starting
    }


def _check_storable(request: ExecutionRequest) -> None:
    """Check that the database can hold what the request brings, so that no insert fails for it later.

    Raises:
        RefusalError: a value is no JSON: not a number, infinite, or a text that is no Unicode.

    """
    brought = (request.inputs, request.credentials, request.nodes_input_masks)
    try:
        json.dumps(brought, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, TypeError) as error:
        raise RefusalError(f"The inputs cannot be stored: they must be JSON ({error})") from error
