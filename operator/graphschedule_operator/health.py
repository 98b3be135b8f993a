"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING

import prometheus_client
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable


class Phase(StrEnum):
    """Where the operator is in its life."""

    STARTING = "starting: the first list of all schedules is not complete"
    READY = "ready"
    STOPPING = "stopping"


class Health:
    """Answers for the operator's health.

    `stalled_for` returns for how many seconds work has waited with none finished.
    """

    def __init__(self, stalled_for: Callable[[], float], stall_seconds: float) -> None:
        self.phase = Phase.STARTING
        self._stalled_for = stalled_for
        self._stall_seconds = stall_seconds

    @asynccontextmanager
    async def served(self, host: str, port: int) -> AsyncIterator[None]:
        """Serve over HTTP during the block."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        # An idle connection would keep kopf waiting when it stops: it waits for every task of the loop.
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=1.0, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            yield
        finally:
            await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        stalled = self._stalled_for()
        if stalled > self._stall_seconds:
            return web.Response(
                status=503, text=f"stalled: work is waiting and none was finished for {stalled:.0f} s\n"
            )
        return web.Response(text=f"{self.phase}\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.phase is Phase.READY else 503, text=f"{self.phase}\n")

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=prometheus_client.generate_latest(), headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST}
        )
