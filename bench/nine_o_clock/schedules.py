"""GraphSchedules of asks on the API server, and what their statuses say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from graphschedule_operator import kube

from bench import api
from bench.nine_o_clock.stage import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    import aiohttp

    from bench.api import Object
    from bench.nine_o_clock.population import Ask

PAGE = 500
LOOK_SECONDS = 3
"""Between two looks at all schedules: each costs the API server some 0.1 ms per schedule."""

_PATH = kube.SCHEDULES.path(NAMESPACE)


async def create(session: aiohttp.ClientSession, asks: Sequence[Ask], cron: str, dispatch: str) -> dict[str, Ask]:
    """Create a GraphSchedule for each ask; return the asks by uid."""

    async def one(ask: Ask) -> str:
        made = await api.create(session, kube.SCHEDULES, NAMESPACE, ask.manifest(cron, dispatch))
        return str(made["metadata"]["uid"])

    return dict(zip(await api.together(one, asks), asks, strict=True))


async def edit(session: aiohttp.ClientSession, name: str, inputs: dict[str, Any]) -> None:
    """Give a schedule other inputs."""
    await api.merge(session, f"{_PATH}/{name}", {"spec": {"inputs": inputs}})


async def delete(session: aiohttp.ClientSession, name: str) -> None:
    """Delete a schedule."""
    async with session.delete(f"{_PATH}/{name}") as response:
        await response.read()


async def delete_all(session: aiohttp.ClientSession) -> None:
    """Delete all schedules."""
    async with session.delete(_PATH) as response:
        await response.read()


async def until_all(session: aiohttp.ClientSession, count: int, holds: Callable[[Object], bool]) -> None:
    """Look at all schedules until something holds of so many."""
    while sum([holds(item) async for item in _all(session)]) < count:  # noqa: ASYNC110 (no event comes here)
        await asyncio.sleep(LOOK_SECONDS)


def scheduled(schedule: Object) -> bool:
    """Tell whether a schedule says that it will fire as it now stands."""
    generation = schedule["metadata"]["generation"]
    conditions = schedule.get("status", {}).get("conditions", [])
    return any(
        (it["type"], it["status"], it["observedGeneration"]) == ("Scheduled", "True", generation) for it in conditions
    )


async def _all(session: aiohttp.ClientSession) -> AsyncIterator[Object]:
    params = {"limit": str(PAGE), "continue": ""}
    while True:
        async with session.get(_PATH, params=params) as response:
            page = await response.json()
        for item in page["items"]:
            yield item
        params["continue"] = page["metadata"].get("continue", "")
        if not params["continue"]:
            return
