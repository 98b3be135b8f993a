"""Missed slots (M35): which slots there should have been, and why one of them left no trace in the ledger. Pure.

Cron says which slots there should be, the ledger which there are. No Job is needed to find a missed slot; Jobs, pods
and Events only help to say why it was missed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from graphschedule import cron, labels, slots
from graphschedule.errors import InvalidValueError
from graphschedule.outcomes import Outcome, SlotState

from graphschedule_operator import memory
from graphschedule_operator.desired import UTC_ZONE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from graphschedule_operator.cache import Object

_OUTCOMES = {outcome.exit_code: outcome for outcome in Outcome if outcome.exit_code}
_NO_CAUSES = ("ContainerCreating", "PodInitializing")
"""Reasons of waiting that only say that something else is waited for."""


class Warned(NamedTuple):
    """A warning Event's reason and note."""

    reason: str
    note: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the cluster has on a slot: CronJob, Job, the Job's pods, and warnings about these, oldest first."""

    cronjob: Object | None
    job: Object | None = None
    pods: Sequence[Object] = ()
    warnings: Sequence[Warned] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What is put on record of a slot."""

    state: SlotState
    reason: str
    message: str


def due(schedule: Object, after: datetime, until: datetime) -> Sequence[datetime]:
    """Return the fire times of a schedule later than `after` and not later than `until`, while it was active."""
    since = (schedule.get("status") or {}).get("activeSince")
    if since is None:
        return ()
    spec = schedule["spec"]
    try:
        return _fire_times(spec["cron"], spec.get("timeZone"), max(after, slots.parse_instant(since)), until)
    except InvalidValueError:
        return ()


def cronjob_name(schedule: Object) -> str:
    """Return the name of the CronJob that fires a schedule: a shard's, if its status says so."""
    told: str | None = (schedule.get("status") or {}).get("cronJobName")
    return told or labels.cronjob_name(schedule["metadata"]["name"])


def owed(fire_times: Sequence[datetime], schedule: Object, cronjob: Object | None) -> Sequence[datetime]:
    """Return those of the times that are due which a schedule's CronJob really had to fire at.

    None, if it is suspended or does not fire as the spec asks: it is about to be changed, and then what it owed is
    forgotten. Nor any from before a change that the schedule's status does not tell of yet.
    """
    if cronjob is None:
        return fire_times
    if not _fires(cronjob["spec"], schedule["spec"]):
        return ()
    forgotten = memory.forgotten_until(cronjob)
    return [fire_time for fire_time in fire_times if forgotten is None or fire_time > forgotten]


def explain(fire_time: datetime, evidence: Evidence, *, claimed: bool = False) -> Finding | None:
    """Return what is to be said of a slot that left no trace in the ledger, or None if its Job is still at it.

    `claimed`: there is a trace, of a run that began and did not end.
    """
    finding = _missing(fire_time, evidence)
    if finding is None or not claimed:
        return finding
    message = f"its execution is written, but not known to be in the queue; {finding.message}"
    return Finding(SlotState.FAILED, finding.reason, message)


def _missing(fire_time: datetime, evidence: Evidence) -> Finding | None:
    if evidence.job is None:
        return _without_job(fire_time, evidence)
    status = evidence.job.get("status") or {}
    conditions = {told["type"]: told for told in status.get("conditions") or () if told["status"] == "True"}
    if "Failed" in conditions:
        return _failed(conditions["Failed"]["reason"], conditions["Failed"].get("message", ""), evidence)
    if "Complete" in conditions:
        return _missed("NotRecorded", "its Job completed, but on another database than the one that the operator reads")
    if "startTime" not in status:
        return _missed("JobNotStarted", "its Job was made, but nothing has started it: is the Job controller at work?")
    return None


def _without_job(fire_time: datetime, evidence: Evidence) -> Finding:
    fired = memory.fired(evidence.cronjob)
    if fired is None or fired < fire_time:
        if evidence.warnings:
            return _missed(*evidence.warnings[-1])
        return _missed("NotStarted", "the CronJob controller made no Job for it: is kube-controller-manager at work?")
    if fired > fire_time:
        return _missed("Coalesced", "the CronJob controller was late, and made up for a later slot only")
    return _missed("JobGone", "its Job was deleted before it came to anything")


def _failed(reason: str, message: str, evidence: Evidence) -> Finding:
    """Return why a Job failed: by what its runner said, or by why there was no runner."""
    for ended in _container_states(evidence.pods, "terminated"):
        outcome = _OUTCOMES.get(ended["exitCode"])
        if outcome is not None:
            return Finding(SlotState.FAILED, outcome.reason, ended.get("message") or message)
    for cause in _causes(evidence):
        return _missed(cause.reason, "; ".join(part for part in (message, cause.note) if part))
    return _missed(reason, message)


def _causes(evidence: Evidence) -> Iterator[Warned]:
    """Yield why no runner came to work, the surest reason first."""
    for waiting in _container_states(evidence.pods, "waiting"):
        if waiting["reason"] not in _NO_CAUSES:
            yield Warned(waiting["reason"], waiting.get("message", ""))
    for pod in evidence.pods:
        for told in (pod.get("status") or {}).get("conditions") or ():
            if told["type"] == "PodScheduled" and told["status"] == "False":
                yield Warned(told["reason"], told.get("message", ""))
    yield from reversed(evidence.warnings)


def _container_states(pods: Sequence[Object], kind: str) -> Iterator[Mapping[str, Any]]:
    for pod in pods:
        for container in (pod.get("status") or {}).get("containerStatuses") or ():
            if kind in container["state"]:
                yield container["state"][kind]


def _missed(reason: str, message: str) -> Finding:
    return Finding(SlotState.MISSED, reason, message)


def _fires(live: Object, spec: Object) -> bool:
    """Tell whether a CronJob fires as a schedule asks."""
    asked = (memory.parsed(spec["cron"]).canonical, spec.get("timeZone") or UTC_ZONE)
    return not live.get("suspend") and (live["schedule"], live.get("timeZone")) == asked


@lru_cache(maxsize=4096)
def _fire_times(text: str, zone: str | None, after: datetime, until: datetime) -> tuple[datetime, ...]:
    """Return the fire times in a span of time; many schedules share a cron expression."""
    upcoming = memory.parsed(text).upcoming(after, cron.time_zone(zone))
    return tuple(takewhile(lambda fire_time: fire_time <= until, upcoming))
