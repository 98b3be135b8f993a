"""Brings a schedule's CronJob to what is wanted: carries out what `plan` decides."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from graphschedule import labels, slots
from graphschedule.status import Reason

from graphschedule_operator import kube, plan
from graphschedule_operator.cache import Cache, Key, Object, key_of
from graphschedule_operator.status import Obstacle


class GarbageError(Exception):
    """The name is still held by the CronJob of a deleted schedule; garbage collection will free it in a moment."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The CronJob that a schedule fires from as it stands now, and what stood in the way of the wanted one.

    `error` is the API server's refusal, if there was one: it may be lifted, so it is worth another try. `again` is in
    how many seconds to look again at what is left to do.
    """

    cronjob: Object | None
    obstacle: Obstacle | None = None
    error: kube.ApiError | None = None
    again: float | None = None


def refusal(name: str, error: kube.ApiError) -> Obstacle:
    """Return how it is told that the API server refused a CronJob."""
    return Obstacle(Reason.APPLY_FAILED, f"the API server refused CronJob {name}: {error}")


def stranger(name: str, owner: str, remedy: str) -> Obstacle:
    """Return how it is told that a CronJob's name is somebody else's."""
    return Obstacle(Reason.NAME_CONFLICT, f"CronJob {name} exists and belongs to {owner}: {remedy}")


class CronJobs:
    """The CronJobs of all schedules and shards: known from the cache, changed through the client."""

    def __init__(self, client: kube.Kube, cache: Cache) -> None:
        self._kube = client
        self._cache = cache

    def own(self, schedule: Object) -> Object | None:
        """Return the schedule's own CronJob, as far as the cache knows of one."""
        live = self._cache.get(_key(schedule))
        return live if live is not None and plan.is_ours(schedule, live) else None

    async def settle(self, schedule: Object, wanted: Object | None, now: datetime) -> Settled:
        """Bring the schedule's CronJob to what is wanted; None is wanted of a spec that cannot be used.

        Raises:
            GarbageError: the name is not free yet.
            kube.ApiError: the API server is unavailable, or the world changed while we looked.

        """
        key = _key(schedule)
        try:
            return await self._carry_out(plan.plan(schedule, wanted, self._cache.get(key)), key, now)
        except (kube.ConflictError, kube.NotFoundError):
            # The cache did not know who has the name: a stranger, whose objects we do not watch; our own CronJob
            # after somebody took its label away; or nobody any more.
            live = await self.look(key)
            return await self._carry_out(plan.plan(schedule, wanted, live), key, now)

    def get(self, key: Key) -> Object | None:
        """Return a CronJob as the cache has it."""
        return self._cache.get(key)

    async def refresh(self, key: Key) -> None:
        """Bring what the cache has of a CronJob of ours up to date.

        Raises:
            kube.ApiError: the API server does not say.

        """
        live = await self.look(key)
        if live is not None and self._cache.get(key) is not None:
            self._known(live)

    async def look(self, key: Key) -> Object | None:
        """Return a CronJob as the API server has it, whoever it belongs to.

        Raises:
            kube.ApiError: the API server does not say.

        """
        try:
            return await self._kube.get(kube.CRONJOBS, key)
        except kube.NotFoundError:
            self._cache.forget(key)
            return None

    async def retire(self, live: Object, now: datetime) -> bool:
        """Have a CronJob go that is not needed any more, by one step (`plan.retire`); return whether it is gone.

        Raises:
            kube.ApiError: the API server did not take the step.

        """
        step = plan.retire(live, now)
        if isinstance(step, plan.Delete):
            await self._delete(key_of(live), live)
        elif isinstance(step, plan.Suspend):
            await self.write(step, key_of(live), now)
        return isinstance(step, plan.Delete)

    async def _delete(self, key: Key, live: Object) -> None:
        with suppress(kube.NotFoundError):
            await self._kube.delete(kube.CRONJOBS, key, live["metadata"]["uid"])
        self._cache.forget(key)

    async def _carry_out(self, step: plan.Step, key: Key, now: datetime) -> Settled:
        match step:
            case plan.Keep(live):
                return Settled(live)
            case plan.Wait():
                raise GarbageError
            case plan.Refuse(owner):
                return Settled(None, stranger(key.name, owner, "rename this schedule, or delete that CronJob"))
        try:
            return Settled(await self.write(step, key, now))
        except (kube.ConflictError, kube.NotFoundError, kube.UnavailableError):
            raise
        except kube.ApiError as error:
            return Settled(self._cache.get(key), refusal(key.name, error), error)

    async def write(self, step: plan.Create | plan.Update | plan.Suspend, key: Key, now: datetime) -> Object:
        """Carry out a step, and return the CronJob.

        Raises:
            kube.ApiError: the API server did not take it.

        """
        match step:
            case plan.Create(wanted):
                return self._known(await self._kube.apply(kube.CRONJOBS, wanted, force=False))
            case plan.Update(wanted, live, forget_missed):
                if forget_missed:
                    await self._forget_missed(key, live, now)
                same = {"metadata": {**wanted["metadata"], **_identity(live)}}
                return self._known(await self._kube.apply(kube.CRONJOBS, {**wanted, **same}, force=True))
            case plan.Suspend(live):
                change = {"metadata": _identity(live), "spec": {"suspend": True}}
                return self._known(await self._kube.merge(kube.CRONJOBS, key, change))

    async def _forget_missed(self, key: Key, live: Object, now: datetime) -> None:
        """Have the CronJob controller believe that it has seen the time up to now (see `plan.Update`).

        The time is given seconds, by which `status.last_fire_time` tells it from a real fire: those are whole
        minutes.
        """
        seen = now if now.second else now + timedelta(seconds=1)
        change = {"metadata": _identity(live), "status": {"lastScheduleTime": slots.format_instant(seen)}}
        self._known(await self._kube.merge(kube.CRONJOBS, key, change, "status"))

    def _known(self, cronjob: Object) -> Object:
        """Take our own write into the cache, so that the watch's telling of it is no news."""
        self._cache.put(cronjob)
        return cronjob


def _key(schedule: Object) -> Key:
    metadata = schedule["metadata"]
    return Key(metadata["namespace"], labels.cronjob_name(metadata["name"]))


def _identity(live: Object) -> dict[str, Any]:
    """Make a write fail with a conflict if another object has taken the name since we looked."""
    return {"uid": live["metadata"]["uid"]}
