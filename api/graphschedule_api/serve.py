"""The server, and its end: SIGTERM drops no request."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import uvicorn

from graphschedule_api import app, kube

if TYPE_CHECKING:
    from types import FrameType

    from graphschedule_api.health import Health
    from graphschedule_api.settings import Settings

logger = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Goes on taking requests for a while after a signal: for as long as others may not know yet that it stops."""

    def __init__(self, config: uvicorn.Config, health: Health, linger_seconds: float) -> None:
        super().__init__(config)
        self._health = health
        self._linger_seconds = linger_seconds
        self._loop = asyncio.get_running_loop()
        self._asked = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - uvicorn's signature
        """Begin to stop; a second signal stops at once."""
        self.force_exit = self.should_exit = self._asked
        self._asked = True
        self._loop.call_soon_threadsafe(self._begin_the_end)

    def _begin_the_end(self) -> None:
        self._health.stop()
        self._loop.call_later(self._linger_seconds, self._take_no_more)

    def _take_no_more(self) -> None:
        self.should_exit = True


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM.

    Raises:
        LoginError: there is no way to log in to the API server.
        InvalidValueError: a setting cannot be used.

    """
    served = app.create(settings, await kube.login())
    config = uvicorn.Config(
        served,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    await Server(config, served.state.health, settings.linger_seconds).serve()
    logger.info("stopped")
