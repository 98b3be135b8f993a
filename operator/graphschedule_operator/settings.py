"""The operator's settings: environment variables with the prefix `GRAPHSCHEDULE_`, as the chart sets them.

What runner pods look like is decided here, by whoever installs the operator, and never by a GraphSchedule: or
whoever may create one could run anything (design, "GraphSchedule").
"""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - pydantic reads the annotations
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Everything that can be set. Lists and objects are written as JSON."""

    model_config = SettingsConfigDict(env_prefix="GRAPHSCHEDULE_", env_ignore_empty=True, frozen=True)

    namespaces: tuple[str, ...] = Field(default=(), description="Namespaces to serve; none named means all.")
    host: str = Field(default="0.0.0.0", description="Address of /healthz, /readyz and /metrics.")  # noqa: S104 - probes and scrapes come from outside the pod
    port: int = Field(default=8080, ge=0, le=65535, description="Their port.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        default="INFO", description="Of operator and runner."
    )

    runner_image: str = Field(min_length=1, description="Image of the runner.")
    runner_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(default="IfNotPresent")
    runner_image_pull_secrets: tuple[dict[str, str], ...] = Field(
        default=(), description='As in a pod: [{"name": "x"}].'
    )
    runner_service_account: str = Field(default="default", description="Of the runner's pods; they mount no token.")
    runner_resources: dict[str, Any] = Field(
        default_factory=dict, description="Of the runner's container, as in a pod."
    )
    runner_extra_env: tuple[dict[str, Any], ...] = Field(
        default=(), description="Further variables of the runner's container, as in a pod."
    )

    dispatch: Literal["PerSchedule", "Grouped"] = Field(
        default="PerSchedule", description="Of schedules that do not set spec.dispatch."
    )
    shard_members: int = Field(default=2500, ge=1, le=10_000, description="Members of a shard, at most.")

    data_claim: str | None = Field(default=None, description="PersistentVolumeClaim of the embedded SQLite database.")
    database_secret_name: str | None = Field(
        default=None, description="Secret with the URL of the platform's database."
    )
    database_secret_key: str = Field(default="url", description="Its key.")
    broker_secret_name: str | None = Field(default=None, description="Secret with the URL of the platform's broker.")
    broker_secret_key: str = Field(default="url", description="Its key.")
    encryption_key_secret_name: str | None = Field(default=None, description="Secret with the platform's Fernet key.")
    encryption_key_secret_key: str = Field(default="encryption-key", description="Its key.")

    database_url: SecretStr | None = Field(
        default=None, description="The platform's database as the operator reaches it; unset: graphs are not judged."
    )
    encryption_key: SecretStr | None = Field(
        default=None, description="The platform's Fernet key; unset: credentials are judged by shape only."
    )
    system_credentials: str = Field(
        default="", description="What the platform offers to all users: provider:type:id, separated by commas."
    )
    validate_seconds: float = Field(default=600.0, gt=0, description="Age at which a valid graph is judged anew.")
    recheck_seconds: float = Field(
        default=60.0, gt=0, description="Pause between looks at graphs that are not valid or too long not judged."
    )

    webhook_certificates: Path | None = Field(
        default=None, description="Folder with tls.crt and tls.key of the admission webhook; unset: it is not served."
    )
    webhook_port: int = Field(default=8443, ge=0, le=65535, description="Its port.")
    webhook_seconds: float = Field(
        default=9.0, gt=0, description="Time for its answer; whoever asks is to wait a little longer."
    )

    ledger_seconds: float = Field(
        default=5.0, gt=0, description="Pause between looks at the slot ledger where its changes are not notified."
    )
    outage_seconds: float = Field(
        default=30.0, gt=0, description="How long the ledger may be unreadable before the schedules say so."
    )
    grace_seconds: float = Field(
        default=330.0, gt=0, description="Age at which a slot without a trace counts as missed: a run may take 300 s."
    )
    missed_seconds: float = Field(default=60.0, gt=0, description="Pause between searches for missed slots.")
    lookback_seconds: float = Field(
        default=86400.0, gt=0, description="How far back the first search for missed slots goes after a start."
    )

    workers: int = Field(default=16, ge=1, description="Reconciles in flight at once.")
    rate: float = Field(default=1000.0, gt=0, description="Reconciles begun per second, at most.")
    routine_rate: float = Field(
        default=100.0,
        gt=0,
        description="Of these, the most per second that can wait: telling of a slot that went well is two writes.",
    )
    sweep_seconds: float = Field(default=300.0, gt=0, description="Pause between full comparisons with the API server.")
    silence_seconds: float = Field(
        default=70.0,
        gt=0,
        description="A watch that says nothing for this long is opened anew (servers speak every 60).",
    )
    list_chunk: int = Field(default=500, ge=1, description="Objects per page of a list.")
    request_seconds: float = Field(default=30.0, gt=0, description="Time limit of one API request.")
    stall_seconds: float = Field(
        default=120.0, gt=0, description="/healthz fails when work is waiting and none was finished for this long."
    )
    drain_seconds: float = Field(default=20.0, gt=0, description="Time for the work in hand after SIGTERM.")

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if (self.data_claim is None) == (self.database_secret_name is None):
            raise ValueError("set either GRAPHSCHEDULE_DATA_CLAIM (embedded) or GRAPHSCHEDULE_DATABASE_SECRET_NAME")
        return self
