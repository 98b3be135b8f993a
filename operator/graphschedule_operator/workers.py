"""The workers: take keys off the queue, reconcile them, and own all retrying."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from graphschedule_operator import kube, metrics
from graphschedule_operator.cache import Key
from graphschedule_operator.workqueue import ClosedError, WorkQueue

logger = logging.getLogger(__name__)

Reconcile = Callable[[Key], Awaitable[float | None]]


async def work(queue: WorkQueue[Key], reconcile: Reconcile) -> None:
    """Reconcile keys until the queue is closed; the one in hand is finished first."""
    while True:
        try:
            key = await queue.get()
        except ClosedError:
            return
        begun = time.monotonic()
        result = await _look(queue, reconcile, key)
        queue.done(key)
        metrics.RECONCILE_SECONDS.labels(result).observe(time.monotonic() - begun)


async def drain(workers: list[asyncio.Task[None]], queue: WorkQueue[Key], seconds: float) -> None:
    """Let the workers finish what they have in hand; what still waits is found again at the next start."""
    queue.close()
    _, unfinished = await asyncio.wait(workers, timeout=seconds)
    for worker in unfinished:
        worker.cancel()


async def _look(queue: WorkQueue[Key], reconcile: Reconcile, key: Key) -> str:
    """Look at a key and say when to do so again; no error ends a worker."""
    names = {"namespace": key.namespace, "schedule": key.name}
    try:
        again = await reconcile(key)
    except kube.ApiError as error:
        logger.warning("will try again: %s", error, extra=names)
        queue.put_backoff(key)
        return "retry"
    except Exception:
        logger.exception("could not reconcile", extra=names)
        queue.put_backoff(key)
        return "error"
    queue.forget(key)
    if again is not None:
        queue.put_after(key, again)
    return "ok"
