"""The `spec` of a GraphSchedule: what a person asks for.

The models are the single source of the CRD's schema (`graphschedule.crd`). A field exists only if the product
acts on it: later behaviour adds fields, it never gives meaning to one that was silently ignored.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from graphschedule.cron import MAX_LENGTH

Id = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?$")]
"""A platform id. Upstream uses UUIDs; the pattern is that of a label value, since ids are used as labels."""


ONE_OBJECT = "must have either secretRef or configMapRef"
INPUT_OF_A_KEY = "must have key where it has input; without key, every key is the input of its name"
"""What is said of an `InputSource` that cannot be, by the API server and by the model."""


class ApiModel(BaseModel):
    """Frozen, camelCase on the wire, and closed: an unknown member is an error, not silence."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="forbid")


class GraphRef(ApiModel):
    """Which graph to run."""

    id: Id = Field(description="Id of the agent graph.")
    version: int | None = Field(
        default=None,
        ge=1,
        le=2_147_483_647,
        description="Version of the graph; unset means the newest version at each fire.",
    )


class CredentialRef(ApiModel):
    """One of the user's stored credentials, by reference: no secret ever sits in the resource."""

    id: Id = Field(description="Id of the credential in the user's store.")
    provider: str = Field(min_length=1, max_length=100, description="Provider, such as github.")
    type: str = Field(
        min_length=1, max_length=50, description="Credential type: api_key, oauth2, user_password or host_scoped."
    )
    title: str | None = Field(default=None, max_length=200, description="What the user called it.")


class ObjectRef(ApiModel):
    """A Secret or ConfigMap in the schedule's namespace."""

    name: str = Field(min_length=1, max_length=253, description="Its name.")


class InputSource(ApiModel):
    """Inputs that are kept in a Secret or ConfigMap and read when a run starts."""

    secret_ref: ObjectRef | None = Field(default=None, description="The Secret; give this or configMapRef.")
    config_map_ref: ObjectRef | None = Field(default=None, description="The ConfigMap; give this or secretRef.")
    key: str | None = Field(
        default=None,
        min_length=1,
        max_length=253,
        pattern=r"^[-._a-zA-Z0-9]+$",
        description="The one key to read; unset means every key, each as the input of its name.",
    )
    input: str | None = Field(
        default=None, min_length=1, max_length=253, description="Input that the key's value is given to; unset: key."
    )
    format: Literal["Text", "Json"] = Field(
        default="Text", description="Text takes a value as it stands, Json parses it."
    )
    optional: bool = Field(default=False, description="True lets a run go without it when it does not exist.")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.secret_ref is None) == (self.config_map_ref is None):
            raise PydanticCustomError("one_object", ONE_OBJECT)
        if self.input is not None and self.key is None:
            raise PydanticCustomError("input_of_a_key", INPUT_OF_A_KEY)
        return self


class Breaker(ApiModel):
    """Stops a schedule that keeps failing."""

    failures: int = Field(ge=1, le=1000, description="Failed or missed slots in a row after which it opens.")
    cool_off: int = Field(
        default=3600,
        ge=60,
        le=31_536_000,
        description="Seconds until one run is tried again; if it succeeds the breaker closes.",
    )


class GraphScheduleSpec(ApiModel):
    """A graph, a user to run it as, a cron expression, and the inputs of each run."""

    graph: GraphRef = Field(description="The agent graph to run.")
    user_id: Id = Field(description="Platform user the executions belong to. Cannot be changed.")
    display_name: str | None = Field(default=None, max_length=200, description="Name of the schedule for people.")
    agent_name: str | None = Field(default=None, max_length=200, description="Name of the agent for people.")
    cron: str = Field(
        max_length=MAX_LENGTH,
        description="Five-field Unix cron expression: minute hour day-of-month month day-of-week; "
        "Sunday is 0 or 7, names and wrapping ranges such as fri-mon are allowed.",
    )
    time_zone: str | None = Field(
        default=None,
        max_length=64,
        description="IANA time zone, such as Europe/Berlin. Unset means UTC, with a warning on the Accepted condition.",
    )
    inputs: dict[str, Any] = Field(default_factory=dict, description="Inputs of the graph: any JSON object.")
    credentials: dict[str, CredentialRef] = Field(
        default_factory=dict, max_length=50, description="Credential inputs of the graph, by credential-input name."
    )
    suspend: bool = Field(default=False, description="True stops new runs; slots that pass meanwhile are not made up.")
    inputs_from: tuple[InputSource, ...] = Field(
        default=(),
        max_length=20,
        description="Inputs from Secrets and ConfigMaps, laid over `inputs` in their order; a later one wins.",
    )
    on_permanent_failure: Literal["Suspend", "Delete"] = Field(
        default="Suspend",
        description="What becomes of the schedule when its graph is gone, no longer in the library, or invalid at a "
        "fire: Suspend stops it until it is valid again, Delete removes it.",
    )
    breaker: Breaker | None = Field(default=None, description="Circuit breaker; unset means none.")
    heartbeat_url: str | None = Field(
        default=None,
        max_length=2000,
        pattern=r"^https?://[^\s/?#@]+([/?#]\S*)?$",
        description="URL that is called after each enqueued slot, and with /fail appended to its path after a slot "
        "that failed for good.",
    )
    dispatch: Literal["PerSchedule", "Grouped"] | None = Field(
        default=None,
        description="PerSchedule gives the schedule a CronJob, and each run a pod, of its own; Grouped lets schedules "
        "of the same times share them, as is needed where thousands are due at once. Unset: as the operator is set.",
    )
