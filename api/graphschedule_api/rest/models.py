"""Bodies and answers of REST. What a schedule says is spelt as in the resource's spec."""

from datetime import datetime
from typing import Any

from graphschedule.outcomes import SlotState
from graphschedule.spec import ApiModel, CredentialRef, GraphScheduleSpec, Id
from graphschedule.status import GraphScheduleStatus
from graphschedule_platform.runs import ExecutionState
from graphschedule_platform.task_runs import RunState
from pydantic import ConfigDict, Field, model_validator

from graphschedule_api.tasks import State

READ_ONLY = ("id", "namespace", "name", "createdAt", "paused", "ready", "nextRun", "status")
"""Members of a schedule that are told, and ignored where they are sent back."""

EXAMPLE: dict[str, Any] = {
    "graph": {"id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "version": 3},
    "userId": "a5ba5c0e-1d5c-4ac0-a3c1-7d3bd3a0a9ce",
    "displayName": "Monday report",
    "cron": "0 9 * * mon",
    "timeZone": "Europe/Berlin",
    "inputs": {"topic": "open source"},
}


MOMENT = {"utc": "2026-05-11T07:00:00Z", "local": "2026-05-11T09:00:00+02:00"}


def example(**members: object) -> ConfigDict:
    """Return the configuration of a model with an example."""
    shown: dict[str, Any] = {"example": members}
    return ConfigDict(json_schema_extra=shown)


class Draft(GraphScheduleSpec):
    """A schedule as it is asked for."""

    model_config = example(**EXAMPLE)

    user_id: Id | None = Field(  # type: ignore[assignment] # may be left out here
        default=None, description="Platform user the executions belong to; may be left out by that user."
    )

    @model_validator(mode="before")
    @classmethod
    def _without_what_is_only_told(cls, given: Any) -> Any:  # noqa: ANN401 - any JSON value
        return {name: given[name] for name in given if name not in READ_ONLY} if isinstance(given, dict) else given


class Moment(ApiModel):
    """A time, twice."""

    utc: datetime = Field(description="In UTC.")
    local: datetime = Field(description="In the schedule's zone, with its offset.")


class ScheduleResource(GraphScheduleSpec):
    """A schedule: what it says, and how it stands."""

    model_config = example(
        **EXAMPLE,
        id="0f8fad5b-d9cb-469f-a165-70867728950e",
        namespace="agents",
        name="schedule-0f8fad5b-d9cb-469f-a165-70867728950e",
        createdAt="2026-05-04T08:30:00Z",
        paused=False,
        ready=True,
        nextRun=MOMENT,
        status={"cronJobName": "schedule-0f8fad5b-d9cb-469f-a165-70867728950e"},
    )

    id: str = Field(description="Its id.")
    namespace: str = Field(description="Namespace of the resource.")
    name: str = Field(description="Name of the resource.")
    created_at: datetime = Field(description="When it was made.")
    paused: bool = Field(description="Nothing of it fires until somebody acts.")
    ready: bool = Field(description="The operator has it fire as it says.")
    next_run: Moment | None = Field(description="When it fires next; null if it is paused, or never does.")
    status: GraphScheduleStatus = Field(description="The resource's status.")


class SchedulePage(ApiModel):
    """A page of schedules."""

    items: list[ScheduleResource] = Field(description="The schedules.")
    next_cursor: str | None = Field(description="Where the next page begins; null on the last one.")


class NextRuns(ApiModel):
    """When a schedule fires next."""

    time_zone: str = Field(description="Its zone.")
    paused: bool = Field(description="It is paused: so it would fire.")
    items: list[Moment] = Field(description="The times.")


class Overrides(ApiModel):
    """What is to be different in one run."""

    inputs: dict[str, Any] = Field(
        default_factory=dict,
        description="Laid over the schedule's inputs, name by name; those from Secrets and ConfigMaps still win.",
    )
    credentials: dict[str, CredentialRef] = Field(
        default_factory=dict, max_length=50, description="Laid over the schedule's credentials, name by name."
    )


class RunBegun(ApiModel):
    """A run that was asked for."""

    model_config = example(
        id="515ec42d-3a6b-558f-8df2-3e901e3d34de",
        slot="manual:9e1c9a2f-0b4f-4e9d-8e2f-6a2d6f0a110b",
        job="schedule-0f8fad5b-d9cb-469f-a165-70867728950e-1f0a2b3c4d",
        url="/v1/schedules/0f8fad5b-d9cb-469f-a165-70867728950e/runs/515ec42d-3a6b-558f-8df2-3e901e3d34de",
    )

    id: str = Field(description="Id of the run, and of the execution that it becomes.")
    slot: str = Field(description="Its slot.")
    job: str = Field(description="The Job that queues it.")
    url: str = Field(description="Where it can be read once its pod has begun.")


class Run(ApiModel):
    """A run of a schedule."""

    model_config = example(
        id="515ec42d-3a6b-558f-8df2-3e901e3d34de",
        slot="2026-05-04T07:00:00Z",
        time="2026-05-04T07:00:00Z",
        state="completed",
        slotState="enqueued",
        reason="Enqueued",
        message="",
        nodeErrors={},
        attempts=1,
        graphVersion=3,
        executionStatus="COMPLETED",
        enqueuedAt="2026-05-04T07:00:02Z",
        startedAt="2026-05-04T07:00:03Z",
        endedAt="2026-05-04T07:01:17Z",
    )

    id: str = Field(description="Id of the run, and of its execution.")
    slot: str = Field(description="Fire time in UTC, or manual:<job uid>.")
    time: datetime = Field(description="The fire time; of a run by hand, when it began.")
    state: ExecutionState = Field(description="Where it stands; deleted: the platform keeps its execution no more.")
    slot_state: SlotState = Field(description="Where its slot stands in the ledger.")
    reason: str = Field(description="Why, for programs.")
    message: str = Field(description="Why, for people.")
    node_errors: dict[str, dict[str, str]] = Field(description="By node and field: what is wrong there.")
    attempts: int = Field(description="How often it was tried.")
    graph_version: int | None = Field(description="The version of the graph, where it is known.")
    execution_status: str | None = Field(description="The platform's own word; null: there is no execution.")
    enqueued_at: datetime | None = Field(description="When it was queued.")
    started_at: datetime | None = Field(description="When its execution began.")
    ended_at: datetime | None = Field(description="When its execution ended.")


class RunPage(ApiModel):
    """A page of runs, newest first."""

    items: list[Run] = Field(description="The runs.")
    next_cursor: str | None = Field(description="Where the next page begins; null on the last one.")


class Due(Moment):
    """A time at which an expression fires."""

    schedules: int = Field(description="How many schedules that are not paused are due at this minute already.")


class Preview(ApiModel):
    """What a cron expression means."""

    model_config = example(
        cron="0 9 * * mon",
        canonical="0 9 * * 1",
        timeZone="Europe/Berlin",
        description="At 09:00, only on Monday",
        items=[MOMENT | {"schedules": 1140}],
    )

    cron: str = Field(description="As it was given.")
    canonical: str = Field(description="As Kubernetes is told it.")
    time_zone: str = Field(description="The zone.")
    description: str = Field(description="In words.")
    items: list[Due] = Field(description="When it fires next; none: not within five years.")


class LastTaskRun(ApiModel):
    """The newest run of a task."""

    state: RunState = Field(description="How it stands.")
    message: str = Field(description="Its result in words, or why it failed.")
    counts: dict[str, Any] = Field(description="Its result in numbers.")
    job: str | None = Field(description="Its Job.")
    started_at: datetime = Field(description="When it began.")
    finished_at: datetime | None = Field(description="When it ended.")


class Task(ApiModel):
    """A system task."""

    model_config = example(
        name="cleanup-oauth-tokens",
        cron="0 */6 * * *",
        suspended=False,
        lastRun={
            "state": "succeeded",
            "message": "3 codes and tokens deleted",
            "counts": {"deleted": 3},
            "job": "graphschedule-cleanup-oauth-tokens-29710080",
            "startedAt": "2026-05-04T06:00:02Z",
            "finishedAt": "2026-05-04T06:00:03Z",
        },
    )

    name: str = Field(description="Its name.")
    cron: str = Field(description="When its CronJob fires, in UTC.")
    suspended: bool = Field(description="Its CronJob fires not at all.")
    last_run: LastTaskRun | None = Field(description="Its newest run.")


class TaskList(ApiModel):
    """The system tasks that are installed."""

    items: list[Task] = Field(description="The tasks, by name.")


class TaskRun(ApiModel):
    """A run of a task on demand."""

    task: str = Field(description="The task.")
    job: str = Field(description="Its Job.")
    state: State = Field(description="How it stands.")
    text: str = Field(description="Its result in words, why it failed, or how it stands.")
    counts: dict[str, Any] = Field(description="Its result in numbers.")
