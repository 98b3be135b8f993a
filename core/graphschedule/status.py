"""The `status` of a GraphSchedule: what the operator knows, by the Kubernetes API conventions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from graphschedule.spec import ApiModel

Instant = Annotated[
    str,
    StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A time in UTC with whole seconds, as `metav1.Time` is written."""


class ConditionType(StrEnum):
    """The conditions of a GraphSchedule; `Ready` summarises the others."""

    READY = "Ready"
    ACCEPTED = "Accepted"
    GRAPH_VALID = "GraphValid"
    SCHEDULED = "Scheduled"
    HEALTHY = "Healthy"


class Reason(StrEnum):
    """Stable reasons of conditions: what alerts and scripts may match on. Documented in docs/conditions.md."""

    ACCEPTED = "Accepted"
    TIME_ZONE_DEFAULTED = "TimeZoneDefaulted"
    INVALID_SPEC = "InvalidSpec"
    INVALID_CRON = "InvalidCron"
    INVALID_TIME_ZONE = "InvalidTimeZone"
    INPUTS_TOO_LARGE = "InputsTooLarge"
    CRON_JOB_APPLIED = "CronJobApplied"
    SUSPENDED = "Suspended"
    NOT_ACCEPTED = "NotAccepted"
    NAME_CONFLICT = "NameConflict"
    APPLY_FAILED = "ApplyFailed"
    READY = "Ready"

    GRAPH_VALID = "GraphValid"
    GRAPH_NOT_FOUND = "GraphNotFound"
    GRAPH_NOT_ACCESSIBLE = "GraphNotAccessible"
    GRAPH_NOT_IN_LIBRARY = "GraphNotInLibrary"
    GRAPH_INVALID = "GraphInvalid"
    GRAPH_ERROR = "GraphError"
    NOT_VALIDATED = "NotValidated"
    """The platform's database could not be asked; a schedule that was valid before goes on firing."""

    PERMANENT_FAILURE = "PermanentFailure"
    """Suspended by `onPermanentFailure`."""
    BREAKER_OPEN = "BreakerOpen"

    HEALTHY = "Healthy"
    NO_RUNS = "NoRuns"
    SLOT_FAILED = "SlotFailed"
    SLOT_MISSED = "SlotMissed"
    OUTCOMES_UNKNOWN = "OutcomesUnknown"
    """The ledger could not be read."""


class Condition(ApiModel):
    """One aspect of the schedule's state, in the form of `metav1.Condition`."""

    type: ConditionType = Field(description="Which aspect this is.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: str = Field(
        min_length=1,
        max_length=1024,
        pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
        description="Stable CamelCase word for programs.",
    )
    message: str = Field(max_length=32768, description="Sentence for people.")
    last_transition_time: Instant = Field(description="When status last changed.")
    observed_generation: int = Field(ge=0, description="The spec's generation this was judged on.")


class SlotOutcome(ApiModel):
    """What became of one slot, from the slot ledger."""

    slot: str = Field(description="Fire time in UTC, or manual:<job uid>.")
    state: Literal["claimed", "enqueued", "skipped", "failed", "missed"] = Field(description="Where it stands.")
    reason: str = Field(default="", description="Stable CamelCase word for programs.")
    message: str = Field(default="", max_length=4096, description="Sentence for people.")
    execution_id: str | None = Field(default=None, description="The execution, if one was made.")


class SlotCounts(ApiModel):
    """Slots of the schedule by what became of them."""

    enqueued: int = Field(default=0, ge=0, description="Turned into a queued execution.")
    skipped: int = Field(default=0, ge=0, description="Left out by a policy.")
    failed: int = Field(default=0, ge=0, description="Tried without success.")
    missed: int = Field(default=0, ge=0, description="Never tried.")


class Suspension(ApiModel):
    """Why and since when the operator keeps the schedule from firing, whatever spec.suspend says."""

    reason: Literal["PermanentFailure", "BreakerOpen"] = Field(description="Which rule it follows.")
    message: str = Field(max_length=4096, description="What led to it, for people.")
    since: Instant = Field(description="When it began.")
    until: Instant | None = Field(
        default=None, description="When one run is tried again; none: when the graph is valid."
    )


class GraphScheduleStatus(ApiModel):
    """What the operator last observed."""

    observed_generation: int | None = Field(default=None, description="The spec's generation last reconciled.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Ready, and what it sums up.")
    cron_job_name: str | None = Field(default=None, description="The CronJob that fires this schedule.")
    next_fire_times: tuple[Instant, ...] = Field(default=(), description="The next fire times, in UTC.")
    next_fire_times_local: tuple[str, ...] = Field(
        default=(), description="The same times in the schedule's zone, RFC 3339 with its offset."
    )
    active_since: Instant | None = Field(
        default=None,
        description="Since when it fires as now; it begins anew when the schedule is resumed or moved to other times.",
    )
    last_fire_time: Instant | None = Field(default=None, description="The last slot that the CronJob was fired for.")
    last_outcome: SlotOutcome | None = Field(default=None, description="What became of the newest slot.")
    consecutive_failures: int | None = Field(
        default=None, ge=0, description="Failed or missed slots since the last success."
    )
    counts: SlotCounts | None = Field(default=None, description="How many slots came to what.")
    suspension: Suspension | None = Field(
        default=None,
        description="Set while the operator itself has suspended it, and from `until` on while the next slot decides.",
    )
