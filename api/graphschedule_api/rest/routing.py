"""What all routes of REST have in common: whose request it is, its pace, the form of errors, and the age of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from graphschedule_api.auth.callers import Caller
from graphschedule_api.errors import TooManyRequestsError, UnauthenticatedError
from graphschedule_api.platform import Platform
from graphschedule_api.rest import problems
from graphschedule_api.runs import Runs
from graphschedule_api.schedules import Schedules
from graphschedule_api.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from fastapi.responses import Response

    from graphschedule_api.auth.authenticator import Authenticator
    from graphschedule_api.health import Health
    from graphschedule_api.limits import Pace

_UNSUPPORTED = 415
_bearer = HTTPBearer(
    auto_error=False, description="A token of Kubernetes, or a JSON Web Token of the platform's users."
)


class RestRoute(APIRoute):
    """A route whose errors are problem details, whose bodies are JSON, and whose answers tell their age."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                if self.body_field is not None:
                    _require_json(request)
                response = await handle(request)
            except Exception as error:
                response = problems.answer(error)
            _tell_age(request, response)
            return response

        return answer


def _require_json(request: Request) -> None:
    """Refuse a body that is not JSON; no body at all is no body of another kind."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise HTTPException(_UNSUPPORTED, f"the body must be application/json, not {kind or 'of no stated kind'}")


def _tell_age(request: Request, response: Response) -> None:
    """Say how old what is known is, if the API server tells no news (RFC 9111 section 5.1)."""
    schedules: Schedules | None = getattr(request.app.state, "schedules", None)
    age = schedules.age() if schedules is not None and request.method == "GET" else 0
    if age > 0:
        response.headers["Age"] = str(int(age))


async def _caller(request: Request, shown: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
    """Return who asks, at no more than its pace.

    Raises:
        UnauthenticatedError: nobody says who it is.
        TooManyRequestsError: it asks too often.
        UnavailableError: the service has not begun, or who would know the caller cannot be asked now.

    """
    health: Health = request.app.state.health
    health.require_begun()
    if shown is None:
        raise UnauthenticatedError("show a token: Authorization: Bearer <token>")
    authenticator: Authenticator = request.app.state.authenticator
    caller = await authenticator.caller(shown.credentials)
    pace: Pace = request.app.state.pace
    seconds = pace.take(caller.name)
    if seconds:
        raise TooManyRequestsError(seconds)
    return caller


async def _schedules(request: Request) -> Schedules:
    schedules: Schedules = request.app.state.schedules
    return schedules


async def _runs(request: Request) -> Runs:
    runs: Runs = request.app.state.runs
    return runs


async def _tasks(request: Request) -> Tasks:
    tasks: Tasks = request.app.state.tasks
    return tasks


async def _platform(request: Request) -> Platform:
    platform: Platform = request.app.state.platform
    return platform


Asking = Annotated[Caller, Depends(_caller)]
Known = Annotated[Schedules, Depends(_schedules)]
KnownRuns = Annotated[Runs, Depends(_runs)]
System = Annotated[Tasks, Depends(_tasks)]
Database = Annotated[Platform, Depends(_platform)]
