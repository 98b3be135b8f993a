"""The system tasks over the drop-in: each `execute_…` method, and what it returns (C §5.2).

A run that outlives the request is no error: who asked for text or an object is told how it stands.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request

from graphschedule_api.errors import TaskFailedError
from graphschedule_api.rpc import models  # noqa: TC001 - FastAPI reads the annotations
from graphschedule_api.rpc.errors import RpcRoute
from graphschedule_api.tasks import State, TaskRun, Tasks

NOTIFICATION_TYPES = "NOTIFICATION_TYPES"
"""The variable by which the task is told whose batches to send."""

router = APIRouter(route_class=RpcRoute)


async def _tasks(request: Request) -> Tasks:
    tasks: Tasks = request.app.state.tasks
    return tasks


System = Annotated[Tasks, Depends(_tasks)]


@router.post("/execute_process_existing_batches")
async def execute_process_existing_batches(asked: models.Batches, tasks: System) -> None:
    """Send the batches of notifications that are due, of the types in `kwargs.notification_types`."""
    types = asked.kwargs.get("notification_types")
    if types == []:
        return  # to the task, no types mean all
    given = {NOTIFICATION_TYPES: ",".join(map(str, types))} if isinstance(types, list) else {}
    await _run(tasks, "process-existing-batches", given)


@router.post("/execute_process_weekly_summary")
async def execute_process_weekly_summary(_: models.Nothing, tasks: System) -> None:
    """Queue the weekly summary of every active user."""
    await _run(tasks, "process-weekly-summary")


@router.post("/execute_cleanup_expired_files")
async def execute_cleanup_expired_files(_: models.Nothing, tasks: System) -> None:
    """Delete expired uploads from the object store."""
    await _run(tasks, "cleanup-expired-files")


@router.post("/execute_cleanup_oauth_tokens")
async def execute_cleanup_oauth_tokens(_: models.Nothing, tasks: System) -> None:
    """Delete expired OAuth codes and tokens."""
    await _run(tasks, "cleanup-oauth-tokens")


@router.post("/execute_report_late_executions")
async def execute_report_late_executions(_: models.Nothing, tasks: System) -> str:
    """Alert on executions that wait too long, or do not end; return what was found."""
    return (await _run(tasks, "report-late-executions")).text


@router.post("/execute_report_block_error_rates")
async def execute_report_block_error_rates(_: models.Nothing, tasks: System) -> str:
    """Alert on blocks that fail too often; return what was found."""
    return (await _run(tasks, "report-block-error-rates")).text


@router.post("/execute_report_execution_accuracy_alerts")
async def execute_report_execution_accuracy_alerts(_: models.Nothing, tasks: System) -> str:
    """Alert on agents whose accuracy drops; return what was found."""
    return (await _run(tasks, "report-execution-accuracy-alerts")).text


@router.post("/execute_ensure_embeddings_coverage")
async def execute_ensure_embeddings_coverage(_: models.Nothing, tasks: System) -> dict[str, Any]:
    """Embed what has no embedding yet, and delete embeddings of what is gone; return the counts."""
    run = await _run(tasks, "ensure-embeddings-coverage")
    return dict(run.counts) if run.state is State.SUCCEEDED else {"state": run.state, "job": run.job, "error": run.text}


async def _run(tasks: Tasks, task: str, environment: dict[str, str] | None = None) -> TaskRun:
    """Run a task.

    Raises:
        TaskFailedError: it failed.

    """
    run = await tasks.run(task, environment or {})
    if run.state is State.FAILED:
        raise TaskFailedError(run.text)
    return run
