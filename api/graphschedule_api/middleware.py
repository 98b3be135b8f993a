"""What happens to every request: it is measured, and told when this process is about to go."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders

from graphschedule_api import metrics
from graphschedule_api.health import Health, Phase

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_UNROUTED = "none"
_FAILED = 500


class Measured:
    """Observes how long each request took, by route."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = time.perf_counter()
        status = _FAILED

        async def observe(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", _UNROUTED)
            metrics.REQUEST_SECONDS.labels(route, scope["method"], status).observe(time.perf_counter() - begun)


class Farewell:
    """Asks clients to open their next connection elsewhere, once this process is stopping (RFC 9112 section 9.6)."""

    def __init__(self, app: ASGIApp, health: Health) -> None:
        self._app = app
        self._health = health

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI has it."""

        async def close(message: Message) -> None:
            if message["type"] == "http.response.start" and self._health.phase is Phase.STOPPING:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._app(scope, receive, close)
