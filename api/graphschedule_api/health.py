"""Where the service is in its life, and /healthz, /readyz and /metrics."""

from __future__ import annotations

import asyncio
from enum import StrEnum

import prometheus_client
from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse, Response

from graphschedule_api.errors import UnavailableError


class Phase(StrEnum):
    """The parts of a life."""

    STARTING = "starting: the first list of all schedules is not complete"
    READY = "ready"
    STOPPING = "stopping"


class Health:
    """The phase of this process."""

    def __init__(self) -> None:
        self.phase = Phase.STARTING
        self.stopping = asyncio.Event()
        """Set when the end begins: who waits for something long is to answer."""

    def stop(self) -> None:
        """Begin the end."""
        self.phase = Phase.STOPPING
        self.stopping.set()

    def require_begun(self) -> None:
        """Refuse work while it cannot be done yet; who is stopping still finishes what comes.

        Raises:
            UnavailableError: the schedules are not all known yet.

        """
        if self.phase is Phase.STARTING:
            raise UnavailableError(self.phase)


router = APIRouter(include_in_schema=False, default_response_class=PlainTextResponse)


@router.get("/healthz")
async def healthz(request: Request) -> str:
    """Answer that the process lives, and in which phase."""
    return f"{_phase(request)}\n"


@router.get("/readyz")
async def readyz(request: Request) -> Response:
    """Answer whether requests should be sent here."""
    phase = _phase(request)
    return PlainTextResponse(f"{phase}\n", status_code=200 if phase is Phase.READY else 503)


@router.get("/metrics")
async def metrics() -> Response:
    """Answer in Prometheus' text format."""
    return Response(prometheus_client.generate_latest(), media_type=prometheus_client.CONTENT_TYPE_LATEST)


def _phase(request: Request) -> Phase:
    health: Health = request.app.state.health
    return health.phase
