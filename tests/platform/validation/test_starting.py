"""Starting nodes and what they are given: every row of C §2.4 with its corrections of C §2.12."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform.verdict import NodeInputs, VerdictKind

from tests.support.facts import decide, graph, link, node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphschedule_platform.facts import Graph, Node

GITHUB = {"id": "github-1", "provider": "github", "type": "api_key"}
ENTRY = node("in", "AgentInput", name="x")
AFTER = node("after", "StoreValue")


def agent(**constants: object) -> Node:
    whole = {"user_id": "u", "graph_id": "g", "graph_version": 1, "input_schema": {}, "output_schema": {}}
    return node("n", "AgentExecutor", **{**whole, "inputs": {}, **constants})


def tool(**constants: object) -> Node:
    return node("n", "MCPTool", server_url="https://mcp.example.com", **constants)


VALID: list[tuple[str, Graph, Mapping[str, Any], NodeInputs, NodeInputs]] = [
    ("2.4-no-inbound-link", graph(node("n", "StoreValue", input=1)), {}, {}, {"n": {"input": 1}}),
    (
        "2.4-a-sink-does-not-start",
        graph(ENTRY, AFTER, links=[link("in.result", "after.input")]),
        {},
        {},
        {"in": {"name": "x"}},
    ),
    (
        "2.4-an-input-node-starts-though-a-sink",
        graph(ENTRY, node("m", "AgentInput", name="y", title="t"), links=[link("in.result", "m.value")]),
        {"y": 1},
        {},
        {"in": {"name": "x"}, "m": {"name": "y", "title": "t", "value": 1}},
    ),
    ("2.4-1-notes-do-not-start", graph(ENTRY, node("n", "Note", text="t")), {}, {}, {"in": {"name": "x"}}),
    ("2.4-2-graph-input", graph(ENTRY), {"x": [1], "other": 2}, {}, {"in": {"name": "x", "value": [1]}}),
    (
        "2.4-2-graph-input-over-constant",
        graph(node("in", "AgentInput", name="x", value="old")),
        {"x": "new"},
        {},
        {"in": {"name": "x", "value": "new"}},
    ),
    (
        "2.4-2-no-graph-input-keeps-the-constant",
        graph(node("in", "AgentInput", name="x", value="old")),
        {"y": "new"},
        {},
        {"in": {"name": "x", "value": "old"}},
    ),
    (
        "2.4-2-null-graph-input",
        graph(node("in", "AgentInput", name="x", value="old")),
        {"x": None},
        {},
        {"in": {"name": "x", "value": None}},
    ),
    ("2.4-2-empty-name", graph(node("in", "AgentInput", name="")), {"": 1}, {}, {"in": {"name": ""}}),
    (
        "2.4-2-only-input-nodes-take-graph-inputs",
        graph(node("n", "AgentOutput", name="x", value="v")),
        {"x": 1},
        {},
        {"n": {"name": "x", "value": "v"}},
    ),
    (
        "2.4-3-mask-over-graph-input",
        graph(ENTRY),
        {"x": 1},
        {"in": {"value": 2, "title": "t"}},
        {"in": {"name": "x", "value": 2, "title": "t"}},
    ),
    (
        "2.4-3-credentials-are-in-the-input",
        graph(node("n", "GithubMakeIssue", repo_url="r", title="t", body="b")),
        {},
        {"n": {"credentials": GITHUB}},
        {"n": {"repo_url": "r", "title": "t", "body": "b", "credentials": GITHUB}},
    ),
    (
        "2.4-4-webhook-with-payload-in-a-mask",
        graph(node("n", "GenericWebhookTrigger", constants={"a": 1})),
        {},
        {"n": {"payload": {"k": "v"}}},
        {"n": {"constants": {"a": 1}, "payload": {"k": "v"}}},
    ),
    (
        "2.4-5c-agent-starts-from-its-inputs",
        graph(agent(inputs={"topic": "t", "tone": None})),
        {},
        {"n": {"topic": "u"}},
        {"n": {"topic": "u", "tone": None}},
    ),
    ("2.4-5c-agent-without-inputs", graph(agent(inputs={})), {}, {}, {"n": {}}),
    (
        "2.4-5c-tool-starts-from-its-arguments",
        graph(tool(tool_arguments={"city": "Rome"})),
        {},
        {},
        {"n": {"city": "Rome"}},
    ),
    ("2.4-5c-tool-without-arguments", graph(tool()), {}, {}, {"n": {}}),
    (
        "2.4-5d-list-pins",
        graph(node("n", "AddToList", **{"entry": 1, "list_$_0": "a", "list_$_2": "c"})),
        {},
        {},
        {"n": {"entry": 1, "list_$_0": "a", "list_$_2": "c", "list": ["a", None, "c"]}},
    ),
    (
        "2.4-5d-map-pins-onto-the-base",
        graph(node("n", "FillTextTemplate", **{"format": "f", "values": {"a": 1}, "values_#_b": 2})),
        {},
        {},
        {"n": {"format": "f", "values": {"a": 1, "b": 2}, "values_#_b": 2}},
    ),
    (
        "2.4-5d-mask-pins",
        graph(node("n", "FillTextTemplate", format="f", values={"a": 1})),
        {},
        {"n": {"values_#_a": 2}},
        {"n": {"format": "f", "values": {"a": 2}, "values_#_a": 2}},
    ),
    (
        "2.4-5e-values-are-converted",
        graph(node("n", "Calculator", operation="Add", a="3", b=4, round_result="TRUE")),
        {},
        {},
        {"n": {"operation": "Add", "a": 3.0, "b": 4.0, "round_result": True}},
    ),
    (
        "2.4-5e-graph-inputs-are-converted",
        graph(node("in", "AgentNumberInput", name="n")),
        {"n": "42"},
        {},
        {"in": {"name": "n", "value": 42}},
    ),
    (
        "2.12-arguments-named-like-block-fields-are-converted",
        graph(agent(inputs={"graph_version": "3", "topic": "3"})),
        {},
        {},
        {"n": {"graph_version": 3, "topic": "3"}},
    ),
    (
        "2.12-bad-number-text-is-zero",
        graph(node("in", "AgentNumberInput", name="n")),
        {"n": "many"},
        {},
        {"in": {"name": "n", "value": 0}},
    ),
    (
        "2.12-agent-gets-no-schema-check",
        graph(agent(input_schema={"properties": {"topic": {"type": "integer"}}}, inputs={"topic": "t"})),
        {},
        {},
        {"n": {"topic": "t"}},
    ),
    (
        "2.12-tool-gets-no-schema-check",
        graph(tool(tool_arguments={"city": 7}, tool_input_schema={"properties": {"city": {"type": "string"}}})),
        {},
        {},
        {"n": {"city": 7}},
    ),
    (
        "2.12-formats-are-not-checked",
        graph(node("in", "AgentDateInput", name="d")),
        {"d": "tomorrow"},
        {},
        {"in": {"name": "d", "value": "tomorrow"}},
    ),
    (
        "2.4-5g-null-members-are-not-checked",
        graph(
            node(
                "n",
                "AITextGenerator",
                prompt="p",
                retry=None,
                credentials={"id": "openai-1", "provider": "openai", "type": "api_key"},
            )
        ),
        {},
        {},
        {
            "n": {
                "prompt": "p",
                "retry": None,
                "credentials": {"id": "openai-1", "provider": "openai", "type": "api_key"},
            }
        },
    ),
]


@pytest.mark.parametrize(
    ("asked", "inputs", "masks", "starting"), [pytest.param(*case[1:], id=case[0]) for case in VALID]
)
def test_each_starting_node_is_given_its_whole_input(
    asked: Graph, inputs: Mapping[str, Any], masks: NodeInputs, starting: NodeInputs
) -> None:
    verdict = decide(asked, inputs=inputs, masks=masks)

    assert (verdict.kind, verdict.message) == (VerdictKind.VALID, "")
    assert verdict.starting_nodes == starting
    assert verdict.graph_version == 1


MISMATCH = "Input data missing or mismatch for `{}`: {}"
WEBHOOK = (
    "This agent is triggered by an external event (webhook) and cannot be executed directly: "
    "run it by its trigger, or give its webhook node a payload"
)
NOTHING_STARTS = "No starting nodes found for the graph: it needs an input node, or a node that no link ends at"
CYCLE = graph(
    node("a", "StoreValue"), node("b", "StoreValue"), links=[link("a.output", "b.input"), link("b.output", "a.input")]
)
REFUSED: list[tuple[str, Graph, Mapping[str, Any], NodeInputs, str]] = [
    ("2.4-4-webhook-without-payload", graph(node("n", "GenericWebhookTrigger")), {}, {}, WEBHOOK),
    (
        "2.4-4-webhook-with-constant-payload",
        graph(node("n", "GenericWebhookTrigger", payload={"a": 1})),
        {},
        {},
        WEBHOOK,
    ),
    (
        "2.4-5a-unpopulated-links",
        graph(
            ENTRY, node("m", "AgentInput", name="y"), links=[link("in.result", "m.value"), link("in.result", "m.title")]
        ),
        {},
        {},
        MISMATCH.format("AgentInputBlock", "unpopulated links {'title', 'value'}"),
    ),
    (
        "2.4-5a-raw-sink-names",
        graph(ENTRY, node("m", "AgentInput", name="y"), links=[link("in.result", "m.value_#_k")]),
        {"y": 1},
        {},
        MISMATCH.format("AgentInputBlock", "unpopulated links {'value_#_k'}"),
    ),
    (
        "2.4-5a-constants-do-not-populate",
        graph(ENTRY, node("m", "AgentInput", name="y", title="t"), links=[link("in.result", "m.title")]),
        {},
        {},
        MISMATCH.format("AgentInputBlock", "unpopulated links {'title'}"),
    ),
    (
        "2.4-5d-index-is-no-number",
        graph(node("n", "AddToList", **{"list_$_x": "a"})),
        {},
        {},
        "List index 'x' of a dynamic pin must be a whole number up to 10000",
    ),
    (
        "2.4-5d-index-beyond-reason",
        graph(node("n", "AddToList", **{"list_$_10001": "a"})),
        {},
        {},
        "List index '10001' of a dynamic pin must be a whole number up to 10000",
    ),
    (
        "2.12-conversion-fails-outside-an-enumeration",
        graph(node("n", "Calculator", operation="Modulo", a=1, b=2)),
        {},
        {},
        "Failed to convert Modulo to the type of `operation`",
    ),
    (
        "2.12-conversion-fails-on-overflow",
        graph(node("in", "AgentNumberInput", name="n")),
        {"n": "1e999"},
        {},
        "Failed to convert 1e999 to the type of `value`",
    ),
    (
        "2.12-null-in-a-required-field",
        graph(node("n", "Calculator", operation="Add", a=None, b=2)),
        {},
        {},
        MISMATCH.format("CalculatorBlock", "'a' is a required property"),
    ),
    (
        "2.4-5g-schema-mismatch",
        graph(node("in", "AgentGoogleDriveFileInput", name="f")),
        {"f": "text"},
        {},
        MISMATCH.format(
            "AgentGoogleDriveFileInputBlock", "'text' is not valid under any of the given schemas (at $.value)"
        ),
    ),
    ("2.4-6-a-cycle-has-no-start", CYCLE, {}, {}, NOTHING_STARTS),
    ("2.4-6-a-note-is-no-start", graph(node("n", "Note", text="t")), {}, {}, NOTHING_STARTS),
    ("2.4-6-an-empty-graph-has-no-start", graph(), {}, {}, NOTHING_STARTS),
]


@pytest.mark.parametrize(
    ("asked", "inputs", "masks", "message"), [pytest.param(*case[1:], id=case[0]) for case in REFUSED]
)
def test_an_input_that_does_not_fit_is_a_plain_error(
    asked: Graph, inputs: Mapping[str, Any], masks: NodeInputs, message: str
) -> None:
    verdict = decide(asked, inputs=inputs, masks=masks)

    assert (verdict.kind, verdict.message) == (VerdictKind.ERROR, message)
    assert verdict.node_errors == {}


def test_the_facts_are_left_as_they_were() -> None:
    values = {"a": 1}
    asked = graph(node("n", "FillTextTemplate", **{"format": "f", "values": values, "values_#_b": 2}))

    decide(asked)

    assert values == {"a": 1}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800", {1, 2}])
def test_inputs_that_no_database_can_hold_are_refused(value: object) -> None:
    verdict = decide(graph(ENTRY), inputs={"elsewhere": value})

    assert verdict.kind is VerdictKind.ERROR
    assert verdict.message.startswith("The inputs cannot be stored: they must be JSON")
