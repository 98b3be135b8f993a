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
    SCHEDULED = "Scheduled"


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


class GraphScheduleStatus(ApiModel):
    """What the operator last observed."""

    observed_generation: int | None = Field(default=None, description="The spec's generation last reconciled.")
    conditions: tuple[Condition, ...] = Field(default=(), description="Ready, Accepted, Scheduled.")
    cron_job_name: str | None = Field(default=None, description="The CronJob that fires this schedule.")
    next_fire_times: tuple[Instant, ...] = Field(default=(), description="The next fire times, in UTC.")
    next_fire_times_local: tuple[str, ...] = Field(
        default=(), description="The same times in the schedule's zone, RFC 3339 with its offset."
    )
    last_fire_time: Instant | None = Field(default=None, description="The last slot that the CronJob was fired for.")
