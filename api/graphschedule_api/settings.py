"""The API's settings: environment variables with the prefix `GRAPHSCHEDULE_`, as the chart sets them."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class JwtSettings(BaseModel):
    """Whose JSON Web Tokens are taken, and what their claims mean."""

    issuer: str = Field(min_length=1, description="The claim iss.")
    audience: str = Field(min_length=1, description="The claim aud.")
    jwks_url: str = Field(pattern=r"^https?://", description="Where the issuer serves its keys (RFC 7517).")
    user_claim: str = Field(default="sub", min_length=1, description="The claim that is the platform's user id.")
    role_claim: str = Field(default="role", min_length=1, description="The claim with the role, or a list of them.")
    admin_role: str = Field(default="admin", min_length=1, description="The role that may act for every user.")


class Settings(BaseSettings):
    """Everything that can be set. Lists and objects are written as JSON."""

    model_config = SettingsConfigDict(env_prefix="GRAPHSCHEDULE_", env_ignore_empty=True, frozen=True)

    namespaces: tuple[str, ...] = Field(default=(), description="Namespaces to serve; none named means all.")
    namespace: str = Field(min_length=1, description="Where schedules are made.")
    task_namespace: str = Field(min_length=1, description="Where the CronJobs of the system tasks are.")
    host: str = Field(default="0.0.0.0", description="Address to listen on.")  # noqa: S104 - callers come from outside the pod
    port: int = Field(default=8003, ge=0, le=65535, description="Its port; the platform's client expects 8003.")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(default="INFO")

    rpc_enabled: bool = Field(default=True, description="Serve the platform's scheduler RPC.")
    rpc_token: SecretStr | None = Field(
        default=None, description="Bearer token that its callers must show; unset: none, the network decides."
    )

    rest_enabled: bool = Field(default=True, description="Serve REST under /v1.")
    kubernetes_tokens: bool = Field(default=True, description="Let callers of REST show tokens of Kubernetes.")
    token_audience: str = Field(
        default="", description="Whom these must be meant for; unset: the API server, as kubectl's are."
    )
    jwt: JwtSettings | None = Field(default=None, description="Take JSON Web Tokens too, as a JSON object.")
    cors_origins: tuple[str, ...] = Field(default=(), description="Origins whose web pages may call REST.")
    rate: float = Field(default=50.0, gt=0, description="Requests a second of one caller of REST, in the long run.")
    burst: int = Field(default=200, ge=1, description="Requests of one caller at once.")
    body_bytes: int = Field(default=1_048_576, ge=1024, description="Length of a request's body, at most.")

    database_url: SecretStr = Field(description="The platform's database, with which graphs are judged.")
    encryption_key: SecretStr | None = Field(
        default=None, description="The platform's Fernet key; unset: credentials are judged by shape only."
    )
    system_credentials: str = Field(
        default="", description="What the platform offers to all users: provider:type:id, separated by commas."
    )

    task_selector: str = Field(
        default="", description="Labels by which the CronJobs of the system tasks are ours, as in kubectl --selector."
    )
    task_seconds: float = Field(
        default=270.0,
        gt=0,
        description="How long a request waits for a system task; the platform's client waits for 300 s.",
    )

    list_chunk: int = Field(default=500, ge=1, description="Objects per page of a list.")
    silence_seconds: float = Field(
        default=70.0,
        gt=0,
        description="A watch that says nothing for this long is opened anew (servers speak every 60).",
    )
    request_seconds: float = Field(default=30.0, gt=0, description="Time limit of one request to the API server.")
    connections: int = Field(default=32, ge=1, description="Connections to the API server, at most.")
    linger_seconds: float = Field(
        default=5.0,
        ge=0,
        description="How long after SIGTERM new requests are still taken, until nobody sends any here.",
    )
    drain_seconds: int = Field(default=20, ge=1, description="Time for the requests in hand after that.")
