"""The workers: take keys off the queue, reconcile them, and own all retrying."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from graphschedule_operator import kube
from graphschedule_operator.cache import Key, Shard
from graphschedule_operator.workqueue import ClosedError, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prometheus_client import Histogram

logger = logging.getLogger(__name__)

AnyKey = TypeVar("AnyKey", bound=Key)
Reconcile = Callable[[AnyKey], Awaitable[float | None]]


async def work(queue: WorkQueue[AnyKey], reconcile: Reconcile[AnyKey], seconds: Histogram) -> None:
    """Reconcile keys until the queue is closed; the one in hand is finished first. `seconds` measures each."""
    while True:
        try:
            key = await queue.get()
        except ClosedError:
            return
        begun = time.monotonic()
        result = await _look(queue, reconcile, key)
        queue.done(key)
        seconds.labels(result).observe(time.monotonic() - begun)
        await asyncio.sleep(0)  # Who writes nothing waits for nothing: let others have their turn.


async def drain(workers: list[asyncio.Task[None]], queues: Iterable[WorkQueue[Any]], seconds: float) -> None:
    """Let the workers finish what they have in hand; what still waits is found again at the next start."""
    for queue in queues:
        queue.close()
    _, unfinished = await asyncio.wait(workers, timeout=seconds)
    for worker in unfinished:
        worker.cancel()


async def _look(queue: WorkQueue[AnyKey], reconcile: Reconcile[AnyKey], key: AnyKey) -> str:
    """Look at a key and say when to do so again; no error ends a worker."""
    names = {"namespace": key.namespace, "shard" if isinstance(key, Shard) else "schedule": key.name}
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
