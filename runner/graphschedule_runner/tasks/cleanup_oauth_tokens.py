"""`cleanup-oauth-tokens` (M21): delete expired OAuth codes and tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_platform.oauth import delete_expired

from graphschedule_runner.tasks.task import TaskResult

if TYPE_CHECKING:
    from graphschedule_runner.tasks.task import TaskContext


def run(context: TaskContext) -> TaskResult:
    """Delete what has expired by now; return how many of each kind (C §4.5)."""
    with context.engine.begin() as connection:
        return TaskResult(counts=delete_expired(connection, context.clock()))
