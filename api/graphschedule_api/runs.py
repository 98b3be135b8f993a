"""Runs of a schedule: those that were, and one more, now (M7, M33)."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from graphschedule import arguments
from graphschedule.slots import Slot
from graphschedule_platform import runs

from graphschedule_api import jobs, kube, schedule
from graphschedule_api.cache import id_of, uid_of
from graphschedule_api.errors import ConflictError, NotFoundError
from graphschedule_api.told import as_told

if TYPE_CHECKING:
    from graphschedule.spec import GraphScheduleSpec
    from graphschedule_platform.runs import Place, Run

    from graphschedule_api.cache import Object
    from graphschedule_api.platform import Platform

logger = logging.getLogger(__name__)

_NO_CRONJOB = "nothing fires this schedule yet, so there is nothing to run it by: see its conditions, and try again"


class Begun(NamedTuple):
    """A run that was asked for: its Job, and what its slot and its execution will be called."""

    job: str
    slot: Slot


class Runs:
    """Runs of schedules."""

    def __init__(self, client: kube.Kube, platform: Platform) -> None:
        self._kube = client
        self._platform = platform

    async def page(self, found: Object, limit: int, after: Place | None) -> list[Run]:
        """Return runs of a schedule, newest first.

        Raises:
            UnavailableError: the platform's database cannot be asked now.

        """
        return await self._platform.read(partial(runs.runs_of, schedule_uid=uid_of(found), limit=limit, after=after))

    async def get(self, found: Object, run_id: str) -> Run:
        """Return a run of a schedule.

        Raises:
            NotFoundError: there is none, or its pod has not begun.
            UnavailableError: the platform's database cannot be asked now.

        """
        run = await self._platform.read(partial(runs.run_of, schedule_uid=uid_of(found), id_=run_id))
        if run is None:
            raise NotFoundError(f"schedule {id_of(found)} has no run {run_id}, or its pod has not begun yet")
        return run

    async def begin(self, found: Object, spec: GraphScheduleSpec) -> Begun:
        """Run a schedule now as a spec says, its own or one with other inputs; be it paused or not.

        The Job is made from the CronJob that fires the schedule, be it its own or one that many schedules share.

        Raises:
            GraphRefusedError: the platform would not run the graph.
            ConflictError: nothing fires the schedule yet.
            RefusedError, NotAuthorizedError: the cluster does not take the Job.
            UnavailableError: the platform or the API server cannot be asked now.

        """
        await self._platform.check(schedule.request_of(spec))
        namespace, cronjob = found["metadata"]["namespace"], (found.get("status") or {}).get("cronJobName")
        if cronjob is None:
            raise ConflictError(_NO_CRONJOB)
        try:
            with as_told():
                template = await self._kube.get(kube.CRONJOBS, namespace, cronjob)
                payload = arguments.payload_of(found, spec, cronjob)
                job = jobs.with_run(jobs.of_cronjob(template), payload, arguments.run_labels(found, spec))
                made = await self._kube.create(kube.JOBS, job)
        except kube.NotFoundError as error:
            raise ConflictError(_NO_CRONJOB) from error
        metadata = made["metadata"]
        logger.info("run begun", extra={"schedule_id": id_of(found), "job": metadata["name"]})
        return Begun(metadata["name"], Slot.manual(uid_of(found), metadata["uid"]))
