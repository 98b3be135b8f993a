"""Bodies and results of the drop-in, with the platform's names (C §5.2). Members that we do not know are ignored."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


class CredentialsMeta(BaseModel):
    """One of the user's stored credentials, by reference."""

    id: str
    title: str | None = None
    provider: str
    type: str


class NewSchedule(BaseModel):
    """A schedule to make."""

    user_id: str
    graph_id: str
    graph_version: int
    cron: str
    input_data: dict[str, Any]
    input_credentials: dict[str, CredentialsMeta]
    name: str | None = None
    user_timezone: str | None = None


class OwnSchedule(BaseModel):
    """A schedule, and the user who it must belong to."""

    schedule_id: str
    user_id: str


class Filters(BaseModel):
    """Which schedules to list; what is not given, or null, excludes none."""

    graph_id: str | None = None
    user_id: str | None = None


class Batches(BaseModel):  # type: ignore[no-redef] # mypy's plugin gives every model a **kwargs
    """The arguments of one task: whose batches to send (C §4.7)."""

    kwargs: dict[str, Any]


class Nothing(BaseModel):
    """An empty object: methods without parameters take one (C §5.1)."""


class Schedule(BaseModel):
    """A schedule: the platform's GraphExecutionJobInfo."""

    schedule_id: str | None
    user_id: str
    graph_id: str
    graph_version: int
    agent_name: str | None
    cron: str
    input_data: dict[str, Any]
    input_credentials: dict[str, CredentialsMeta]
    id: str
    name: str
    next_run_time: str = Field(description="ISO 8601 with the offset of the schedule's zone.")
    timezone: str


class Refusal(BaseModel):
    """An error: the exception that the platform's client raises."""

    type: str = Field(description="Name of its class.")
    args: list[str] = Field(description="What it is made with.")
    extras: dict[str, Any] | None = Field(description="`node_errors` of a GraphValidationError.")
