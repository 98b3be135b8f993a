"""Errors as the platform's RPC writes them (C §5.1): the class that its client raises, and a status."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from graphschedule.errors import InvalidValueError
from graphschedule_platform.verdict import Verdict, VerdictKind
from starlette.exceptions import HTTPException

from graphschedule_api.errors import (
    ConflictError,
    GraphRefusedError,
    NotAuthorizedError,
    NotFoundError,
    RefusedError,
    TaskFailedError,
    UnauthenticatedError,
    UnavailableError,
    UnhealthyServiceError,
)
from graphschedule_api.rpc.models import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from fastapi import Request, Response

logger = logging.getLogger(__name__)

_WHO_ARE_YOU = 401

_GRAPH_ERRORS = {
    VerdictKind.GRAPH_NOT_FOUND: "GraphNotFoundError",
    VerdictKind.NOT_ACCESSIBLE: "GraphNotAccessibleError",
    VerdictKind.NOT_IN_LIBRARY: "GraphNotInLibraryError",
    VerdictKind.INVALID: "GraphValidationError",
}
"""The platform's classes; what is not here is a plain ValueError to it (C §2.1-2.3)."""

_CALLERS_FAULT = {
    InvalidValueError: "ValueError",
    RefusedError: "ValueError",
    ConflictError: "ValueError",
    NotFoundError: "NotFoundError",
    NotAuthorizedError: "NotAuthorizedError",
    UnhealthyServiceError: "UnhealthyServiceError",
}
"""What is a ValueError or a subclass of it to the platform, by the class that its client raises."""


class RpcRoute(APIRoute):
    """A route whose errors are the RPC's; a body of the wrong shape is FastAPI's own 422."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers a request."""
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except RequestValidationError:
                raise
            except Exception as error:
                status, refusal = told(error)
                headers = {"WWW-Authenticate": "Bearer"} if status == _WHO_ARE_YOU else None
                return JSONResponse(refusal.model_dump(), status, headers)

        return answer


def told(error: Exception) -> tuple[int, Refusal]:
    """Return an error's status and body."""
    if isinstance(error, GraphRefusedError):
        return 400, _graph_refusal(error.verdict)
    for kind, name in _CALLERS_FAULT.items():
        if isinstance(error, kind):
            return 400, Refusal(type=name, args=[str(error)], extras=None)
    if isinstance(error, HTTPException):  # FastAPI's own: a body that cannot be read
        return error.status_code, Refusal(type="ValueError", args=[str(error.detail)], extras=None)
    if isinstance(error, UnauthenticatedError):
        return _WHO_ARE_YOU, Refusal(type="NotAuthorizedError", args=[str(error)], extras=None)
    if isinstance(error, TaskFailedError):
        return 500, Refusal(type="TaskFailedError", args=[str(error)], extras=None)
    if isinstance(error, UnavailableError):
        return 503, Refusal(type="ServiceUnavailableError", args=[str(error)], extras=None)
    logger.error("a request failed", exc_info=error)
    return 500, Refusal(type="InternalError", args=["the request failed: the API's log has the details"], extras=None)


def _graph_refusal(verdict: Verdict) -> Refusal:
    extras = {"node_errors": verdict.node_errors} if verdict.kind is VerdictKind.INVALID else None
    return Refusal(type=_GRAPH_ERRORS.get(verdict.kind, "ValueError"), args=[verdict.message], extras=extras)
