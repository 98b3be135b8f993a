"""A bare client of the API server, with a bounded number of requests in flight."""

from __future__ import annotations

import asyncio
import os
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import aiohttp
from graphschedule_operator import kube

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from dev.cluster import Cluster

IN_FLIGHT = 16
MERGE = "application/merge-patch+json"

Object = dict[str, Any]
T = TypeVar("T")
R = TypeVar("R")


@asynccontextmanager
async def session(cluster: Cluster) -> AsyncIterator[aiohttp.ClientSession]:
    """Give a session that takes paths of the cluster's API server, and raises what it refuses."""
    os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
    connection = kube.login()
    async with aiohttp.ClientSession(
        connection.server,
        connector=aiohttp.TCPConnector(limit=IN_FLIGHT, ssl=connection.as_ssl_context()),
        headers=connection.as_http_headers(),
        raise_for_status=True,
    ) as opened:
        yield opened


async def together(task: Callable[[T], Awaitable[R]], items: Iterable[T]) -> list[R]:
    """Run a task for every item, so many at once as may be in flight; return the results in order."""
    gate = asyncio.Semaphore(IN_FLIGHT)

    async def one(item: T) -> R:
        async with gate:
            return await task(item)

    return await asyncio.gather(*(one(item) for item in items))


async def create(api: aiohttp.ClientSession, resource: kube.Resource, namespace: str, manifest: Object) -> Object:
    """Create an object; return it as the server gives it back."""
    async with api.post(resource.path(namespace), json=manifest) as response:
        made: Object = await response.json()
        return made


async def merge(api: aiohttp.ClientSession, path: str, change: Object) -> Object:
    """Merge a change into an object; return it as it is then."""
    async with api.patch(path, json=change, headers={"Content-Type": MERGE}) as response:
        changed: Object = await response.json()
        return changed
