"""One look at one schedule: facts in, the writes that are needed out."""

from __future__ import annotations

import logging
import socket
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING

from graphschedule import slots
from graphschedule.errors import InvalidValueError
from graphschedule.status import GraphScheduleStatus, Reason

from graphschedule_operator import breaker, events, graph, history, kube, metrics, permanent
from graphschedule_operator.cronjob import GarbageError
from graphschedule_operator.desired import Accepted, accept
from graphschedule_operator.permanent import Opinion
from graphschedule_operator.status import Facts, Obstacle, differences, is_only_a_fire, state_of, status
from graphschedule_operator.workqueue import Routine

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphschedule.status import Suspension
    from graphschedule_platform.ledger import Summary

    from graphschedule_operator.cache import Cache, Key, Object
    from graphschedule_operator.dispatch import Dispatch
    from graphschedule_operator.history import Outage
    from graphschedule_operator.insight import Insight
    from graphschedule_operator.permanent import Failure

logger = logging.getLogger(__name__)

GARBAGE_SECONDS = 1.0
"""When to look again at a name that garbage collection is about to free."""
CONFLICT_SECONDS = 30.0
"""When to look again at a name that a stranger's CronJob has: strangers' are not watched."""
AFTER_FIRE_SECONDS = 30.0
"""How long after a fire to refresh the next fire times, if neither the CronJob nor the ledger has told of it first."""


def now() -> datetime:
    """Return the time, as an aware datetime."""
    return datetime.now(UTC)


class Reconciler:
    """Brings the cluster to what the schedules ask for, and says so in their status.

    Without `insight` there is no database to ask: graphs are not judged, every accepted schedule fires, and what its
    slots came to is not known.
    """

    def __init__(
        self,
        client: kube.Kube,
        schedules: Cache,
        dispatch: Dispatch,
        counted: metrics.Schedules,
        insight: Insight | None = None,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._kube = client
        self._schedules = schedules
        self._dispatch = dispatch
        self._counted = counted
        self._insight = insight
        self._clock = clock
        self._reporter = socket.gethostname()

    async def reconcile(self, key: Key) -> float | None:
        """Look at a schedule and write what differs; return in how many seconds to look again if no news comes.

        Raises:
            kube.ApiError: the API server did not take a write. What could be told was told; try again later.

        """
        schedule = self._schedules.get(key)
        if schedule is None or "deletionTimestamp" in schedule["metadata"]:
            self._counted.forget(key)
            self._dispatch.forget(key)
            return None
        verdict = self._accept(schedule)
        runs = self._dispatch.runs(schedule, verdict)
        opinion = self._opinion(key, schedule, verdict, runs=runs)
        if opinion is None:
            return None
        past = self._insight.history(schedule) if self._insight else history.NO_DATABASE
        suspension = _suspension(schedule, verdict, opinion, past, self._clock())
        suspended = breaker.holds(suspension, self._clock())
        aim = graph.aim(verdict, opinion.graph, runs=runs, suspended=suspended)
        try:
            settled = await self._dispatch.settle(schedule, verdict, aim, self._clock(), suspended=suspended)
        except GarbageError:
            return GARBAGE_SECONDS
        if settled is None:
            return None
        facts = Facts(
            schedule=schedule,
            verdict=verdict,
            cronjob=settled.cronjob,
            obstacle=settled.obstacle,
            now=self._clock(),
            graph=opinion.graph,
            runs=runs,
            suspension=suspension,
            history=past,
        )
        current = status(facts)
        self._counted.set(key, state_of(current))
        told = await self._report(key, schedule, current)
        if settled.error is not None:
            raise settled.error
        if (cause := permanent.condemning(schedule, opinion)) is not None:
            await self._delete(key, schedule, cause)
        if settled.again is not None:
            return settled.again
        return self._next_look(current, settled.obstacle) if told else Routine(AFTER_FIRE_SECONDS)

    def _accept(self, schedule: Object) -> Accepted | InvalidValueError:
        try:
            return accept(schedule, self._clock())
        except InvalidValueError as error:
            return error

    def _opinion(
        self, key: Key, schedule: Object, verdict: Accepted | InvalidValueError, *, runs: bool
    ) -> Opinion | None:
        """Return what is to be thought of the graph; None means that the schedule is put on the queue when it is."""
        if isinstance(verdict, InvalidValueError):
            return Opinion(graph.NOT_READ)
        if self._insight is None:
            return Opinion(graph.NO_DATABASE)
        return self._insight.opinion(key, schedule, runs=runs)

    async def _report(self, key: Key, schedule: Object, current: GraphScheduleStatus) -> bool:
        """Write the status if it differs, then tell what changed; return whether the status is told by now.

        A slot that was just fired is told together with what it comes to, which is known soon: so each slot costs one
        write.
        """
        changes = differences(schedule, current)
        if not changes:
            return True
        if self._insight and is_only_a_fire(schedule, changes, self._clock(), AFTER_FIRE_SECONDS):
            return False
        change = {"metadata": {"uid": schedule["metadata"]["uid"]}, "status": changes}
        self._schedules.put(await self._kube.merge(kube.SCHEDULES, key, change, "status"))
        for event in chain(events.outcomes(schedule, current), events.transitions(schedule, current)):
            await self._tell(schedule, event)
        return True

    async def _delete(self, key: Key, schedule: Object, cause: Failure) -> None:
        """Delete a schedule, unless somebody was quicker."""
        try:
            await self._kube.delete(kube.SCHEDULES, key, schedule["metadata"]["uid"])
        except (kube.NotFoundError, kube.ConflictError):
            return
        note = f"deleted by the operator: spec.onPermanentFailure asks for it, since {permanent.told(cause)}"
        await self._tell(schedule, events.Event("Warning", Reason.PERMANENT_FAILURE, note))

    async def _tell(self, schedule: Object, event: events.Event) -> None:
        """Post and log an Event. One that cannot be posted is only logged: the status has the truth."""
        logger.log(
            logging.WARNING if event.type == "Warning" else logging.INFO,
            "%s: %s",
            event.reason,
            event.note,
            extra=log_fields(schedule),
        )
        try:
            await self._kube.create(kube.EVENTS, events.manifest(schedule, event, self._reporter, self._clock()))
        except kube.ApiError as error:
            logger.warning("could not post the event: %s", error, extra=log_fields(schedule))

    def _next_look(self, current: GraphScheduleStatus, obstacle: Obstacle | None) -> float | None:
        if obstacle is not None and obstacle.reason is Reason.NAME_CONFLICT:
            return CONFLICT_SECONDS
        if not current.next_fire_times:
            return breaker.seconds_left(current.suspension, self._clock())
        until_fire = slots.parse_instant(current.next_fire_times[0]) - self._clock()
        return Routine(until_fire.total_seconds() + AFTER_FIRE_SECONDS)


def _suspension(
    schedule: Object, verdict: Accepted | InvalidValueError, opinion: Opinion, past: Summary | Outage, now: datetime
) -> Suspension | None:
    """Return why the operator itself is to keep a schedule from firing."""
    return permanent.suspension(schedule, opinion, now) or breaker.suspension(schedule, verdict, past, now)


def log_fields(schedule: Object) -> dict[str, object]:
    """Return the ids by which a schedule's log lines are found."""
    metadata, asked = schedule["metadata"], schedule.get("spec") or {}
    return {
        "namespace": metadata["namespace"],
        "schedule": metadata["name"],
        "uid": metadata["uid"],
        "graph": (asked.get("graph") or {}).get("id"),
        "user": asked.get("userId"),
    }
