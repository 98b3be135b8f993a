"""What is known about a schedule, as its status: one pure function from facts to conditions."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from graphschedule import slots
from graphschedule.errors import InvalidValueError
from graphschedule.status import Condition, ConditionType, GraphScheduleStatus, Reason

from graphschedule_operator import breaker, graph, history, memory
from graphschedule_operator.cache import is_shard
from graphschedule_operator.desired import PAYLOAD_FIELDS, Accepted
from graphschedule_operator.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule.status import Suspension
    from graphschedule_platform.ledger import Summary

    from graphschedule_operator.cache import Object

_FIELD_REASONS = {
    "spec.cron": Reason.INVALID_CRON,
    "spec.timeZone": Reason.INVALID_TIME_ZONE,
    PAYLOAD_FIELDS: Reason.INPUTS_TOO_LARGE,
}
_HALTED = (Reason.PERMANENT_FAILURE, Reason.BREAKER_OPEN)


class State(StrEnum):
    """How a schedule is counted in the metrics."""

    ACTIVE = "active"
    SUSPENDED = "suspended"
    HALTED = "halted"
    """Suspended by the operator itself."""
    INVALID = "invalid"
    BLOCKED = "blocked"
    FAILING = "failing"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why the wanted CronJob could not be had."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a status is made of. `cronjob` is the CronJob that the schedule fires from as it now stands.

    `runs`: its runs were given what the spec asks for already, when the schedule was looked at. `suspension` is the
    operator's own: why it keeps the schedule from firing, whatever the spec says.
    """

    schedule: Object
    verdict: Accepted | InvalidValueError
    cronjob: Object | None
    obstacle: Obstacle | None
    now: datetime
    graph: Judgement = graph.NO_DATABASE
    runs: bool = False
    suspension: Suspension | None = None
    history: Summary | history.Outage = history.NO_DATABASE


def status(facts: Facts) -> GraphScheduleStatus:
    """Return the status that the facts amount to."""
    accepted = acceptance(facts.verdict)
    scheduled = _scheduled(facts)
    healthy = history.judgement(facts.history, _told(facts.schedule, ConditionType.HEALTHY))
    fires = _fire_times(facts.verdict, scheduled)
    judgements = {
        ConditionType.READY: _ready(accepted, facts.graph, scheduled, healthy),
        ConditionType.ACCEPTED: accepted,
        ConditionType.GRAPH_VALID: facts.graph,
        ConditionType.SCHEDULED: scheduled,
        ConditionType.HEALTHY: healthy,
    }
    return GraphScheduleStatus(
        observed_generation=_generation(facts.schedule),
        conditions=tuple(_condition(facts, kind, judgement) for kind, judgement in judgements.items()),
        cron_job_name=facts.cronjob["metadata"]["name"] if facts.cronjob else None,
        next_fire_times=tuple(slots.format_instant(fire) for fire in fires),
        next_fire_times_local=tuple(fire.isoformat(timespec="seconds") for fire in fires),
        active_since=_active_since(facts, scheduled),
        last_fire_time=_last_fire_time(facts),
        suspension=facts.suspension,
        **history.members(facts.history, facts.schedule.get("status") or {}),
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
    scheduled = conditions[ConditionType.SCHEDULED]
    if "False" in (conditions[ConditionType.ACCEPTED].status, conditions[ConditionType.GRAPH_VALID].status):
        return State.INVALID
    if scheduled.reason == Reason.SUSPENDED:
        return State.SUSPENDED
    if scheduled.reason in _HALTED:
        return State.HALTED
    if scheduled.status == "False":
        return State.BLOCKED
    return State.FAILING if conditions[ConditionType.HEALTHY].status == "False" else State.ACTIVE


def differences(schedule: Object, current: GraphScheduleStatus) -> Mapping[str, Any]:
    """Return the members of the status that must be written, as a merge patch; None removes a member."""
    known = schedule.get("status") or {}
    told = current.model_dump(mode="json", by_alias=True, exclude_none=True)
    # Within a member, too, the patch needs a null for what is there no more.
    members = current.model_dump(mode="json", by_alias=True)
    return {
        name: None if _is_empty(value) else value
        for name, value in members.items()
        if known.get(name) != (None if _is_empty(value) else told[name])
    }


def is_only_a_fire(schedule: Object, changes: Mapping[str, Any], now: datetime, seconds: float) -> bool:
    """Tell whether all that changed is that a slot was fired, less than so many seconds ago."""
    fires = (schedule.get("status") or {}).get("nextFireTimes")
    if not fires or not changes.keys() <= {"nextFireTimes", "nextFireTimesLocal", "lastFireTime"}:
        return False
    return 0 <= (now - slots.parse_instant(fires[0])).total_seconds() < seconds


def _scheduled(facts: Facts) -> Judgement:
    name = facts.cronjob["metadata"]["name"] if facts.cronjob else None
    if facts.obstacle is not None:
        return Judgement("False", facts.obstacle.reason, facts.obstacle.message)
    if isinstance(facts.verdict, InvalidValueError):
        consequence = f"CronJob {name} is suspended until it can" if name else "no CronJob was made"
        return Judgement("False", Reason.NOT_ACCEPTED, f"the spec cannot be used; {consequence}")
    if not graph.may_fire(facts.graph, runs=facts.runs):
        return _held(facts.graph, facts.cronjob)
    if facts.verdict.spec.suspend:
        return Judgement("True", Reason.SUSPENDED, f"{_rests(name)}, as spec.suspend asks")
    if facts.suspension is not None and breaker.holds(facts.suspension, facts.now):
        message = f"{_rests(name)}: {facts.suspension.message}"
        return Judgement("False", Reason(facts.suspension.reason), message)
    return Judgement("True", Reason.CRON_JOB_APPLIED, f"CronJob {name} fires this schedule")


def _rests(name: str | None) -> str:
    """Tell of a schedule that is not to fire; one that fires together with others leaves their CronJob."""
    return f"CronJob {name} is suspended" if name else "no CronJob fires this schedule"


def _held(verdict: Judgement, cronjob: Object | None) -> Judgement:
    """Tell what became of a spec whose graph was never valid."""
    fault = "the graph is not valid" if verdict.status == "False" else "the graph could not be validated yet"
    if cronjob is None:
        consequence = "no CronJob was made"
    else:
        state = "is suspended" if cronjob["spec"].get("suspend") else "stays as it was"
        consequence = f"CronJob {cronjob['metadata']['name']} {state} until it is"
    return Judgement("False", Reason.NOT_ACCEPTED, f"{fault}; {consequence}")


def _ready(accepted: Judgement, graph: Judgement, scheduled: Judgement, healthy: Judgement) -> Judgement:
    """Summarise: the first condition that is false; a suspension that was asked for is no fault, and hides old ones."""
    for judgement in (accepted, graph, scheduled):
        if judgement.status == "False":
            return judgement
    if scheduled.reason is Reason.SUSPENDED:
        return scheduled
    return healthy if healthy.status == "False" else Judgement("True", Reason.READY, "the schedule fires as written")


def _told(schedule: Object, kind: ConditionType) -> Judgement | None:
    """Return a condition as the schedule's status has it."""
    told = conditions_of(schedule).get(kind)
    return Judgement(told["status"], Reason(told["reason"]), told["message"]) if told else None


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
    """Return the last slot that was fired, as far as anybody knows: the ledger, the controller, or the old status."""
    told = (facts.schedule.get("status") or {}).get("lastFireTime")
    known = (history.last_fire(facts.history), _fired(facts), slots.parse_instant(told) if told else None)
    newest = max((fire for fire in known if fire is not None), default=None)
    return None if newest is None else slots.format_instant(newest)


def _fired(facts: Facts) -> datetime | None:
    """Return what the CronJob fired last, if the schedule was fired with it: a shard's may have been there before."""
    fired = memory.fired(facts.cronjob)
    if fired is None or facts.cronjob is None or not is_shard(facts.cronjob):
        return fired
    since = (facts.schedule.get("status") or {}).get("activeSince")
    return fired if since and slots.parse_instant(since) <= fired else None


def _active_since(facts: Facts, scheduled: Judgement) -> str | None:
    """Return since when the CronJob fires as it does now: the slots from then on have to be accounted for.

    It begins anew when the CronJob is resumed or moved to other times, or when another one takes over.
    """
    if scheduled.reason is not Reason.CRON_JOB_APPLIED or facts.cronjob is None:
        return None
    told = facts.schedule.get("status") or {}
    same = told.get("cronJobName") == facts.cronjob["metadata"]["name"] and told.get("activeSince")
    since = slots.parse_instant(told["activeSince"]) if same else facts.now
    return slots.format_instant(max(since, memory.forgotten_until(facts.cronjob) or since))


def _is_empty(value: object) -> bool:
    return value is None or value in ([], {})


def _generation(schedule: Object) -> int:
    generation: int = schedule["metadata"]["generation"]
    return generation
