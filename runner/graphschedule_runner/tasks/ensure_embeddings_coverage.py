"""`ensure-embeddings-coverage` (M23): embed what has no embedding yet, then delete embeddings of what is gone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphschedule_platform import embeddings

from graphschedule_runner import documentation
from graphschedule_runner.coverage import ByEndpoint, ByManager, Coverage
from graphschedule_runner.embedder import Embedder
from graphschedule_runner.tasks.task import TaskResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphschedule_runner.tasks.task import TaskContext

_NO_TABLE = "the database keeps no embeddings, for it lacks pgvector"

PAUSE = 1.0
"""Seconds between two batches."""


def run(context: TaskContext) -> TaskResult:
    """Make the coverage complete: by the platform's database manager where it is named, else by ourselves.

    Raises:
        InvalidValueError: the endpoint's settings or the docs folder cannot be used.
        DependencyError: the database manager does not do its part.

    """
    if context.settings.database_manager is None:
        with context.engine.connect() as connection:
            if not embeddings.can_be_kept(connection):
                return _result(_NO_TABLE)
    return cover(_coverage(context), context.stopping)


def cover(coverage: Coverage, stopping: Callable[[], bool], sleep: Callable[[float], None] = time.sleep) -> TaskResult:
    """Embed batch after batch until none is left or all of one fails, then delete the orphans."""
    success, failed, fault = 0, 0, None
    going_on = not coverage.is_complete()
    while going_on and not stopping():
        batch = coverage.embed_batch()
        success, failed, fault = success + batch.success, failed + batch.failed, batch.fault
        going_on = batch.success > 0
        if going_on:
            sleep(PAUSE)
    deleted = 0 if stopping() else coverage.delete_orphans()
    return _result(
        f"{success} of {success + failed} embeddings made, {deleted} deleted", success, failed, deleted, fault
    )


def _result(text: str, success: int = 0, failed: int = 0, deleted: int = 0, fault: str | None = None) -> TaskResult:
    counts: dict[str, Any] = {
        "backfill": {"processed": success + failed, "success": success, "failed": failed},
        "cleanup": {"deleted": deleted},
    }
    return TaskResult(f"{text}; {fault}", counts | {"error": fault}) if fault else TaskResult(text, counts)


def _coverage(context: TaskContext) -> Coverage:
    settings = context.settings
    if settings.database_manager:
        return ByManager(settings.database_manager, settings.patience)
    docs = documentation.read(Path(settings.docs_folder)) if settings.docs_folder else None
    embedder = Embedder(settings.embedding_url, settings.embedding_model, settings.embedding_key)
    return ByEndpoint(context.engine, embedder, docs, context.clock)
