"""What asyncio complains of when the operator ends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from graphschedule_operator.handlers import let_watches_go

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import pytest


async def test_only_watches_that_cannot_be_closed_are_let_go_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def watch() -> AsyncIterator[None]:
        yield

    loop = asyncio.get_running_loop()
    with caplog.at_level(logging.ERROR, logger="asyncio"):
        let_watches_go(loop, {"message": "closing of a generator", "asyncgen": watch()})
        assert caplog.messages == []
        let_watches_go(loop, {"message": "a task was destroyed"})
    assert caplog.messages == ["a task was destroyed"]
