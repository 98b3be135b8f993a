"""Looks from time to time for slots that should be in the ledger and are not, and puts them on record as missed (M35).

It goes forward in time: each search begins where the last one ended, and ends a grace before now, when a slot has had
all the time that a run may take. After a start it begins `lookback_seconds` ago, so that an operator that was down
finds what was missed meanwhile; what is on record already is not recorded again.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from graphschedule.outcomes import SlotState
from graphschedule.slots import Slot
from graphschedule_platform import ledger
from graphschedule_platform.ledger import Entry, Record

from graphschedule_operator import kube, missed
from graphschedule_operator.cache import Key
from graphschedule_operator.evidence import Evidences
from graphschedule_operator.platform import UnansweredError
from graphschedule_operator.reconcile import now

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import datetime

    from graphschedule_operator.cache import Cache, Object
    from graphschedule_operator.platform import Platform
    from graphschedule_operator.settings import Settings

logger = logging.getLogger(__name__)

BREATH = 100
"""Schedules looked at before others get their turn."""
MAX_EVIDENCE = 100
"""Jobs per search for which the cluster is asked why; other slots are explained by their CronJob alone."""


@dataclass(frozen=True, slots=True)
class Due:
    """A slot that should be in the ledger, and the key of its CronJob."""

    entry: Entry
    fire_time: datetime
    cronjob: Key


class Audit:
    """Searches for missed slots."""

    def __init__(
        self,
        platform: Platform,
        client: kube.Kube,
        schedules: Cache,
        cronjobs: Cache,
        settings: Settings,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._platform = platform
        self._kube = client
        self._schedules = schedules
        self._cronjobs = cronjobs
        self._pause = settings.missed_seconds
        self._grace = timedelta(seconds=settings.grace_seconds)
        self._clock = clock
        self._searched = clock() - timedelta(seconds=settings.lookback_seconds)
        self._undecided: dict[str, Due] = {}

    async def for_ever(self) -> None:
        """Search again and again."""
        while True:
            await asyncio.sleep(self._pause)
            try:
                await self.search()
            except (UnansweredError, kube.ApiError) as error:
                logger.warning("could not look for missed slots, will try again: %s", error)
            except Exception:
                logger.exception("could not look for missed slots")

    async def search(self) -> None:
        """Search from where the last search ended, and record what was missed.

        Raises:
            UnansweredError: the ledger does not answer.
            kube.ApiError: the API server does not answer.

        """
        until = self._clock() - self._grace
        candidates = self._still_there() | await self._due(until)
        states = await self._platform.read(partial(ledger.states_of, ids=candidates.keys()))
        claimed = {id_ for id_, state in states.items() if state is SlotState.CLAIMED}
        lost = {id_: due for id_, due in candidates.items() if id_ in claimed or id_ not in states}
        records, undecided = await self._explain(lost, claimed)
        if records:
            await self._platform.write(partial(ledger.record_many, records=records, now=self._clock()))
            logger.warning("%d slots were missed", len(records))
        self._searched, self._undecided = until, undecided

    def _still_there(self) -> dict[str, Due]:
        """Return the undecided slots whose schedules were not deleted meanwhile."""
        return {id_: due for id_, due in self._undecided.items() if self._has(due.entry)}

    def _has(self, entry: Entry) -> bool:
        schedule = self._schedules.get(Key(entry.namespace, entry.schedule_name))
        return schedule is not None and schedule["metadata"]["uid"] == entry.slot.schedule_uid

    async def _due(self, until: datetime) -> dict[str, Due]:
        found: dict[str, Due] = {}
        for number, (key, schedule) in enumerate(self._schedules.items()):
            if number % BREATH == 0:
                await asyncio.sleep(0)
            fire_times = missed.due(schedule, self._searched, until)
            if not fire_times:
                continue
            cronjob = Key(key.namespace, missed.cronjob_name(schedule))
            for fire_time in missed.owed(fire_times, schedule, self._cronjobs.get(cronjob)):
                slot = Slot.at(schedule["metadata"]["uid"], fire_time)
                found[slot.execution_id] = Due(_entry(schedule, slot), fire_time, cronjob)
        return found

    async def _explain(
        self, lost: Mapping[str, Due], claimed: Collection[str]
    ) -> tuple[Collection[Record], dict[str, Due]]:
        """Return records of the slots that were missed or left unfinished, and the slots whose Jobs are still at it."""
        evidences = Evidences(self._kube, MAX_EVIDENCE)
        records: list[Record] = []
        undecided: dict[str, Due] = {}
        newest_first = sorted(lost.items(), key=lambda item: item[1].fire_time, reverse=True)
        for id_, due in newest_first:
            evidence = await evidences.of(due.cronjob, self._cronjobs.get(due.cronjob), due.fire_time)
            finding = missed.explain(due.fire_time, evidence, claimed=id_ in claimed)
            if finding is None:
                undecided[id_] = due
            else:
                records.append(Record(due.entry, finding.state, finding.reason, finding.message))
        return records, undecided


def _entry(schedule: Object, slot: Slot) -> Entry:
    metadata, spec = schedule["metadata"], schedule["spec"]
    graph = spec["graph"]
    return Entry(slot, metadata["namespace"], metadata["name"], spec["userId"], graph["id"], graph.get("version"))
