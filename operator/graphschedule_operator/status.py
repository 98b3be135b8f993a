"""What is known about a schedule, as its status: one pure function from facts to conditions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from graphschedule import slots
from graphschedule.errors import InvalidValueError
from graphschedule.status import Condition, ConditionType, GraphScheduleStatus, Reason

from graphschedule_operator import graph
from graphschedule_operator.desired import PAYLOAD_FIELDS, Accepted
from graphschedule_operator.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule.status import Suspension

    from graphschedule_operator.cache import Object

_FIELD_REASONS = {
    "spec.cron": Reason.INVALID_CRON,
    "spec.timeZone": Reason.INVALID_TIME_ZONE,
    PAYLOAD_FIELDS: Reason.INPUTS_TOO_LARGE,
}
_SUSPENDED = (Reason.SUSPENDED, Reason.PERMANENT_FAILURE, Reason.BREAKER_OPEN)


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
    """All that a status is made of. `cronjob` is the schedule's own CronJob as it now stands.

    `suspension` is the operator's own: why it keeps the schedule from firing, whatever the spec says.
    """

    schedule: Object
    verdict: Accepted | InvalidValueError
    cronjob: Object | None
    obstacle: Obstacle | None
    now: datetime
    graph: Judgement = graph.NO_DATABASE
    suspension: Suspension | None = None


def status(facts: Facts) -> GraphScheduleStatus:
    """Return the status that the facts amount to."""
    accepted = acceptance(facts.verdict)
    scheduled = _scheduled(facts)
    fires = _fire_times(facts.verdict, scheduled)
    judgements = {
        ConditionType.READY: _ready(accepted, facts.graph, scheduled),
        ConditionType.ACCEPTED: accepted,
        ConditionType.GRAPH_VALID: facts.graph,
        ConditionType.SCHEDULED: scheduled,
    }
    return GraphScheduleStatus(
        observed_generation=_generation(facts.schedule),
        conditions=tuple(_condition(facts, kind, judgement) for kind, judgement in judgements.items()),
        cron_job_name=facts.cronjob["metadata"]["name"] if facts.cronjob else None,
        next_fire_times=tuple(slots.format_instant(fire) for fire in fires),
        next_fire_times_local=tuple(fire.isoformat(timespec="seconds") for fire in fires),
        last_fire_time=_last_fire_time(facts),
        suspension=facts.suspension,
    )


def acceptance(verdict: Accepted | InvalidValueError) -> Judgement:
    """Return the condition `Accepted`."""
    if isinstance(verdict, InvalidValueError):
        return Judgement("False", _FIELD_REASONS.get(verdict.field, Reason.INVALID_SPEC), str(verdict))
    if verdict.spec.time_zone is None:
        message = "spec.timeZone is not set, so UTC is used; set it, to Etc/UTC if UTC is meant"
        return Judgement("True", Reason.TIME_ZONE_DEFAULTED, message)
    return Judgement("True", Reason.ACCEPTED, "the spec can be used")


def conditions_of(schedule: Object) -> Mapping[str, Mapping[str, Any]]:
    """Return the conditions a schedule already carries, by type."""
    conditions = (schedule.get("status") or {}).get("conditions") or ()
    return {condition["type"]: condition for condition in conditions}


def state_of(current: GraphScheduleStatus) -> State:
    """Return the state a schedule of that status is counted under."""
    conditions = {condition.type: condition for condition in current.conditions}
    if "False" in (conditions[ConditionType.ACCEPTED].status, conditions[ConditionType.GRAPH_VALID].status):
        return State.INVALID
    if conditions[ConditionType.SCHEDULED].reason in _SUSPENDED:
        return State.SUSPENDED
    return State.BLOCKED if conditions[ConditionType.SCHEDULED].status == "False" else State.ACTIVE


def differences(schedule: Object, current: GraphScheduleStatus) -> Mapping[str, Any]:
    """Return the members of the status that must be written, as a merge patch; None removes a member."""
    known = schedule.get("status") or {}
    members = current.model_dump(mode="json", by_alias=True)
    return {name: value or None for name, value in members.items() if (value or None) != known.get(name)}


def _scheduled(facts: Facts) -> Judgement:
    name = facts.cronjob["metadata"]["name"] if facts.cronjob else None
    if facts.obstacle is not None:
        return Judgement("False", facts.obstacle.reason, facts.obstacle.message)
    if isinstance(facts.verdict, InvalidValueError):
        consequence = f"CronJob {name} is suspended until it can" if name else "no CronJob was made"
        return Judgement("False", Reason.NOT_ACCEPTED, f"the spec cannot be used; {consequence}")
    if not graph.may_fire(facts.graph, facts.verdict, facts.cronjob):
        return _held(facts.graph, facts.cronjob)
    if facts.verdict.spec.suspend:
        return Judgement("True", Reason.SUSPENDED, f"CronJob {name} is suspended, as spec.suspend asks")
    if facts.suspension is not None:
        message = f"CronJob {name} is suspended: {facts.suspension.message}"
        return Judgement("False", Reason(facts.suspension.reason), message)
    return Judgement("True", Reason.CRON_JOB_APPLIED, f"CronJob {name} fires this schedule")


def _held(verdict: Judgement, cronjob: Object | None) -> Judgement:
    """Tell what became of a spec whose graph was never valid."""
    fault = "the graph is not valid" if verdict.status == "False" else "the graph could not be validated yet"
    if cronjob is None:
        consequence = "no CronJob was made"
    else:
        state = "is suspended" if cronjob["spec"].get("suspend") else "stays as it was"
        consequence = f"CronJob {cronjob['metadata']['name']} {state} until it is"
    return Judgement("False", Reason.NOT_ACCEPTED, f"{fault}; {consequence}")


def _ready(*aspects: Judgement) -> Judgement:
    """Summarise: the first condition that is false; a suspension that was asked for is no fault."""
    *_, scheduled = aspects
    for judgement in aspects:
        if judgement.status == "False":
            return judgement
    if scheduled.reason is Reason.SUSPENDED:
        return scheduled
    return Judgement("True", Reason.READY, "the schedule fires as written")


def _condition(facts: Facts, kind: ConditionType, judgement: Judgement) -> Condition:
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


def _fire_times(verdict: Accepted | InvalidValueError, scheduled: Judgement) -> tuple[datetime, ...]:
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
