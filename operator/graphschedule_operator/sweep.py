"""The sweep: compares the caches with the API server and finds what no watch has told of."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from graphschedule import labels

from graphschedule_operator import kube, metrics
from graphschedule_operator.cache import Cache, Key, key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Set

    from graphschedule_operator.settings import Settings

logger = logging.getLogger(__name__)

CRONJOB_SELECTOR = f"{labels.MANAGED_BY_LABEL}={labels.MANAGED_BY}"
RETRY_SECONDS = 2.0
QUIET_SECONDS = 1.0


class Sweep:
    """Lists both kinds page by page; its first run fills the caches."""

    def __init__(
        self, client: kube.Kube, settings: Settings, schedules: Cache, cronjobs: Cache, put: Callable[[Key], None]
    ) -> None:
        self._kube = client
        self._namespaces: tuple[str | None, ...] = settings.namespaces or (None,)
        self._chunk = settings.list_chunk
        self._pause = settings.sweep_seconds
        self._schedules = schedules
        self._cronjobs = cronjobs
        self._put = put
        self._wanted = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None

    async def once(self) -> None:
        """Sweep; try until it works."""
        while not await self._try():  # noqa: ASYNC110 - it is the API server we wait for, and it sets no event
            await asyncio.sleep(RETRY_SECONDS)

    async def for_ever(self) -> None:
        """Sweep again and again: after each pause, or when it is asked for."""
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), self._pause)
            self._wanted.clear()
            await self.once()

    def soon(self) -> None:
        """Have it sweep when this has not been called for `QUIET_SECONDS`."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._wanted.set)

    async def _try(self) -> bool:
        try:
            with metrics.SWEEP_SECONDS.time():
                await self._compare(kube.SCHEDULES, self._schedules, "")
                await self._compare(kube.CRONJOBS, self._cronjobs, CRONJOB_SELECTOR)
        except kube.ApiError as error:
            logger.warning("could not list, will try again: %s", error)
            return False
        return True

    async def _compare(self, resource: kube.Resource, cache: Cache, selector: str) -> None:
        """Take a complete list into the cache."""
        listed: set[Key] = set()
        versions: list[int] = []
        for namespace in self._namespaces:
            async for page, version in self._kube.list(resource, namespace, selector=selector, chunk=self._chunk):
                versions.append(version)
                for item in page:
                    listed.add(key_of(item))
                    self._look_at(cache.put(item))
        self._look_at(cache.prune(listed, min(versions)))

    def _look_at(self, concerned: Set[Key]) -> None:
        """Queue it all at once: if the list breaks off, the cache has this news already and tells it no more."""
        metrics.SWEEP_DIFFERENCES.inc(len(concerned))
        for key in concerned:
            self._put(key)
