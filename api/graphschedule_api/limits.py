"""How much one caller may ask for: bytes of a body, and requests a second."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TOO_LARGE = 413
CALLERS = 10_000
"""Callers whose pace is kept in mind."""


class Bounded:
    """Refuses to read bodies beyond a number of bytes, whether their length is told before or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, as ASGI has it."""
        taken = 0

        async def take() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limit:
                raise HTTPException(TOO_LARGE, f"a body may have {self._limit} bytes")
            return message

        await self._app(scope, take, send)


class Pace:
    """A bucket of tokens for each caller: it holds `burst` and gains `rate` a second."""

    def __init__(self, rate: float, burst: int) -> None:
        self._rate = rate
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take a token; return 0, or for how many seconds the caller is to wait where there is none."""
        now = time.monotonic()
        left, then = self._buckets.pop(caller, (float(self._burst), now))
        left = min(left + (now - then) * self._rate, self._burst)
        enough = left >= 1
        self._buckets[caller] = (left - enough, now)
        if len(self._buckets) > CALLERS:
            self._buckets.popitem(last=False)
        return 0.0 if enough else (1 - left) / self._rate
