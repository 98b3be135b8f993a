"""From where a schedule fires: from a CronJob of its own, or from a shard's.

It comes to the one before it leaves the other, so that no slot is lost. One that both fire is settled once, by the
ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError

from graphschedule_operator import graph
from graphschedule_operator.cache import key_of
from graphschedule_operator.cronjob import Settled
from graphschedule_operator.desired import desired
from graphschedule_operator.graph import Aim
from graphschedule_operator.shards import WAIT_SECONDS

if TYPE_CHECKING:
    from datetime import datetime

    from graphschedule_operator.cache import Key, Object
    from graphschedule_operator.cronjob import CronJobs
    from graphschedule_operator.desired import Accepted
    from graphschedule_operator.settings import Settings
    from graphschedule_operator.shards import Shards

GROUPED = "Grouped"


class Dispatch:
    """Brings schedules to where they are to fire."""

    def __init__(self, cronjobs: CronJobs, shards: Shards, settings: Settings) -> None:
        self._cronjobs = cronjobs
        self._shards = shards
        self._settings = settings

    def runs(self, schedule: Object, accepted: Accepted | InvalidValueError) -> bool:
        """Tell whether a schedule's runs are given what its spec asks for now, or were before it was suspended."""
        if isinstance(accepted, InvalidValueError):
            return False
        if graph.runs(self._cronjobs.own(schedule), accepted) or self._shards.runs(schedule, accepted):
            return True
        return self._is_grouped(accepted) and graph.was_fit(schedule)

    async def settle(
        self, schedule: Object, accepted: Accepted | InvalidValueError, aim: Aim, now: datetime, *, suspended: bool
    ) -> Settled | None:
        """Bring a schedule to where and how it is to fire; `suspended`: the operator keeps it from firing.

        None means that there is nothing to tell yet, and that its shard puts it on the queue when there is.

        Raises:
            GarbageError: the name of its own CronJob is not free yet.
            kube.ApiError: the API server is unavailable, or the world changed while we looked.

        """
        if isinstance(accepted, InvalidValueError):
            return await self._alone(schedule, None, aim, now, fires=False)
        fires = aim is Aim.FIRE and not (suspended or accepted.spec.suspend)
        if self._is_grouped(accepted):
            return await self._among_others(schedule, accepted, aim, now, fires=fires)
        wanted = desired(schedule, accepted, self._settings, suspended=suspended) if aim is Aim.FIRE else None
        return await self._alone(schedule, wanted, aim, now, fires=fires)

    def forget(self, key: Key) -> None:
        """Take that a schedule is gone; its own CronJob goes with it."""
        self._shards.leave(key)

    def _is_grouped(self, accepted: Accepted) -> bool:
        return (accepted.spec.dispatch or self._settings.dispatch) == GROUPED

    async def _alone(self, schedule: Object, wanted: Object | None, aim: Aim, now: datetime, *, fires: bool) -> Settled:
        if aim is Aim.KEEP:
            wanted = self._cronjobs.own(schedule)
            if wanted is None and (cronjob := self._shards.stay(key_of(schedule))) is not None:
                return Settled(cronjob)
        settled = await self._cronjobs.settle(schedule, wanted, now)
        if aim is not Aim.KEEP and not (fires and settled.obstacle):
            self._shards.leave(key_of(schedule))
        return settled

    async def _among_others(
        self, schedule: Object, accepted: Accepted, aim: Aim, now: datetime, *, fires: bool
    ) -> Settled | None:
        own = self._cronjobs.own(schedule)
        if aim is Aim.KEEP:
            return Settled(self._shards.stay(key_of(schedule)) or own)
        cronjob = None
        if fires:
            standing = self._shards.join(schedule, accepted)
            if standing.obstacle is not None:
                return Settled(own, standing.obstacle)
            if standing.cronjob is None:
                return None
            cronjob = standing.cronjob
        else:
            self._shards.leave(key_of(schedule))
        if own is None or await self._cronjobs.retire(own, now):
            return Settled(cronjob)
        return Settled(cronjob, again=WAIT_SECONDS)
