"""The paths of the system tasks: which there are, how they last went, and one run now (M25)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations
from graphschedule_platform import task_runs

from graphschedule_api.auth import callers
from graphschedule_api.rest import models, views
from graphschedule_api.rest.problems import Kind, documented
from graphschedule_api.rest.routing import Asking, Database, RestRoute, System
from graphschedule_api.tasks import State, name_of

router = APIRouter(route_class=RestRoute, tags=["tasks"], prefix="/v1/tasks")

TaskName = Annotated[str, Path(description="Name of the task.", examples=["cleanup-expired-files"])]

_LISTING = documented(Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.INVALID, Kind.TOO_MANY_REQUESTS, Kind.UNAVAILABLE)
_ONE = _LISTING | documented(Kind.NOT_FOUND)
_RUN: dict[int | str, dict[str, Any]] = {
    200: {"model": models.TaskRun, "description": "It is over; `state` says how it went."},
    202: {"model": models.TaskRun, "description": "It goes on."},
}


@router.get("", responses=_LISTING | {200: {"model": models.TaskList}})
async def list_tasks(caller: Asking, tasks: System, platform: Database) -> Response:
    """List the system tasks that are installed, with their newest runs."""
    await caller.require_operations(callers.LIST_TASKS, tasks.namespace)
    cronjobs, newest = await tasks.all(), await platform.read(task_runs.newest_of_each)
    return views.response({"items": [views.task_view(each, newest.get(name_of(each))) for each in cronjobs]})


@router.get("/{task}", responses=_ONE | {200: {"model": models.Task}})
async def get_task(task: TaskName, caller: Asking, tasks: System, platform: Database) -> Response:
    """Return a system task."""
    await caller.require_operations(callers.LIST_TASKS, tasks.namespace)
    cronjob, newest = await tasks.get(task), await platform.read(task_runs.newest_of_each)
    return views.response(views.task_view(cronjob, newest.get(task)))


@router.post("/{task}:run", responses=_ONE | _RUN)
async def run_task(
    task: TaskName,
    caller: Asking,
    tasks: System,
    prefer: Annotated[str | None, Header(description="`respond-async` does not wait for the end (RFC 7240).")] = None,
) -> Response:
    """Run a system task now, and return what it came to, or that it goes on."""
    await caller.require_operations(callers.RUN_TASKS, tasks.namespace)
    run = await tasks.run(task, {}, wait="respond-async" not in (prefer or ""))
    return views.response(run._asdict(), 202 if run.state is State.RUNNING else 200)
