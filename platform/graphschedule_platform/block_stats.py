"""How often blocks failed, and what they said when they did (C §4.2)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import func, select

from graphschedule_platform.tables import (
    agent_block,
    agent_node,
    agent_node_execution,
    agent_node_execution_input_output,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection

MIN_EXECUTIONS = 10
"""A block with fewer executions says nothing about a rate."""

UNKNOWN = "Unknown"
"""The name of a block that the platform does not know."""

_FAILED = "FAILED"


class BlockStats(NamedTuple):
    """How a block's executions of some time went."""

    block_id: str
    name: str
    total: int
    """Executions in any status."""
    failed: int


def block_stats(connection: Connection, since: datetime, until: datetime) -> list[BlockStats]:
    """Return the blocks with at least `MIN_EXECUTIONS` node executions in a span of time, both ends included.

    Ordered by failures, most first, then by name. Each block of an unknown name stands for itself.
    """
    execution, node = agent_node_execution.c, agent_node.c
    failed = func.count().filter(execution.execution_status == _FAILED)
    name = func.coalesce(func.max(agent_block.c.name), UNKNOWN)
    query = (
        select(node.agent_block_id, name, func.count(), failed)
        .join_from(agent_node_execution, agent_node, node.id == execution.agent_node_id)
        .outerjoin(agent_block, agent_block.c.id == node.agent_block_id)
        .where(execution.added_time.between(since, until))
        .group_by(node.agent_block_id)
        .having(func.count() >= MIN_EXECUTIONS)
        .order_by(failed.desc(), name, node.agent_block_id)
    )
    return [BlockStats(*row) for row in connection.execute(query)]


def error_samples(
    connection: Connection, block_ids: Collection[str], since: datetime, until: datetime, *, limit: int
) -> dict[str, list[str]]:
    """Return by block what its newest failed executions of a span of time wrote to their output `error`, unmasked.

    Looks at up to `limit` executions of each block, newest first, and takes the first value that each wrote; those
    that wrote none give no sample.
    """
    failures = _newest_failures(connection, block_ids, since, until, limit)
    texts = _first_errors(connection, [execution_id for _, execution_id in failures])
    samples: dict[str, list[str]] = {}
    for block_id, execution_id in failures:
        if execution_id in texts:
            samples.setdefault(block_id, []).append(texts[execution_id])
    return samples


def _newest_failures(
    connection: Connection, block_ids: Collection[str], since: datetime, until: datetime, limit: int
) -> list[tuple[str, str]]:
    """Return block and execution of up to `limit` failures of each block, newest first."""
    execution, node = agent_node_execution.c, agent_node.c
    newest = func.row_number().over(
        partition_by=node.agent_block_id, order_by=(execution.added_time.desc(), execution.id)
    )
    failed = (
        select(node.agent_block_id.label("block_id"), execution.id.label("execution_id"), newest.label("newest"))
        .join_from(agent_node_execution, agent_node, node.id == execution.agent_node_id)
        .where(
            node.agent_block_id.in_(sorted(block_ids)),
            execution.execution_status == _FAILED,
            execution.added_time.between(since, until),
        )
        .subquery()
        .c
    )
    query = select(failed.block_id, failed.execution_id).where(failed.newest <= limit).order_by(failed.newest)
    return [(row.block_id, row.execution_id) for row in connection.execute(query)]


def _first_errors(connection: Connection, execution_ids: Collection[str]) -> dict[str, str]:
    """Return by execution what it wrote to its output `error` first.

    A query of its own, by the index of executions: joined to the failures, the planner may read every error ever made.
    """
    output = agent_node_execution_input_output.c
    execution_id = output.referenced_by_output_exec_id
    query = (
        select(execution_id.label("execution_id"), output.data)
        .where(execution_id.in_(execution_ids), output.name == "error")
        .order_by(output.time.desc(), output.id.desc())
    )
    return {row.execution_id: _text(row.data) for row in connection.execute(query)}


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return value if isinstance(value, str) else json.dumps(value)
