"""Faults of structure: plain errors, one for each rule of C §2.2."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.verdict import VerdictKind

from tests.support.facts import BLOCK_IDS, decide, graph, link, node

if TYPE_CHECKING:
    from graphschedule_platform.facts import Graph, Node

STORE = node("store", "StoreValue")
ENTRY = node("entry", "AgentInput", name="x")
ADDS = node("adds", "AddToList")
FILLS = node("fills", "FillTextTemplate", format="f")
PRINT = BLOCK_IDS["PrintToConsole"]


def agent(node_id: str = "agent", **constants: object) -> Node:
    return node(
        node_id,
        "AgentExecutor",
        **{
            "user_id": "user-1",
            "graph_id": "graph-2",
            "graph_version": 1,
            "inputs": {},
            "input_schema": {"properties": {"topic": {}}},
            "output_schema": {"properties": {"answer": {}}},
            **constants,
        },
    )


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        pytest.param(
            graph(STORE, links=[link("ghost.out", "store.input")]),
            "Link ghost.out -> store.input: node #ghost is not in the graph",
            id="2.2-link-source-not-in-graph",
        ),
        pytest.param(
            graph(ENTRY, links=[link("entry.result", "ghost.input")]),
            "Link entry.result -> ghost.input: node #ghost is not in the graph",
            id="2.2-link-sink-not-in-graph",
        ),
        pytest.param(
            graph(ENTRY, STORE, links=[link("entry.outcome", "store.input")]),
            "Link entry.outcome -> store.input: `outcome` is not one of the fields result",
            id="2.2-link-source-pin-is-no-field",
        ),
        pytest.param(
            graph(ENTRY, STORE, links=[link("entry.result", "store.inputs_#_a")]),
            "Link entry.result -> store.inputs_#_a: `inputs_#_a` is not one of the fields data, input",
            id="2.2-link-sink-pin-is-no-field",
        ),
        pytest.param(
            graph(ENTRY, agent(), links=[link("entry.result", "agent.inputs")]),
            "Link entry.result -> agent.inputs: `inputs` is not one of the fields topic",
            id="2.2-link-into-agent-not-in-its-input-schema",
        ),
        pytest.param(
            graph(agent(), STORE, links=[link("agent.error", "store.input")]),
            "Link agent.error -> store.input: `error` is not one of the fields answer",
            id="2.2-link-from-agent-not-in-its-output-schema",
        ),
        pytest.param(
            graph(node("x", "no-such-block")), "Invalid block no-such-block for node #x", id="2.2-unknown-block"
        ),
        pytest.param(
            graph(node("x", "no-such-block"), STORE, links=[link("x.out", "store.input")]),
            "Invalid block no-such-block for node #x",
            id="2.2-link-on-unknown-block",
        ),
        pytest.param(
            graph(node("x", "PrintToConsole", text="t")),
            f"Block {PRINT} is disabled and cannot be used in graphs",
            id="2.2-disabled-block",
        ),
        pytest.param(
            graph(node("x", "AITextGenerator", prompt="p", model="gpt-3")),
            "Model 'gpt-3' is not supported. It may be retired: choose another in the agent.",
            id="2.2-discriminator-without-mapping",
        ),
        pytest.param(
            graph(node("x", "AITextGenerator", prompt="p", model={"name": "gpt-3"})),
            "`model` of node #x must be a single value",
            id="2.12-discriminator-is-an-object",
        ),
        pytest.param(
            graph(node("x", "MCPTool", server_url="http://[bad")),
            "'http://[bad' is not a URL: Invalid IPv6 URL",
            id="2.3-discriminator-is-no-url",
        ),
        pytest.param(
            graph(node("x", "AgentInput")), "Node #x (AgentInputBlock) has no name", id="2.12-input-without-name"
        ),
        pytest.param(
            graph(ENTRY, node("x", "AgentOutput"), links=[link("entry.result", "x.value")]),
            "Node #x (AgentOutputBlock) has no name",
            id="2.12-output-without-name",
        ),
        pytest.param(
            graph(node("x", "AgentInput", name=7)),
            "The name of input node #x must be a text",
            id="2.12-numeric-input-name",
        ),
        pytest.param(graph(agent(input_schema=None)), "`input_schema` must be an object", id="2.12-null-input-schema"),
        pytest.param(
            graph(agent(input_schema={"required": None})),
            "`input_schema.required` must be a list",
            id="2.12-null-required-in-input-schema",
        ),
        pytest.param(graph(agent(inputs=None)), "`inputs` must be an object", id="2.12-null-inputs"),
    ],
)
def test_a_fault_of_structure_is_a_plain_error(asked: Graph, message: str) -> None:
    verdict = decide(asked)

    assert (verdict.kind, verdict.message, verdict.node_errors) == (VerdictKind.ERROR, message, {})


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(graph(ENTRY, FILLS, links=[link("entry.result", "fills.values_#_a")]), id="2.2-map-pin"),
        pytest.param(graph(ENTRY, ADDS, links=[link("entry.result", "adds.entries_$_0")]), id="2.2-list-pin"),
        pytest.param(
            graph(ENTRY, STORE, links=[link("entry.result_@_a_#_b", "store.input_@_c_$_0")]), id="2.2-nested-pins"
        ),
        pytest.param(
            graph(ENTRY, STORE, links=[link("entry.tools_^_x_~_y", "store.input")]), id="2.2-tool-pin-with-name"
        ),
        pytest.param(
            graph(ENTRY, STORE, links=[link("entry.tools", "store.input"), link("entry.result", "store.tools")]),
            id="2.2-bare-tool-pin",
        ),
        pytest.param(graph(ENTRY, agent(), links=[link("entry.result", "agent.topic")]), id="2.2-agent-sink"),
        pytest.param(
            graph(agent(), STORE, links=[link("agent.answer_#_k", "store.input")]), id="2.2-agent-source-by-base-name"
        ),
    ],
)
def test_a_link_between_fields_is_accepted(asked: Graph) -> None:
    assert decide(asked).valid


@pytest.mark.parametrize("fault", [node("x", "no-such-block"), node("x", "AgentInput")])
def test_a_fault_in_a_sub_graph_is_a_plain_error_even_beside_collected_ones(fault: Node) -> None:
    """2.2: the graph and each loaded sub-graph; a plain error wins over collected errors."""
    incomplete = node("y", "FillTextTemplate")
    asked = graph(incomplete, sub_graphs=[graph(fault, graph_id="graph-2")])

    verdict = decide(asked)

    assert (verdict.kind, verdict.node_errors) == (VerdictKind.ERROR, {})
