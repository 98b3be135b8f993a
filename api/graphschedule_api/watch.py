"""Keeps the cache at what the API server holds: by a list and a watch, and a list again when that lost its place."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from graphschedule_api import kube, metrics
from graphschedule_api.cache import Cache, Key, key_of, version_of

if TYPE_CHECKING:
    from graphschedule_api.settings import Settings

logger = logging.getLogger(__name__)

RETRY_SECONDS = 2.0


class Watcher:
    """Follows the schedules of one namespace; None follows those of all."""

    def __init__(self, client: kube.Kube, cache: Cache, namespace: str | None, settings: Settings) -> None:
        self.filled = asyncio.Event()
        """Set once all schedules are known."""
        self._kube = client
        self._cache = cache
        self._namespace = namespace
        self._chunk = settings.list_chunk
        self._silence_seconds = settings.silence_seconds
        self._loop = asyncio.get_running_loop()
        self._version: str | None = None
        self._following = False
        self._heard = self._loop.time()

    def age(self) -> float:
        """Return for how many seconds the cache may lack news: none while the watch is open."""
        return 0.0 if self._following else self._loop.time() - self._heard

    async def for_ever(self) -> None:
        """Follow; whatever goes wrong is tried again."""
        while True:
            try:
                await self._follow()
            except kube.ExpiredError:
                logger.info("the watch lost its place: listing again")
                self._version = None
            except kube.ApiError as error:
                logger.warning("cannot follow the schedules, will try again: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
            except Exception:
                logger.exception("following the schedules failed and is begun anew")
                self._version = None
                await asyncio.sleep(RETRY_SECONDS)
            finally:
                self._following = False

    async def _follow(self) -> None:
        """List, if the place is lost, and take what a watch tells until it ends."""
        if self._version is None:
            self._version = await self._list()
            self.filled.set()
        async with self._kube.watch(
            kube.SCHEDULES, self._namespace, self._version, silence_seconds=self._silence_seconds
        ) as events:
            self._following = True
            async for event in events:
                self._hear()
                self._take(event)

    async def _list(self) -> str:
        """Take a complete list into the cache, and return its version."""
        listed: set[Key] = set()
        versions: list[int] = []
        async for page in self._kube.list(kube.SCHEDULES, self._namespace, chunk=self._chunk):
            versions.append(version_of(page))
            for item in page["items"]:
                listed.add(key_of(item))
                self._cache.put(item)
            self._hear()
        version = min(versions)
        self._cache.prune(listed, version, self._namespace)
        metrics.RELISTS.inc()
        return str(version)

    def _take(self, event: kube.Event) -> None:
        match event.type:
            case "ADDED" | "MODIFIED":
                self._cache.put(event.object)
            case "DELETED":
                self._cache.remove(event.object)
        self._version = event.object["metadata"]["resourceVersion"]

    def _hear(self) -> None:
        self._heard = self._loop.time()
