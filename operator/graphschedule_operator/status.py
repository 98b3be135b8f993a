"""What is known about a schedule, as its status: one pure function from facts to conditions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Literal

from graphschedule import slots
from graphschedule.errors import InvalidValueError
from graphschedule.status import Condition, ConditionType, GraphScheduleStatus, Reason

from graphschedule_operator.desired import PAYLOAD_FIELDS, Accepted

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule_operator.cache import Object

_FIELD_REASONS = {
    "spec.cron": Reason.INVALID_CRON,
    "spec.timeZone": Reason.INVALID_TIME_ZONE,
    PAYLOAD_FIELDS: Reason.INPUTS_TOO_LARGE,
}


class State(StrEnum):
    """How a schedule is counted in the metrics."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    INVALID = "invalid"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the wanted CronJob could not be had."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a status is made of. `cronjob` is the schedule's own CronJob as it now stands."""

    schedule: Object
    verdict: Accepted | InvalidValueError
    cronjob: Object | None
    obstacle: Obstacle | None
    now: datetime


@dataclass(frozen=True, slots=True)
class _Judgement:
    status: Literal["True", "False"]
    reason: Reason
    message: str


def status(facts: Facts) -> GraphScheduleStatus:
    """Return the status that the facts amount to."""
    accepted = _accepted(facts.verdict)
    scheduled = _scheduled(facts)
    fires = _fire_times(facts.verdict, scheduled)
    judgements = {
        ConditionType.READY: _ready(accepted, scheduled),
        ConditionType.ACCEPTED: accepted,
        ConditionType.SCHEDULED: scheduled,
    }
    return GraphScheduleStatus(
        observed_generation=_generation(facts.schedule),
        conditions=tuple(_condition(facts, kind, judgement) for kind, judgement in judgements.items()),
        cron_job_name=facts.cronjob["metadata"]["name"] if facts.cronjob else None,
        next_fire_times=tuple(slots.format_instant(fire) for fire in fires),
        next_fire_times_local=tuple(fire.isoformat(timespec="seconds") for fire in fires),
        last_fire_time=_last_fire_time(facts),
    )


def conditions_of(schedule: Object) -> Mapping[str, Mapping[str, Any]]:
    """Return the conditions a schedule already carries, by type."""
    conditions = (schedule.get("status") or {}).get("conditions") or ()
    return {condition["type"]: condition for condition in conditions}


def state_of(current: GraphScheduleStatus) -> State:
    """Return the state a schedule of that status is counted under."""
    reasons = {condition.type: condition for condition in current.conditions}
    if reasons[ConditionType.ACCEPTED].status == "False":
        return State.INVALID
    if reasons[ConditionType.READY].status == "False":
        return State.BLOCKED
    return State.SUSPENDED if reasons[ConditionType.READY].reason == Reason.SUSPENDED else State.ACTIVE


def differences(schedule: Object, current: GraphScheduleStatus) -> Mapping[str, Any]:
    """Return the members of the status that must be written, as a merge patch; None removes a member."""
    known = schedule.get("status") or {}
    members = current.model_dump(mode="json", by_alias=True)
    return {name: value or None for name, value in members.items() if (value or None) != known.get(name)}


def _accepted(verdict: Accepted | InvalidValueError) -> _Judgement:
    if isinstance(verdict, InvalidValueError):
        return _Judgement("False", _FIELD_REASONS.get(verdict.field, Reason.INVALID_SPEC), str(verdict))
    if verdict.spec.time_zone is None:
        message = "spec.timeZone is not set, so UTC is used; set it, to Etc/UTC if UTC is meant"
        return _Judgement("True", Reason.TIME_ZONE_DEFAULTED, message)
    return _Judgement("True", Reason.ACCEPTED, "the spec can be used")


def _scheduled(facts: Facts) -> _Judgement:
    name = facts.cronjob["metadata"]["name"] if facts.cronjob else None
    if facts.obstacle is not None:
        return _Judgement("False", facts.obstacle.reason, facts.obstacle.message)
    if isinstance(facts.verdict, InvalidValueError):
        consequence = f"CronJob {name} is suspended until it can" if name else "no CronJob was made"
        return _Judgement("False", Reason.NOT_ACCEPTED, f"the spec cannot be used; {consequence}")
    if facts.verdict.spec.suspend:
        return _Judgement("True", Reason.SUSPENDED, f"CronJob {name} is suspended, as spec.suspend asks")
    return _Judgement("True", Reason.CRON_JOB_APPLIED, f"CronJob {name} fires this schedule")


def _ready(accepted: _Judgement, scheduled: _Judgement) -> _Judgement:
    """Summarise: the first condition that is false; a suspension that was asked for is no fault."""
    for judgement in (accepted, scheduled):
        if judgement.status == "False":
            return judgement
    if scheduled.reason is Reason.SUSPENDED:
        return scheduled
    return _Judgement("True", Reason.READY, "the schedule fires as written")


def _condition(facts: Facts, kind: ConditionType, judgement: _Judgement) -> Condition:
    before = conditions_of(facts.schedule).get(kind)
    since = before["lastTransitionTime"] if before and before["status"] == judgement.status else None
    return Condition(
        type=kind,
        status=judgement.status,
        reason=judgement.reason,
        message=judgement.message,
        last_transition_time=since or slots.format_instant(facts.now),
        observed_generation=_generation(facts.schedule),
    )


def _fire_times(verdict: Accepted | InvalidValueError, scheduled: _Judgement) -> tuple[datetime, ...]:
    """Return when the CronJob fires next: it does not unless it is the wanted one and is not suspended."""
    if isinstance(verdict, InvalidValueError) or scheduled.reason is not Reason.CRON_JOB_APPLIED:
        return ()
    return verdict.fire_times


def _last_fire_time(facts: Facts) -> str | None:
    """Return the last slot that the CronJob controller fired.

    Its memory, `lastScheduleTime`, is a whole minute when the controller wrote it; with seconds, we wrote it (see
    `reconcile.forget_missed_until`), and nothing was fired.
    """
    memory = ((facts.cronjob or {}).get("status") or {}).get("lastScheduleTime")
    if memory is not None and slots.parse_instant(memory).second == 0:
        return slots.format_instant(slots.parse_instant(memory))
    known: str | None = (facts.schedule.get("status") or {}).get("lastFireTime")
    return known


def _generation(schedule: Object) -> int:
    generation: int = schedule["metadata"]["generation"]
    return generation
