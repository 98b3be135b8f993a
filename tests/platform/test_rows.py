"""An accepted request becomes exactly the platform's rows (C §2.5, §2.12) and its message (C §2.6, §2.9)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from graphschedule_platform.context import LibraryFacts, RunContext, SafeModes
from graphschedule_platform.rows import execution_rows, node_execution_id, queue_message
from graphschedule_platform.verdict import ExecutionRequest, Verdict, VerdictKind

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
EXECUTION = "42475c5d-8adc-5515-9073-d6ee88e0726c"
CREDENTIAL = {"id": "c1", "provider": "github", "type": "api_key"}
REQUEST = ExecutionRequest(
    graph_id="graph",
    user_id="user",
    inputs={"topic": "news"},
    credentials={"github_api_key_credentials": CREDENTIAL},
    nodes_input_masks={"n2": {"limit": 3}},
)
VERDICT = Verdict(
    VerdictKind.VALID,
    graph_version=7,
    starting_nodes={"n1": {"name": "topic", "value": "news"}, "n2": {"limit": 3, "note": None}},
    nodes_input_masks={"n2": {"limit": 3, "credentials": CREDENTIAL}},
    nodes_to_skip=("n9", "n4"),
)
CONTEXT = RunContext("Europe/Berlin", "workspace", LibraryFacts(SafeModes(human_in_the_loop=False)))


def test_the_execution_row_holds_what_the_caller_gave() -> None:
    assert execution_rows(EXECUTION, REQUEST, VERDICT, NOW).execution == {
        "id": EXECUTION,
        "agent_graph_id": "graph",
        "agent_graph_version": 7,
        "user_id": "user",
        "execution_status": "QUEUED",
        "updated_at": NOW,
        "inputs": {"topic": "news"},
        "credential_inputs": {"github_api_key_credentials": {"title": None} | CREDENTIAL},
        "nodes_input_masks": {"n2": {"limit": 3}},
    }


def test_every_starting_node_has_one_queued_execution() -> None:
    assert execution_rows(EXECUTION, REQUEST, VERDICT, NOW).nodes == [
        {
            "id": node_execution_id(EXECUTION, node),
            "agent_graph_execution_id": EXECUTION,
            "agent_node_id": node,
            "execution_status": "QUEUED",
            "queued_time": NOW,
        }
        for node in ("n1", "n2")
    ]


def test_every_input_of_a_starting_node_is_a_row_and_null_is_json_null() -> None:
    rows = execution_rows(EXECUTION, REQUEST, VERDICT, NOW).inputs
    assert [(row["referenced_by_input_exec_id"], row["name"], row["data"]) for row in rows] == [
        (node_execution_id(EXECUTION, "n1"), "name", "topic"),
        (node_execution_id(EXECUTION, "n1"), "value", "news"),
        (node_execution_id(EXECUTION, "n2"), "limit", 3),
        (node_execution_id(EXECUTION, "n2"), "note", None),
    ]


def test_the_same_execution_always_has_the_same_rows() -> None:
    first, second = (execution_rows(EXECUTION, REQUEST, VERDICT, NOW) for _ in range(2))
    assert first == second
    assert len({row["id"] for row in [*first.nodes, *first.inputs]}) == len(first.nodes) + len(first.inputs)


def test_the_message_carries_the_compiled_masks_and_the_context() -> None:
    message = json.loads(queue_message(EXECUTION, REQUEST, VERDICT, CONTEXT))
    assert message == {
        "user_id": "user",
        "graph_exec_id": EXECUTION,
        "graph_id": "graph",
        "graph_version": 7,
        "nodes_input_masks": {"n2": {"limit": 3, "credentials": CREDENTIAL}},
        "nodes_to_skip": ["n4", "n9"],
        "execution_context": {
            "user_id": "user",
            "graph_id": "graph",
            "graph_exec_id": EXECUTION,
            "graph_version": 7,
            "node_id": None,
            "node_exec_id": None,
            "human_in_the_loop_safe_mode": False,
            "sensitive_action_safe_mode": False,
            "dry_run": False,
            "user_timezone": "Europe/Berlin",
            "root_execution_id": EXECUTION,
            "parent_execution_id": None,
            "workspace_id": "workspace",
            "session_id": None,
        },
    }


@pytest.mark.parametrize(
    ("settings", "modes"),
    [
        ({}, SafeModes(True, False)),
        ({"human_in_the_loop_safe_mode": False}, SafeModes(False, False)),
        ({"human_in_the_loop_safe_mode": None, "sensitive_action_safe_mode": True}, SafeModes(True, True)),
        ({"human_in_the_loop_safe_mode": "perhaps", "sensitive_action_safe_mode": True}, SafeModes(True, False)),
        (["malformed"], SafeModes(True, False)),
        (None, SafeModes(True, False)),
    ],
)
def test_safe_modes_are_the_library_entrys_or_the_defaults(settings: object, modes: SafeModes) -> None:
    assert SafeModes.of_settings(settings) == modes
