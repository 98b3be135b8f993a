"""What one accepted request becomes: the platform's rows (C §2.5) and its queue message (C §2.9). Pure."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule.slots import Slot

    from graphschedule_platform.context import RunContext
    from graphschedule_platform.verdict import ExecutionRequest, Verdict

Row = dict[str, Any]
"""Values by the column keys of `graphschedule_platform.tables`; None in a JSON column is JSON's null."""

QUEUED = "QUEUED"


class ExecutionRows(NamedTuple):
    """The rows of one execution, by table, parents first."""

    execution: Row
    nodes: list[Row]
    inputs: list[Row]


def execution_rows(execution_id: str, request: ExecutionRequest, verdict: Verdict, now: datetime) -> ExecutionRows:
    """Return the rows of a valid request.

    The platform writes INCOMPLETE and turns it into QUEUED in a second statement (C §2.7); here both happen in one
    transaction, in which nobody can see the first, so the row is born QUEUED. All ids follow from the execution's.
    """
    execution = {
        "id": execution_id,
        "agent_graph_id": request.graph_id,
        "agent_graph_version": verdict.graph_version,
        "user_id": request.user_id,
        "execution_status": QUEUED,
        "updated_at": now,
        "inputs": request.inputs,
        "credential_inputs": {name: _stored_credential(meta) for name, meta in request.credentials.items()},
        "nodes_input_masks": request.nodes_input_masks,
    }
    nodes: list[Row] = [
        {
            "id": node_execution_id(execution_id, node_id),
            "agent_graph_execution_id": execution_id,
            "agent_node_id": node_id,
            "execution_status": QUEUED,
            "queued_time": now,
        }
        for node_id in verdict.starting_nodes
    ]
    inputs = [
        _input_row(node["id"], name, value)
        for node, data in zip(nodes, verdict.starting_nodes.values(), strict=True)
        for name, value in data.items()
    ]
    return ExecutionRows(execution, nodes, inputs)


def node_execution_id(execution_id: str, node_id: str) -> str:
    """Return the id of a starting node's execution: UUIDv5 of the node id in the execution's namespace."""
    return str(uuid.uuid5(uuid.UUID(execution_id), node_id))


def _input_row(node_execution: str, name: str, value: object) -> Row:
    return {
        "id": str(uuid.uuid5(uuid.UUID(node_execution), name)),
        "name": name,
        "referenced_by_input_exec_id": node_execution,
        "data": value,
    }


def _stored_credential(meta: Mapping[str, Any]) -> Row:
    """Return a credential reference as it is stored: with its title, even if there is none (C §2.12)."""
    return {"title": None} | dict(meta)


def queue_message(execution_id: str, request: ExecutionRequest, verdict: Verdict, context: RunContext) -> str:
    """Return the JSON text of the executor's `GraphExecutionEntry`, with every field of C §2.6 and §2.9."""
    entry = {
        "user_id": request.user_id,
        "graph_exec_id": execution_id,
        "graph_id": request.graph_id,
        "graph_version": verdict.graph_version,
        "nodes_input_masks": verdict.nodes_input_masks,
        "nodes_to_skip": sorted(verdict.nodes_to_skip),
        "execution_context": {
            "user_id": request.user_id,
            "graph_id": request.graph_id,
            "graph_exec_id": execution_id,
            "graph_version": verdict.graph_version,
            "node_id": None,
            "node_exec_id": None,
            "human_in_the_loop_safe_mode": context.library.safe_modes.human_in_the_loop,
            "sensitive_action_safe_mode": context.library.safe_modes.sensitive_action,
            "dry_run": False,
            "user_timezone": context.user_timezone,
            "root_execution_id": execution_id,
            "parent_execution_id": None,
            "workspace_id": context.workspace_id,
            "session_id": None,
        }
        | _tenancy(context),
    }
    return json.dumps(entry, separators=(",", ":"))


def _tenancy(context: RunContext) -> Row:
    """Return the members of newer releases (C §2.9) that are known."""
    members = {"organization_id": context.library.organization_id, "team_id": context.library.team_id}
    return {name: value for name, value in members.items() if value is not None}


def later_columns(slot: Slot, context: RunContext) -> Row:
    """Return the values of the execution's columns that only newer releases have (C §1.4)."""
    return {
        "trigger_source": "schedule",
        "trigger_ref": slot.key,
        "schedule_id": slot.schedule_uid,
        "organization_id": context.library.organization_id,
        "team_id": context.library.team_id,
    }
