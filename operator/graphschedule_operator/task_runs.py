"""What the runs of the system tasks came to, as metrics (M26): read from their record, so that no gateway is needed."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from graphschedule_platform import task_runs
from prometheus_client.core import GaugeMetricFamily

from graphschedule_operator.platform import UnansweredError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphschedule_platform.task_runs import Past

    from graphschedule_operator.platform import Platform

PAUSE_SECONDS = 30

logger = logging.getLogger(__name__)


class TaskRuns:
    """`graphschedule_task_…`, by task, as read last; nothing of tasks that never ran to an end."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._pasts: Sequence[Past] = ()
        self._is_read = True

    async def for_ever(self) -> None:
        """Read the record again and again."""
        while True:
            await asyncio.sleep(PAUSE_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Read the record; while that is not possible, what was read last stands."""
        try:
            self._pasts = await self._platform.read(task_runs.pasts)
        except UnansweredError as error:
            if self._is_read:
                logger.warning("the runs of system tasks cannot be read, will try again: %s", error)
            self._is_read = False
        else:
            self._is_read = True

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the families, as the prometheus client asks for them at each scrape."""
        ended = _gauge("last_run_timestamp_seconds", "When the newest run ended.")
        took = _gauge("last_run_duration_seconds", "How long the newest run took.")
        failed = _gauge("last_run_failed", "1 if the newest run failed, else 0.")
        succeeded = _gauge("last_success_timestamp_seconds", "When the newest run that succeeded ended.")
        for past in self._pasts:
            task = [past.task]
            ended.add_metric(task, past.finished_at.timestamp())
            took.add_metric(task, (past.finished_at - past.started_at).total_seconds())
            failed.add_metric(task, past.succeeded_at != past.finished_at)
            if past.succeeded_at:
                succeeded.add_metric(task, past.succeeded_at.timestamp())
        yield from (ended, took, failed, succeeded)


def _gauge(name: str, meaning: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"graphschedule_task_{name}", meaning, labels=["task"])
