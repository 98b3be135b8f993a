"""The paths of a schedule's runs: those that were, and one more, now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Body, Path, Query
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations
from graphschedule.spec import GraphScheduleSpec
from graphschedule_platform.runs import Place

from graphschedule_api import schedule
from graphschedule_api.auth import callers
from graphschedule_api.rest import models, pages, views
from graphschedule_api.rest.problems import BadRequestError, Kind, documented
from graphschedule_api.rest.routing import Asking, Known, KnownRuns, RestRoute
from graphschedule_api.rest.schedules import READING, WRITING, ScheduleId, own

if TYPE_CHECKING:
    from graphschedule_api.cache import Object

router = APIRouter(route_class=RestRoute, tags=["runs"], prefix="/v1/schedules/{schedule_id}")

_RUN = "run"
_RUNNING = {status: told for status, told in WRITING.items() if status != Kind.PRECONDITION_FAILED.status}


@router.get("/runs", responses=READING | documented(Kind.BAD_REQUEST) | {200: {"model": models.RunPage}})
async def list_runs(
    schedule_id: ScheduleId,
    caller: Asking,
    schedules: Known,
    runs: KnownRuns,
    *,
    limit: Annotated[int, Query(ge=1, le=pages.MAX_LIMIT, description="Runs of a page, at most.")] = pages.LIMIT,
    cursor: Annotated[str | None, Query(description="`nextCursor` of the page before.")] = None,
) -> Response:
    """List the runs of a schedule, newest first: slots of the ledger with the states of their executions."""
    found = await own(schedule_id, caller, schedules, callers.GET)
    page = await runs.page(found, limit + 1, _place(cursor))
    shown, more = page[:limit], len(page) > limit
    following = pages.written((_RUN, shown[-1].time.isoformat(), shown[-1].id)) if more else None
    return views.response({"items": [views.run_view(each) for each in shown], "nextCursor": following})


@router.get("/runs/{run_id}", responses=READING | {200: {"model": models.Run}})
async def get_run(
    schedule_id: ScheduleId,
    run_id: Annotated[str, Path(description="Id of the run.")],
    caller: Asking,
    schedules: Known,
    runs: KnownRuns,
) -> Response:
    """Return a run, once its pod has begun."""
    found = await own(schedule_id, caller, schedules, callers.GET)
    return views.response(views.run_view(await runs.get(found, run_id)))


_LOCATION = {"Location": {"description": "Where the run can be read.", "schema": {"type": "string"}}}


@router.post(
    ":run",
    status_code=202,
    responses=_RUNNING | {202: {"model": models.RunBegun, "description": "It is on its way.", "headers": _LOCATION}},
)
async def run_schedule(
    schedule_id: ScheduleId,
    caller: Asking,
    schedules: Known,
    runs: KnownRuns,
    overrides: Annotated[models.Overrides | None, Body()] = None,
) -> Response:
    """Run a schedule now, paused or not, with its own inputs or others."""
    found = await own(schedule_id, caller, schedules, callers.PATCH)
    begun = await runs.begin(found, _spec_of(found, overrides or models.Overrides()))
    run_id = begun.slot.execution_id
    url = f"/v1/schedules/{schedule_id}/runs/{run_id}"
    told = {"id": run_id, "slot": begun.slot.key, "job": begun.job, "url": url}
    return views.response(told, 202, {"Location": url})


def _spec_of(found: Object, overrides: models.Overrides) -> GraphScheduleSpec:
    credentials = {
        name: each.model_dump(by_alias=True, exclude_none=True) for name, each in overrides.credentials.items()
    }
    spec = GraphScheduleSpec.model_validate(found["spec"])
    return schedule.accepted(views.with_overrides(spec, overrides.inputs, credentials), datetime.now(UTC))


def _place(cursor: str | None) -> Place | None:
    read = pages.read(cursor, 3, begins=_RUN)
    if read is None:
        return None
    try:
        return Place(datetime.fromisoformat(read[1]).astimezone(UTC), read[2])
    except (ValueError, OverflowError) as error:
        raise BadRequestError("cursor: it names no time; begin without one") from error
