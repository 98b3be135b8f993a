"""The paths of the drop-in: one per method, `POST /<name>`, with the parameters as members of one object (C §5.1)."""

from __future__ import annotations

import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from graphschedule_api.errors import UnauthenticatedError, UnhealthyServiceError
from graphschedule_api.health import Health, Phase
from graphschedule_api.rpc import models, tasks
from graphschedule_api.rpc.errors import RpcRoute
from graphschedule_api.rpc.schedules import listed, spec_of, view
from graphschedule_api.schedules import Schedules

if TYPE_CHECKING:
    from graphschedule_api.settings import Settings

_token = HTTPBearer(auto_error=False, description="The shared token, where one is set.")


async def _authenticate(
    request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_token)]
) -> None:
    settings: Settings = request.app.state.settings
    if settings.rpc_token is None:
        return
    given = shown.credentials if shown else ""
    if not hmac.compare_digest(given.encode(), settings.rpc_token.get_secret_value().encode()):
        raise UnauthenticatedError("show the shared token: Authorization: Bearer <token>")


async def _schedules(request: Request, response: Response) -> Schedules:
    """Return the schedules, once all are known; say how old what is known is, if it is (RFC 9111 section 5.1)."""
    health: Health = request.app.state.health
    health.require_begun()
    schedules: Schedules = request.app.state.schedules
    age = schedules.age()
    if age > 0:
        response.headers["Age"] = str(int(age))
    return schedules


Known = Annotated[Schedules, Depends(_schedules)]

_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": models.Refusal, "description": "The platform's exception: a ValueError, or a subclass of it."},
    401: {"model": models.Refusal, "description": "The shared token is missing or wrong."},
    500: {"model": models.Refusal, "description": "The request failed."},
    503: {"model": models.Refusal, "description": "The API server or the platform's database cannot be asked now."},
}

health = APIRouter(route_class=RpcRoute, tags=["platform RPC"], responses={400: _REFUSALS[400]})
router = APIRouter(
    route_class=RpcRoute, tags=["platform RPC"], dependencies=[Depends(_authenticate)], responses=_REFUSALS
)


@health.get("/health_check")
@health.post("/health_check")
@health.get("/health_check_async")
@health.post("/health_check_async")
async def health_check(request: Request) -> str:
    """Answer OK, or why schedules cannot be served."""
    state: Health = request.app.state.health
    if state.phase is not Phase.READY:
        raise UnhealthyServiceError(state.phase)
    return "OK"


@router.post("/add_graph_execution_schedule")
async def add_graph_execution_schedule(asked: models.NewSchedule, schedules: Known) -> models.Schedule:
    """Make a schedule, if the platform would run its graph."""
    now = datetime.now(UTC)
    return view(await schedules.create(spec_of(asked, now)), now)


@router.post("/delete_graph_execution_schedule")
async def delete_graph_execution_schedule(asked: models.OwnSchedule, schedules: Known) -> models.Schedule:
    """Delete a schedule and return it as it was."""
    found = await schedules.of_user(asked.schedule_id, asked.user_id)
    await schedules.delete(found)
    return view(found, datetime.now(UTC))


@router.post("/get_graph_execution_schedules")
async def get_graph_execution_schedules(asked: models.Filters, schedules: Known) -> list[models.Schedule]:
    """List schedules by their next runs, without paused ones."""
    return listed(schedules.find(user_id=asked.user_id, graph_id=asked.graph_id), datetime.now(UTC))


@router.post("/pause_execution_schedule")
async def pause_execution_schedule(asked: models.OwnSchedule, schedules: Known) -> bool:
    """Pause a schedule; true, also if it was paused."""
    await schedules.suspend(await schedules.of_user(asked.schedule_id, asked.user_id), suspended=True)
    return True


@router.post("/resume_execution_schedule")
async def resume_execution_schedule(asked: models.OwnSchedule, schedules: Known) -> bool:
    """Resume a schedule; true, also if it was not paused. Fires that it missed are not made up."""
    await schedules.suspend(await schedules.of_user(asked.schedule_id, asked.user_id), suspended=False)
    return True


router.include_router(tasks.router)
