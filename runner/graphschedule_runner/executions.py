"""`executions list`: the newest executions that schedules made, with their status and inputs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from graphschedule_platform.ledger import slot_table
from graphschedule_platform.tables import agent_graph_execution
from sqlalchemy import select

from graphschedule_runner import assembly
from graphschedule_runner.console import columns, say

if TYPE_CHECKING:
    import argparse

    from sqlalchemy import RowMapping, Select

    from graphschedule_runner.settings import Settings

_COLUMNS = ("schedule", "slot", "executionId", "status", "createdAt", "inputs")


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Print the executions, newest first; return 0."""
    with assembly.transaction(settings) as connection:
        rows = connection.execute(_query(options.schedule).limit(options.limit)).mappings().all()
    executions = [_members(row) for row in rows]
    if options.output == "json":
        say(json.dumps(executions, indent=2))
    else:
        columns(_COLUMNS, [[*(one[name] for name in _COLUMNS[:-1]), json.dumps(one["inputs"])] for one in executions])
    return 0


def _query(schedule: str | None) -> Select[Any]:
    execution, slot = agent_graph_execution.c, slot_table.c
    query = (
        select(
            slot.namespace,
            slot.schedule_name,
            slot.slot,
            execution.id,
            execution.execution_status,
            execution.created_at,
            execution.inputs,
        )
        .join_from(agent_graph_execution, slot_table, slot.id == execution.id)
        .order_by(execution.created_at.desc(), execution.id)
    )
    return query if schedule is None else query.where(slot.schedule_name == schedule)


def _members(row: RowMapping) -> dict[str, Any]:
    return {
        "schedule": f"{row['namespace']}/{row['schedule_name']}",
        "slot": row["slot"],
        "executionId": row["id"],
        "status": row["execution_status"],
        "createdAt": row["created_at"].isoformat(timespec="milliseconds"),
        "inputs": row["inputs"],
    }
