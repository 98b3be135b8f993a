"""The tasks' settings: the platform's names and defaults, and one clear error for each wrong value."""

from __future__ import annotations

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_runner.rpc import Patience, Service
from graphschedule_runner.tasks.settings import TaskSettings


def settings(**environment: str) -> TaskSettings:
    return TaskSettings.from_environment(environment)


def test_defaults_are_the_platforms() -> None:
    found = settings()
    assert (found.late_threshold_seconds, found.late_range_seconds) == (300, 3600)
    assert (found.block_error_threshold, found.block_error_top_blocks) == (0.5, 3)
    assert (found.app_env, found.embedding_model) == ("local", "text-embedding-3-small")
    assert (found.notification_service, found.database_manager, found.cloud_storage_url) == (None, None, None)
    assert found.patience == Patience(connect_seconds=15, retries=3, max_wait_seconds=30, call_seconds=300)


def test_values_are_read_by_the_platforms_names() -> None:
    found = settings(
        APP_ENV="prod",
        BLOCK_ERROR_RATE_THRESHOLD="0.25",
        BLOCK_ERROR_INCLUDE_TOP_BLOCKS="0",
        NOTIFICATIONMANAGER_HOST="notifications",
        DATABASEMANAGER_HOST="manager",
        DATABASE_API_PORT="9005",
        MEDIA_GCS_BUCKET_NAME="media",
        NOTIFICATION_TYPES="AGENT_RUN, LOW_BALANCE",
    )
    assert (found.app_env, found.block_error_threshold, found.block_error_top_blocks) == ("prod", 0.25, 0)
    assert found.notification_service == Service("notification service", "notifications", 8007)
    assert found.database_manager == Service("database manager", "manager", 9005)
    assert found.cloud_storage_url == "gs://media"
    assert found.notification_types == ("AGENT_RUN", "LOW_BALANCE")


def test_alerts_to_authors_go_where_those_to_operators_go_unless_said() -> None:
    shared = settings(PLATFORM_ALERT_URLS="json://a json://b")
    assert shared.product_alert_urls == shared.platform_alert_urls == ("json://a", "json://b")
    apart = settings(PLATFORM_ALERT_URLS="json://a", PRODUCT_ALERT_URLS="json://b")
    assert (apart.platform_alert_urls, apart.product_alert_urls) == (("json://a",), ("json://b",))


@pytest.mark.parametrize(
    ("name", "value", "remedy"),
    [
        ("APP_ENV", "production", "write one of local, dev, prod"),
        ("EXECUTION_LATE_NOTIFICATION_THRESHOLD_SECS", "5m", "write a whole number of at least 1"),
        ("EXECUTION_LATE_NOTIFICATION_CHECKRANGE_SECS", "299", "write a whole number of at least 300"),
        ("BLOCK_ERROR_RATE_THRESHOLD", "50", "write a share from 0 to 1"),
        ("BLOCK_ERROR_RATE_THRESHOLD", "half", "write a share from 0 to 1"),
        ("BLOCK_ERROR_RATE_THRESHOLD", "nan", "write a share from 0 to 1"),
        ("BLOCK_ERROR_INCLUDE_TOP_BLOCKS", "-1", "write a whole number of at least 0"),
        ("NOTIFICATION_TYPES", "AGENT_RUN,WEEKLY", "AGENT_RUN, ZERO_BALANCE"),
        ("NOTIFICATION_SERVICE_PORT", "80000", "write a port, 1 to 65535"),
        ("DATABASE_API_PORT", "٣", "write a whole number"),
        ("PYRO_CLIENT_COMM_RETRY", "many", "write a whole number of at least 0"),
        ("ALERT_REMINDER_SECS", "1.5", "write a whole number of at least 1"),
    ],
)
def test_a_wrong_value_is_one_error_with_name_value_and_remedy(name: str, value: str, remedy: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        settings(**{name: value})
    assert raised.value.field == name
    assert remedy in str(raised.value)


def test_no_secret_shows() -> None:
    secrets = {
        "PLATFORM_ALERT_URLS": "json://s3cret",
        "PRODUCT_ALERT_URLS": "json://s3cret",
        "OPENAI_INTERNAL_API_KEY": "s3cret",
        "CLOUD_STORAGE_URL": "s3://s3cret",
        "RABBITMQ_URL": "amqp://user:s3cret@host/",
    }
    assert "s3cret" not in repr(settings(**secrets))
