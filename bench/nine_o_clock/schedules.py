"""GraphSchedules of asks on the API server, and what their statuses say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import aiohttp
from graphschedule_operator import kube

from bench import api
from bench.nine_o_clock.stage import NAMESPACE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from bench.api import Object
    from bench.nine_o_clock.population import Ask

PAGE = 500
WATCH_SECONDS = 3600

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
    """Watch all schedules until something holds of so many."""
    names, version = set(), ""
    async for page in _pages(session):
        names |= {item["metadata"]["name"] for item in page["items"] if holds(item)}
        version = page["metadata"]["resourceVersion"]
    watch = {"watch": "true", "resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
    async with session.get(_PATH, params=watch, timeout=aiohttp.ClientTimeout()) as response:
        while len(names) < count:
            item = json.loads(await response.content.readline())["object"]
            change = names.add if holds(item) else names.discard
            change(item["metadata"]["name"])


def scheduled(schedule: Object) -> bool:
    """Tell whether a schedule says that it will fire as it now stands."""
    generation = schedule["metadata"]["generation"]
    conditions = schedule.get("status", {}).get("conditions", [])
    return any(
        (it["type"], it["status"], it["observedGeneration"]) == ("Scheduled", "True", generation) for it in conditions
    )


async def _pages(session: aiohttp.ClientSession) -> AsyncIterator[Object]:
    params = {"limit": str(PAGE), "continue": ""}
    while True:
        async with session.get(_PATH, params=params) as response:
            page = await response.json()
        yield page
        params["continue"] = page["metadata"].get("continue", "")
        if not params["continue"]:
            return
