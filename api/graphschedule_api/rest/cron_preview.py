"""The path of the preview of a cron expression."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response  # noqa: TC002 - FastAPI reads the annotations
from graphschedule.cron import MAX_LENGTH

from graphschedule_api.auth import callers
from graphschedule_api.errors import NotAuthorizedError
from graphschedule_api.rest import models, views
from graphschedule_api.rest.preview import preview
from graphschedule_api.rest.problems import Kind, documented
from graphschedule_api.rest.routing import Asking, Known, RestRoute
from graphschedule_api.schedule import UTC_ZONE

router = APIRouter(route_class=RestRoute, tags=["cron"], prefix="/v1")

_PROBLEMS = documented(Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.INVALID, Kind.TOO_MANY_REQUESTS, Kind.UNAVAILABLE)


@router.get("/cron-preview", responses=_PROBLEMS | {200: {"model": models.Preview}})
async def preview_cron(
    caller: Asking,
    schedules: Known,
    *,
    cron: Annotated[str, Query(max_length=MAX_LENGTH, description="The expression.", examples=["0 9 * * mon-fri"])],
    time_zone: Annotated[str, Query(alias="timeZone", description="An IANA time zone.")] = UTC_ZONE,
    count: Annotated[int, Query(ge=1, le=100, description="How many times, at most.")] = 5,
) -> Response:
    """Return what an expression means in words and times, and how many schedules are due at these minutes already.

    They are counted over all users, for they share what runs them; whose they are is not told.
    """
    if not await caller.may(callers.LIST, schedules.namespace):
        raise NotAuthorizedError(f"{caller.name} may not {callers.LIST} in namespace {schedules.namespace}")
    known, now = list(schedules.entries()), datetime.now(UTC)
    # In a thread, for other requests are not to wait while thousands of expressions are looked at.
    return views.response(await asyncio.to_thread(preview, cron, time_zone, count, known, now))
