"""What the platform's database lets the operator know: verdicts on graphs, what slots came to, and what tasks did."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_operator.audit import Audit
from graphschedule_operator.history import Histories
from graphschedule_operator.judge import Judge
from graphschedule_operator.permanent import Failures
from graphschedule_operator.tail import Tail
from graphschedule_operator.task_runs import TaskRuns

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from graphschedule_platform.ledger import Summary

    from graphschedule_operator.cache import Cache, Key, Object
    from graphschedule_operator.history import Outage
    from graphschedule_operator.judge import Validate
    from graphschedule_operator.kube import Kube
    from graphschedule_operator.permanent import Opinion
    from graphschedule_operator.platform import Platform
    from graphschedule_operator.settings import Settings
    from graphschedule_operator.workqueue import Put


class Insight:
    """Answers a reconcile from memory; `tasks` keep that up to date and put schedules on the queue."""

    def __init__(
        self,
        platform: Platform,
        validate: Validate,
        client: Kube,
        schedules: Cache,
        cronjobs: Cache,
        put: Put[Key],
        settings: Settings,
    ) -> None:
        self._histories = Histories()
        self._judge = Judge(platform, validate, schedules, put, settings)
        self._failures = Failures(self._judge, self._histories, put)
        self._tail = Tail(platform, schedules, self._histories, put, settings)
        self._audit = Audit(platform, client, schedules, cronjobs, settings)
        self.task_runs = TaskRuns(platform)
        """Metrics of the system tasks."""

    def opinion(self, key: Key, schedule: Object, *, runs: bool) -> Opinion | None:
        """Return what is to be thought of an accepted schedule's graph; see `Failures.opinion`."""
        return self._failures.opinion(key, schedule, runs=runs)

    def history(self, schedule: Object) -> Summary | Outage:
        """Return what a schedule's slots came to."""
        return self._histories.of(schedule["metadata"]["uid"])

    async def begin(self) -> None:
        """Read the ledger once, so that the first reconciles know it, and the record of tasks, for the metrics."""
        await self._tail.look()
        await self.task_runs.look()

    def tasks(self) -> list[Coroutine[None, None, None]]:
        """Return what is to run until the operator stops."""
        return [each.for_ever() for each in (self._judge, self._tail, self._audit, self.task_runs)]
