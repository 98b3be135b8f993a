"""Collected errors of nodes' inputs: every row of C §2.2, with its corrections of C §2.12."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.verdict import NodeErrors, NodeInputs, Verdict, VerdictKind

from tests.support.facts import BLOCKS, decide, graph, link, make_block, node, optional

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphschedule_platform.facts import Graph, Node

REQUIRED = "This field is required"
PICK = "'spreadsheet' must be chosen with the file picker, or linked: it needs the credentials to open the file"
ENTRY = node("in", "AgentInput", name="x")
AFTER = node("after", "StoreValue", input=1)
TOOL_CALL = [{"role": "assistant", "tool_calls": [{"id": "call-1"}]}]
OPENAI = {"id": "openai-1", "provider": "openai", "type": "api_key"}
GITHUB = {"id": "github-1", "provider": "github", "type": "api_key"}


def agent(required: object, **constants: object) -> Node:
    schema = {"properties": {"topic": {}, "tone": {}}, "required": required}
    whole = {"user_id": "u", "graph_id": "g", "graph_version": 1, "inputs": {}, "output_schema": {}}
    return node("n", "AgentExecutor", **{**whole, "input_schema": schema, **constants})


def tool(**constants: object) -> Node:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    return node("n", "MCPTool", **{"server_url": "https://mcp.example.com", "tool_input_schema": schema, **constants})


def orchestrator(**constants: object) -> Node:
    return node("n", "Orchestrator", prompt="p", credentials=OPENAI, model="gpt-5-mini-2025-08-07", **constants)


def todoist(**constants: object) -> Node:
    return optional(node("n", "TodoistUpdateTask", task_id="t", content="c", **constants))


def sheet(value: object) -> Node:
    return node("n", "GoogleSheetsRead", range="A1", spreadsheet=value)


FROM_ENTRY = [link("in.result", "n.spreadsheet")]

INVALID: list[tuple[str, Graph, NodeInputs, NodeErrors]] = [
    ("2.2-required-field", graph(node("n", "FillTextTemplate", format="f")), {}, {"n": {"values": REQUIRED}}),
    ("2.2-required-of-every-kind", graph(ENTRY, node("n", "Note"), AFTER), {}, {"n": {"text": REQUIRED}}),
    (
        "2.2-several-fields-of-several-nodes",
        graph(node("n", "FillTextTemplate"), node("m", "Calculator", a=1)),
        {},
        {"n": {"values": REQUIRED, "format": REQUIRED}, "m": {"b": REQUIRED, "operation": REQUIRED}},
    ),
    (
        "2.2-sub-graph-errors-are-merged",
        graph(
            node("n", "FillTextTemplate", values={}),
            sub_graphs=[graph(node("s", "StoreValue"), graph_id="g2"), graph(node("t", "StoreValue"), graph_id="g3")],
        ),
        {},
        {"n": {"format": REQUIRED}, "s": {"input": REQUIRED}, "t": {"input": REQUIRED}},
    ),
    (
        "2.12-mask-key-is-no-base-name",
        graph(node("n", "FillTextTemplate", format="f")),
        {"n": {"values_#_a": 1}},
        {"n": {"values": REQUIRED}},
    ),
    (
        "2.2-reserved-name",
        graph(node("n", "AgentInput", name="credentials")),
        {},
        {"n": {"name": "'credentials' is a reserved input name: 'credentials' and `*_credentials` are reserved"}},
    ),
    (
        "2.2-reserved-suffix-in-a-sub-type",
        graph(node("n", "AgentShortTextInput", name="my_credentials")),
        {},
        {"n": {"name": "'my_credentials' is a reserved input name: 'credentials' and `*_credentials` are reserved"}},
    ),
    ("2.2-agent-argument", graph(agent(["topic"])), {}, {"n": {"topic": REQUIRED}}),
    (
        "2.12-agent-argument-and-model-field",
        graph(agent(["topic"], agent_name="a", inputs={"tone": 1}), AFTER),
        {},
        {"n": {"topic": REQUIRED}},
    ),
    ("2.2-tool-argument", graph(tool()), {}, {"n": {"city": REQUIRED}}),
    (
        "2.12-link-into-tool-arguments-is-no-argument",
        graph(ENTRY, tool(), links=[link("in.result", "n.tool_arguments_#_city")]),
        {},
        {"n": {"city": REQUIRED}},
    ),
    (
        "2.12-orchestrator-awaits-the-tool",
        graph(orchestrator(conversation_history=TOOL_CALL)),
        {},
        {"n": {"last_tool_output": REQUIRED}},
    ),
    (
        "2.12-orchestrator-awaits-the-conversation",
        graph(orchestrator(last_tool_output="sunny")),
        {},
        {"n": {"conversation_history": REQUIRED}},
    ),
    ("2.2-picker-text", graph(sheet("https://docs")), {}, {"n": {"spreadsheet": PICK}}),
    ("2.2-picker-empty-text", graph(sheet("")), {}, {"n": {"spreadsheet": PICK}}),
    ("2.2-picker-object-without-credentials", graph(sheet({"id": "f"})), {}, {"n": {"spreadsheet": PICK}}),
    ("2.2-picker-another-type", graph(sheet(["f"])), {}, {"n": {"spreadsheet": PICK}}),
    ("2.12-picker-empty-object", graph(sheet({})), {}, {"n": {"spreadsheet": PICK}}),
    (
        "2.12-picker-null-credentials",
        graph(sheet({"id": "f", "_credentials_id": None})),
        {},
        {"n": {"spreadsheet": PICK}},
    ),
    (
        "2.2-depends-on",
        graph(ENTRY, todoist(duration=5), links=[link("in.result", "n.order")]),
        {},
        {"n": {"duration": "Requires duration_unit to be set"}},
    ),
    (
        "2.2-depends-on-null",
        graph(todoist(duration=5, duration_unit=None)),
        {},
        {"n": {"duration": "Requires duration_unit to be set"}},
    ),
    (
        "2.2-depends-on-blank",
        graph(todoist(duration=5, duration_unit=" ")),
        {},
        {"n": {"duration": "Requires duration_unit to be set"}},
    ),
    (
        "2.2-depends-on-link-does-not-count",
        graph(ENTRY, todoist(duration=5), links=[link("in.result", "n.duration_unit")]),
        {},
        {"n": {"duration": "Requires duration_unit to be set"}},
    ),
    (
        "2.2-depends-on-field-of-a-mask",
        graph(todoist()),
        {"n": {"duration": 5}},
        {"n": {"duration": "Requires duration_unit to be set"}},
    ),
]


@pytest.mark.parametrize(("asked", "masks", "errors"), [pytest.param(*case[1:], id=case[0]) for case in INVALID])
def test_input_errors_are_collected_by_node_and_field(asked: Graph, masks: NodeInputs, errors: NodeErrors) -> None:
    verdict = decide(asked, masks=masks)

    issues = sum(map(len, errors.values()))
    assert verdict.kind is VerdictKind.INVALID
    assert verdict.node_errors == errors
    assert verdict.message == f"Graph validation failed: {issues} issues on {len(errors)} nodes"


VALID: list[tuple[str, Graph, NodeInputs]] = [
    ("2.2-by-link", graph(ENTRY, node("n", "StoreValue"), links=[link("in.result", "n.input")]), {}),
    (
        "2.2-by-link-into-a-map",
        graph(ENTRY, node("n", "FillTextTemplate", format="f"), links=[link("in.result", "n.values_#_a")]),
        {},
    ),
    ("2.2-by-constant-into-a-map", graph(node("n", "FillTextTemplate", **{"format": "f", "values_#_a": 1})), {}),
    ("2.2-by-mask", graph(node("n", "StoreValue")), {"n": {"input": 1}}),
    (
        "2.2-null-counts-as-provided",
        graph(ENTRY, node("n", "Calculator", operation="Add", a=None), links=[link("in.result", "n.b")]),
        {},
    ),
    ("2.2-missing-graph-input-is-no-error", graph(ENTRY), {}),
    ("2.2-name-with-credentials-inside", graph(node("n", "AgentInput", name="credentials_file")), {}),
    (
        "2.2-output-may-be-called-credentials",
        graph(ENTRY, node("n", "AgentOutput", name="credentials"), links=[link("in.result", "n.value")]),
        {},
    ),
    ("2.2-agent-argument-in-inputs", graph(agent(["topic"], inputs={"topic": "t"})), {}),
    ("2.2-agent-argument-by-link", graph(ENTRY, agent(["topic"]), links=[link("in.result", "n.topic")]), {}),
    ("2.2-agent-argument-by-mask", graph(agent(["topic"])), {"n": {"topic": "t"}}),
    ("2.12-agent-argument-among-constants", graph(agent(["topic"], topic="t")), {}),
    ("2.2-tool-argument-given", graph(tool(tool_arguments={"city": "Rome"})), {}),
    ("2.2-tool-argument-by-mask", graph(tool()), {"n": {"city": "Rome"}}),
    (
        "2.12-orchestrator-with-an-answer",
        graph(orchestrator(conversation_history=TOOL_CALL, last_tool_output="sunny")),
        {},
    ),
    (
        "2.2-depends-on-satisfied",
        graph(ENTRY, todoist(duration=5, duration_unit="day"), links=[link("in.result", "n.order")]),
        {},
    ),
    (
        "2.2-depends-on-satisfied-by-mask",
        graph(ENTRY, todoist(duration=5), links=[link("in.result", "n.order")]),
        {"n": {"duration_unit": "day"}},
    ),
    ("2.2-depends-on-unused", graph(ENTRY, todoist(), links=[link("in.result", "n.duration")]), {}),
    ("2.2-picker-linked", graph(ENTRY, sheet("text"), links=FROM_ENTRY), {}),
    ("2.2-picker-linked-by-attribute", graph(ENTRY, sheet({}), links=[link("in.result", "n.spreadsheet_@_id")]), {}),
    ("2.2-picker-chosen", graph(sheet({"id": "f", "_credentials_id": "google-1"})), {}),
]


@pytest.mark.parametrize(("asked", "masks"), [pytest.param(*case[1:], id=case[0]) for case in VALID])
def test_what_is_provided_is_no_error(asked: Graph, masks: NodeInputs) -> None:
    """Optional credentials of the node skip it, or are given by a mask: here only inputs are in question."""
    given = {
        **masks,
        **{n.id: {"credentials": None, **masks.get(n.id, {})} for n in asked.nodes if n.credentials_optional},
    }

    verdict = decide(asked, masks=given)

    assert (verdict.kind, verdict.message, verdict.node_errors) == (VerdictKind.VALID, "", {})


def use(role: str, **part: object) -> Mapping[str, object]:
    return {"role": role, "content": [part]}


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (TOOL_CALL[0], {"role": "tool", "tool_call_id": "call-1", "content": "sunny"}),
        ({"type": "function_call", "call_id": "call-1"}, {"type": "function_call_output", "call_id": "call-1"}),
        (use("assistant", type="tool_use", id="call-1"), use("user", type="tool_result", tool_use_id="call-1")),
    ],
    ids=["chat-completions", "responses", "messages"],
)
def test_a_conversation_is_due_when_its_tool_calls_are_answered(call: object, answer: object) -> None:
    """2.12: in each of the shapes that language models' APIs give calls and answers."""

    def asked(*history: object, **constants: object) -> Verdict:
        return decide(graph(orchestrator(conversation_history=[*history], **constants)))

    greeting = {"role": "user", "content": "hello"}
    assert asked(greeting, call).node_errors == {"n": {"last_tool_output": REQUIRED}}
    assert asked(call, answer, call).node_errors == {"n": {"last_tool_output": REQUIRED}}
    assert asked(greeting, call, answer).valid
    assert asked(call, last_tool_output="sunny").valid
    # The field has a constant, which counts as provided; the starting node's own check still finds its turn due.
    assert asked(call, answer, last_tool_output="sunny").message == (
        "Input data missing or mismatch for `OrchestratorBlock`: missing input {'conversation_history'}"
    )


def test_a_string_discriminator_is_a_dependency() -> None:
    """2.2: no shipped block can fire this, for each discriminating field has a default or is required (C §2.12)."""
    fields: Mapping[str, object] = {
        "model": {"type": "string", "default": None},
        "credentials": {
            "credentials_provider": ["openai"],
            "credentials_types": ["api_key"],
            "discriminator": "model",
            "type": "object",
        },
    }
    odd = make_block("odd", "OddBlock", {"properties": fields, "required": ["credentials"]}, {})
    asked = graph(node("n", "odd", credentials=OPENAI))

    verdict = decide(asked, blocks={**BLOCKS, "odd": odd})

    assert verdict.node_errors == {"n": {"credentials": "Requires model to be set"}}
