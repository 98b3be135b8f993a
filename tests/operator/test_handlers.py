"""What becomes of news from kopf's watches, and of asyncio's complaints about them."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Literal, cast

from graphschedule_operator.cache import Cache, Key, key_of
from graphschedule_operator.handlers import let_watches_go, take

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import kopf
    import pytest


A = Key("team", "a")


def event(type_: Literal["ADDED", "MODIFIED", "DELETED"] | None, version: int, generation: int) -> kopf.RawEvent:
    metadata = {"namespace": "team", "name": "a", "resourceVersion": str(version), "generation": generation}
    return cast("kopf.RawEvent", {"type": type_, "object": {"metadata": metadata}})


def test_only_news_that_leaves_the_spec_as_it_was_is_routine() -> None:
    cache = Cache(key_of)
    told: list[tuple[Key, bool]] = []

    def put(key: Key, *, routine: bool = False) -> None:
        told.append((key, routine))

    for news in (event(None, 1, 1), event("MODIFIED", 2, 1), event("MODIFIED", 2, 1), event("MODIFIED", 3, 2)):
        take(cache, news, put)
    take(cache, event("DELETED", 4, 2), put)
    take(cache, event("ADDED", 5, 1), put)
    assert told == [(A, False), (A, True), (A, False), (A, False), (A, False)]


async def test_only_watches_that_cannot_be_closed_are_let_go_in_silence(caplog: pytest.LogCaptureFixture) -> None:
    async def watch() -> AsyncIterator[None]:
        yield

    loop = asyncio.get_running_loop()
    with caplog.at_level(logging.ERROR, logger="asyncio"):
        let_watches_go(loop, {"message": "closing of a generator", "asyncgen": watch()})
        assert caplog.messages == []
        let_watches_go(loop, {"message": "a task was destroyed"})
    assert caplog.messages == ["a task was destroyed"]
