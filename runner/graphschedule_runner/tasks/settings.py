"""The tasks' settings: environment variables, by the platform's own names and with its defaults (C §3).

What the platform has no name for is ours: where alerts go, which object store, which embeddings endpoint. How often a
task runs, and where its metrics go, are no settings of the task: the command line says it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError
from graphschedule_platform.notification_batches import DELAYS
from graphschedule_platform.publisher import BrokerAddress

from graphschedule_runner.embedder import OPENAI_URL
from graphschedule_runner.rpc import Patience, Service

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Environment = Mapping[str, str]

PROD = "prod"
APP_ENVIRONMENTS = ("local", "dev", PROD)


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """What the tasks need to know; texts that hold secrets never show in a repr."""

    app_env: str
    """APP_ENV: in `prod` the platform queues no weekly summary and sends no batches."""
    late_threshold_seconds: int
    """EXECUTION_LATE_NOTIFICATION_THRESHOLD_SECS: an execution that is queued for longer is late."""
    late_range_seconds: int
    """EXECUTION_LATE_NOTIFICATION_CHECKRANGE_SECS: and for up to this long; no shorter than the threshold."""
    block_error_threshold: float
    """BLOCK_ERROR_RATE_THRESHOLD: the share of failed runs, 0 to 1, from which on a block is alerted on."""
    block_error_top_blocks: int
    """BLOCK_ERROR_INCLUDE_TOP_BLOCKS: how many blocks the summary shows; 0 means that there is none."""
    notification_types: tuple[str, ...]
    """NOTIFICATION_TYPES: whose batches to send, separated by commas."""
    notification_service: Service | None
    """NOTIFICATIONMANAGER_HOST, NOTIFICATION_SERVICE_PORT; None if there is none."""
    broker: BrokerAddress | None
    """RABBITMQ_URL, or the platform's names for its parts: where the notification service's queues are; or None."""
    database_manager: Service | None
    """DATABASEMANAGER_HOST, DATABASE_API_PORT; None if there is none."""
    patience: Patience
    """PYRO_CLIENT_COMM_TIMEOUT, PYRO_CLIENT_COMM_RETRY, PYRO_CLIENT_MAX_WAIT, RPC_CLIENT_CALL_TIMEOUT."""
    platform_alert_urls: tuple[str, ...] = field(repr=False)
    """PLATFORM_ALERT_URLS: where alerts to operators go, in the notification library's form, separated by blanks."""
    product_alert_urls: tuple[str, ...] = field(repr=False)
    """PRODUCT_ALERT_URLS: where alerts to agents' authors go; by default where those to operators go."""
    alert_reminder_seconds: int
    """ALERT_REMINDER_SECS: an unchanged problem is told of again after this time; less than a day, that a daily task
    tells of it each day."""
    cloud_storage_url: str | None = field(repr=False)
    """CLOUD_STORAGE_URL, such as `s3://bucket` or `file:///folder`; by default `gs://` and MEDIA_GCS_BUCKET_NAME."""
    embedding_url: str
    """EMBEDDING_URL: the base of an OpenAI-compatible endpoint."""
    embedding_key: str | None = field(repr=False)
    """OPENAI_INTERNAL_API_KEY: what to show to the embeddings endpoint."""
    embedding_model: str
    """STORE_EMBEDDING_MODEL."""
    docs_folder: str | None
    """DOCS_FOLDER: the documentation whose sections are embedded; None means none."""

    @classmethod
    def from_environment(cls, environment: Environment) -> TaskSettings:
        """Return the settings in an environment.

        Raises:
            InvalidValueError: a value cannot be used.

        """
        platform_alert_urls = tuple(environment.get("PLATFORM_ALERT_URLS", "").split())
        late_threshold = _integer(environment, "EXECUTION_LATE_NOTIFICATION_THRESHOLD_SECS", 300)
        return cls(
            app_env=_one_of(environment, "APP_ENV", APP_ENVIRONMENTS),
            late_threshold_seconds=late_threshold,
            late_range_seconds=_integer(
                environment, "EXECUTION_LATE_NOTIFICATION_CHECKRANGE_SECS", 3600, least=late_threshold
            ),
            block_error_threshold=_share(environment, "BLOCK_ERROR_RATE_THRESHOLD", 0.5),
            block_error_top_blocks=_integer(environment, "BLOCK_ERROR_INCLUDE_TOP_BLOCKS", 3, least=0),
            notification_types=_notification_types(environment),
            notification_service=_service(
                environment,
                "notification service",
                host="NOTIFICATIONMANAGER_HOST",
                port="NOTIFICATION_SERVICE_PORT",
                default_port=8007,
            ),
            broker=_broker(environment),
            database_manager=_service(
                environment,
                "database manager",
                host="DATABASEMANAGER_HOST",
                port="DATABASE_API_PORT",
                default_port=8005,
            ),
            patience=Patience(
                connect_seconds=_integer(environment, "PYRO_CLIENT_COMM_TIMEOUT", 15),
                retries=_integer(environment, "PYRO_CLIENT_COMM_RETRY", 3, least=0),
                max_wait_seconds=_integer(environment, "PYRO_CLIENT_MAX_WAIT", 30),
                call_seconds=_integer(environment, "RPC_CLIENT_CALL_TIMEOUT", 300),
            ),
            platform_alert_urls=platform_alert_urls,
            product_alert_urls=tuple(environment.get("PRODUCT_ALERT_URLS", "").split()) or platform_alert_urls,
            alert_reminder_seconds=_integer(environment, "ALERT_REMINDER_SECS", 43_200),
            cloud_storage_url=_cloud_storage_url(environment),
            embedding_url=environment.get("EMBEDDING_URL") or OPENAI_URL,
            embedding_key=environment.get("OPENAI_INTERNAL_API_KEY") or None,
            embedding_model=environment.get("STORE_EMBEDDING_MODEL") or "text-embedding-3-small",
            docs_folder=environment.get("DOCS_FOLDER") or None,
        )


def _one_of(environment: Environment, name: str, values: tuple[str, ...]) -> str:
    """Return a word of `values`; the first is the default."""
    word = environment.get(name) or values[0]
    if word not in values:
        raise InvalidValueError(name, word, f"write one of {', '.join(values)}")
    return word


def _integer(environment: Environment, name: str, default: int, least: int = 1) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdecimal()) or int(text) < least:
        raise InvalidValueError(name, text, f"write a whole number of at least {least}")
    return int(text)


def _share(environment: Environment, name: str, default: float) -> float:
    text = environment.get(name) or str(default)
    share = _parsed(float, text)
    if share is None or not 0 <= share <= 1:
        raise InvalidValueError(name, text, "write a share from 0 to 1, such as 0.5")
    return share


def _parsed(parse: Callable[[str], float], text: str) -> float | None:
    try:
        return parse(text)
    except ValueError:
        return None


def _notification_types(environment: Environment) -> tuple[str, ...]:
    name = "NOTIFICATION_TYPES"
    types = tuple(word.strip() for word in environment.get(name, "").split(",") if word.strip())
    for word in types:
        if word not in DELAYS:
            raise InvalidValueError(name, word, f"write types out of {', '.join(DELAYS)}, separated by commas")
    return types or tuple(DELAYS)


def _service(environment: Environment, name: str, *, host: str, port: str, default_port: int) -> Service | None:
    number = _integer(environment, port, default_port)
    if number > 65_535:
        raise InvalidValueError(port, number, "write a port, 1 to 65535")
    return Service(name, environment[host], number) if environment.get(host) else None


def _broker(environment: Environment) -> BrokerAddress | None:
    names = ("RABBITMQ_URL", "RABBITMQ_CLUSTER_HOST", "RABBITMQ_HOST")
    return BrokerAddress.from_environment(environment) if any(map(environment.get, names)) else None


def _cloud_storage_url(environment: Environment) -> str | None:
    bucket = environment.get("MEDIA_GCS_BUCKET_NAME")
    return environment.get("CLOUD_STORAGE_URL") or (f"gs://{bucket}" if bucket else None)
