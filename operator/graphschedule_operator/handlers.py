"""kopf's part: watch both kinds and hand every event on. kopf itself writes nothing and keeps nothing.

No handler here makes kopf add a finalizer, an annotation, an index or a timer to an object (design, "The way of a
schedule").
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

import kopf
from graphschedule import labels

from graphschedule_operator import kube
from graphschedule_operator.sweep import CRONJOB_SELECTOR

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from graphschedule_operator.cache import Cache, Key
    from graphschedule_operator.settings import Settings
    from graphschedule_operator.workqueue import Put

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0
BATCH = ("batch", "v1", "cronjobs")
API_BACKOFFS = (1, 2, 5, 10, *([30] * 20))
"""Seconds between kopf's attempts to reach the API server: ten minutes in all before it gives up and we restart."""


async def watch(handlers: kopf.OperatorRegistry, settings: Settings) -> None:
    """Run kopf until the process is told to stop.

    kopf ends for good when a watch or a list fails otherwise than it knows: it is begun anew, and sweeps go on
    meanwhile.
    """
    while True:
        try:
            await kopf.operator(
                registry=handlers,
                settings=kopf_settings(settings),
                standalone=True,
                clusterwide=not settings.namespaces,
                namespaces=settings.namespaces,
            )
        except Exception:
            logger.exception("watching failed and is begun anew")
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return


class NoDiffBase(kopf.DiffBaseStorage):
    """Keeps no last-handled state: kopf would copy every object with every event, for handlers that we have not."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[kopf.FieldSpec] | None = None) -> kopf.BodyEssence:  # noqa: ARG002 (kopf's signature)
        """Return nothing to compare."""
        return kopf.BodyEssence({})

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:  # noqa: ARG002 (kopf's signature)
        """Return nothing: nothing is kept."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Keep nothing."""


def take(cache: Cache, event: kopf.RawEvent, put: Put[Key]) -> None:
    """Take news into a cache, and put whom it concerns.

    News that leaves a spec as it was is routine: at a tick, the status of every CronJob that fires changes, twice.
    """
    deleted, obj = event["type"] == "DELETED", event["object"]
    is_routine = not deleted and cache.asks_as_before(obj)
    for key in cache.remove(obj) if deleted else cache.put(obj):
        put(key, routine=is_routine)


def registry(schedules: Cache, cronjobs: Cache, put: Put[Key], listed: Callable[[], None]) -> kopf.OperatorRegistry:
    """Return the handlers: news goes into a cache, and `put` is told of the schedules and shards that it concerns.

    `listed` is told of every object that comes from a list. kopf lists at its start and whenever a watch has lost
    its place, and passes over what is gone since.
    """
    handlers = kopf.OperatorRegistry()

    def hear(cache: Cache, event: kopf.RawEvent) -> None:
        if event["type"] is None:
            listed()
        take(cache, event, put)

    @kopf.on.login(registry=handlers)
    async def login(**_: object) -> kopf.ConnectionInfo:
        """Log in as our own client does."""
        return kube.login()

    @kopf.on.event(labels.GROUP, labels.VERSION, labels.PLURAL, registry=handlers)
    async def schedule_event(event: kopf.RawEvent, **_: object) -> None:
        """Take news of a GraphSchedule."""
        hear(schedules, event)

    @kopf.on.event(*BATCH, registry=handlers)
    async def cronjob_event(event: kopf.RawEvent, **_: object) -> None:
        """Take news of a CronJob of ours."""
        hear(cronjobs, event)

    return handlers


def kopf_settings(settings: Settings) -> kopf.OperatorSettings:
    """Return how kopf is to run: quiet, scanning nothing, asking the server to filter and to page."""
    configured = kopf.OperatorSettings()
    configured.posting.enabled = False
    configured.scanning.disabled = True
    configured.persistence.finalizer = f"{labels.GROUP}/unused"
    configured.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=labels.GROUP)
    configured.persistence.diffbase_storage = NoDiffBase()
    configured.networking.request_timeout = settings.request_seconds
    configured.networking.error_backoffs = API_BACKOFFS
    configured.queueing.idle_timeout = 1.0
    configured.watching.inactivity_timeout = settings.silence_seconds
    configured.watching.chunk_size = settings.list_chunk
    configured.watching.label_selectors[BATCH] = CRONJOB_SELECTOR
    return configured


def let_watches_go(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Take asyncio's complaints at the end: kopf's watches cannot be closed amid an event, which harms nobody."""
    if "asyncgen" not in context:
        loop.default_exception_handler(context)
