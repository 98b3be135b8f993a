"""The tasks on the platform's tables as their CronJobs' pods run them, with all kinds of ways for their alerts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform import task_runs
from graphschedule_platform.standalone_tables import oauth_access_token
from graphschedule_platform.task_runs import RunState

from tests.runner.commands import refused, run
from tests.runner.tasks.contexts import notification_service
from tests.support import builders
from tests.support.grants import grant, make_application
from tests.support.json_peer import Answer, JsonPeer, json_peer
from tests.support.node_executions import make_node, make_node_executions
from tests.support.store import publish, run_agent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from tests.runner.tasks.contexts import Environment

SECRET = "9b3f-token"
DAY = timedelta(days=1)
REPORTS = ["report-late-executions", "report-block-error-rates", "report-execution-accuracy-alerts"]


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as running:
        yield running


@pytest.fixture
def troubled(platform_db: Engine) -> Engine:
    """Give a platform with something to report for each task."""
    now = datetime.now(UTC)
    with platform_db.begin() as connection:
        make_late(connection, now)
        place = make_node(connection, builders.make_block(connection, name="Bad"))
        make_node_executions(connection, place, ["FAILED"] * 10, now)
        agent = publish(connection, "Agent")
        for days in range(7):
            run_agent(connection, agent, [0.5 if days < 3 else 1.0] * 2, now - days * DAY)
        app = make_application(connection)
        grant(connection, oauth_access_token, app, now - DAY)
        grant(connection, oauth_access_token, app, now + DAY)
    return platform_db


def make_late(connection: Connection, now: datetime) -> None:
    graph = builders.make_graph(connection, builders.make_user(connection))
    builders.make_execution(connection, graph, execution_status="QUEUED", created_at=now - timedelta(minutes=10))


def task(url: str, environment: Environment, name: str) -> tuple[int, dict[str, Any], str]:
    """Run a task as a program that logs all it can; return its exit code, its result, and all it said."""
    variables = {"DATABASE_URL": url, "LOG_LEVEL": "DEBUG", "PYRO_CLIENT_COMM_RETRY": 0} | environment
    done = run({key: str(value) for key, value in variables.items()}, "task", name, "--output", "json")
    return done.returncode, json.loads(done.stdout), done.stdout + done.stderr


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_gets_through_once_its_way_is_open_and_keeps_the_way_secret(
    platform_url: str, troubled: Engine, peer: JsonPeer, name: str
) -> None:
    environment: Environment = {"PLATFORM_ALERT_URLS": f"json://u:{SECRET}@127.0.0.1:{peer.port}/{SECRET}?+k={SECRET}"}
    peer.answer = lambda _: Answer(status=500)
    code, result, said = task(platform_url, environment, name)
    assert (code, result["state"]) == (75, "failed")
    assert result["text"] == "number 1 of PLATFORM_ALERT_URLS (JSON) did not take an alert"
    assert SECRET not in said
    peer.answer = lambda _: Answer()
    for _ in range(2):
        code, result, said = task(platform_url, environment, name)
        assert (code, result["state"]) == (0, "succeeded"), said
        assert SECRET not in said
    assert len(peer.calls) == 2
    with troubled.connect() as connection:
        newest = task_runs.newest_of_each(connection)[name]
    assert (newest.state, newest.message, newest.counts) == (RunState.SUCCEEDED, result["text"], result["counts"])


@pytest.mark.usefixtures("troubled")
@pytest.mark.parametrize(
    ("name", "channel", "text"),
    [
        (REPORTS[0], "platform", "Late executions detected: 1 of 1 users"),
        (REPORTS[1], "platform", "Alert sent for 1 blocks with high error rates"),
        (REPORTS[2], "product", "Alert sent for 1 agents with accuracy drops"),
    ],
)
def test_the_platforms_service_is_told_on_the_platforms_channels(
    platform_url: str, peer: JsonPeer, name: str, channel: str, text: str
) -> None:
    nobody: Environment = {"NOTIFICATIONMANAGER_HOST": "127.0.0.1", "NOTIFICATION_SERVICE_PORT": 1}
    code, result, said = task(platform_url, nobody, name)
    assert (code, result["state"]) == (75, "failed")
    assert "notification service at 127.0.0.1:1" in said
    code, result, said = task(platform_url, notification_service(peer), name)
    assert code == 0, said
    assert result["text"].startswith(text)
    assert [(path, body["channel"]) for path, body in peer.asked] == [("/discord_system_alert", channel)]


@pytest.mark.usefixtures("troubled")
def test_expired_grants_are_counted(platform_url: str) -> None:
    code, result, said = task(platform_url, {}, "cleanup-oauth-tokens")
    assert (code, result["text"]) == (0, None), said
    assert result["counts"] == {"authorization_codes": 0, "access_tokens": 1, "refresh_tokens": 0}


@pytest.mark.parametrize("name", [*REPORTS, "cleanup-oauth-tokens"])
def test_a_database_that_is_down_is_named(name: str) -> None:
    environment = {"DATABASE_URL": "postgresql://u:s3cret@127.0.0.1:1/platform"}
    done = run(environment, "task", name)
    refused(done, 75, "database postgresql 127.0.0.1:1/platform is not available")
    assert "s3cret" not in done.stdout + done.stderr


def test_a_url_that_cannot_be_used_is_one_clear_error(platform_url: str) -> None:
    environment = {"DATABASE_URL": platform_url, "PLATFORM_ALERT_URLS": f"nothing://{SECRET}"}
    done = run(environment, "task", REPORTS[0])
    refused(done, 64, "PLATFORM_ALERT_URLS: 'nothing://***' is not valid: correct number 1")
    assert SECRET not in done.stdout + done.stderr
