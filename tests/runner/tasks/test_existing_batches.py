"""The task that has batches of notifications mailed, with the notification service as a peer."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform.errors import DependencyError
from graphschedule_runner.tasks import process_existing_batches

from tests.runner.tasks.contexts import NOW, context, notification_service
from tests.support import builders
from tests.support.json_peer import Answer, JsonPeer, json_peer
from tests.support.platforms import on_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphschedule_runner.tasks.task import TaskResult
    from sqlalchemy import Engine

    from tests.runner.tasks.contexts import Environment

pytestmark = on_postgresql


@pytest.fixture
def service() -> Iterator[JsonPeer]:
    with json_peer() as peer:
        yield peer


@pytest.fixture
def _batches(platform_db: Engine) -> None:
    """Make batches of two types of which one is due, and one that waits."""
    ages = {
        "AGENT_RUN": (timedelta(hours=25), timedelta(hours=2)),
        "LOW_BALANCE": (timedelta(minutes=61), timedelta(minutes=61)),
        "ZERO_BALANCE": (timedelta(minutes=60),),
    }
    with platform_db.begin() as connection:
        users = [builders.make_user(connection) for _ in range(2)]
        for type_, waited in ages.items():
            for user_id, age in zip(users, waited, strict=False):
                builders.make_notification_batch(connection, user_id, type_, [NOW - age])


def run(engine: Engine, service: JsonPeer, environment: Environment | None = None) -> TaskResult:
    return process_existing_batches.run(context(engine, notification_service(service) | (environment or {})))


@pytest.mark.usefixtures("_batches")
def test_the_service_is_asked_for_the_types_of_which_a_batch_is_due(platform_db: Engine, service: JsonPeer) -> None:
    result = run(platform_db, service)
    assert service.asked == [("/process_existing_batches", {"notification_types": ["AGENT_RUN", "LOW_BALANCE"]})]
    assert (result.text, result.counts) == ("3 batches were due", {"due": {"AGENT_RUN": 1, "LOW_BALANCE": 2}})


@pytest.mark.usefixtures("_batches")
def test_only_the_types_of_the_setting_are_looked_at(platform_db: Engine, service: JsonPeer) -> None:
    run(platform_db, service, {"NOTIFICATION_TYPES": "LOW_BALANCE, ZERO_BALANCE"})
    assert service.asked == [("/process_existing_batches", {"notification_types": ["LOW_BALANCE"]})]


def test_while_no_batch_is_due_nobody_is_asked(platform_db: Engine, service: JsonPeer) -> None:
    result = run(platform_db, service)
    assert (service.calls, result.text, result.counts) == ([], "0 batches were due", {"due": {}})


@pytest.mark.usefixtures("_batches")
def test_in_production_no_batches_are_sent(platform_db: Engine, service: JsonPeer) -> None:
    assert run(platform_db, service, {"APP_ENV": "prod"}).text == "no batches, for APP_ENV is prod"
    assert service.calls == []


@pytest.mark.usefixtures("_batches")
def test_a_service_that_fails_is_named_with_its_reason_and_the_next_run_recovers(
    platform_db: Engine, service: JsonPeer
) -> None:
    service.answer = lambda _: Answer({"type": "ValueError", "args": ["no template"], "extras": None}, 400)
    with pytest.raises(DependencyError, match=r"process_existing_batches of the notification service .* no template"):
        run(platform_db, service)
    service.answer = lambda _: Answer()
    assert run(platform_db, service).text == "3 batches were due"


def test_without_a_service_the_setting_is_named(platform_db: Engine) -> None:
    with pytest.raises(InvalidValueError, match="NOTIFICATIONMANAGER_HOST"):
        process_existing_batches.run(context(platform_db, {}))
