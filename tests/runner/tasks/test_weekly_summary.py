"""The weekly summary's task, with the notification service as a peer and with a real broker."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform.errors import BrokerUnavailableError, DependencyError
from graphschedule_platform.weekly_summary import SUMMARIES
from graphschedule_runner.tasks import process_weekly_summary

from dev.services import topology
from tests.runner.tasks.contexts import NOW, context, notification_service
from tests.support import builders
from tests.support.json_peer import Answer, JsonPeer, json_peer
from tests.support.platforms import on_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from dev.services import Service

pytestmark = on_postgresql


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process_weekly_summary, "PAUSES", (0, 0, 0))


@pytest.fixture
def active(platform_db: Engine) -> list[str]:
    """Give the active users of a platform that has others too."""
    with platform_db.begin() as connection:
        users = sorted(builders.make_user(connection) for _ in range(3))
        for user_id, days in zip(users, (1, 6, 8), strict=True):
            graph = builders.make_graph(connection, user_id)
            builders.make_execution(connection, graph, created_at=NOW - timedelta(days=days))
    return users[:2]


@pytest.fixture
def service() -> Iterator[JsonPeer]:
    with json_peer() as peer:
        yield peer


def test_every_active_user_has_a_message_in_the_notification_services_queue(
    platform_db: Engine, active: list[str], broker: Service
) -> None:
    topology.declare_summaries(broker.url)
    result = process_weekly_summary.run(context(platform_db, {"RABBITMQ_URL": broker.url}))
    assert (result.text, result.counts) == ("queued 2 weekly summaries", {"queued": 2})
    taken = topology.take_all(broker.url, topology.SUMMARIES)
    assert [json.loads(body)["user_id"] for _, body in taken] == active
    assert {properties.delivery_mode for properties, _ in taken} == {2}
    assert json.loads(taken[0][1])["type"] == "WEEKLY_SUMMARY"


def test_a_missing_exchange_or_queue_is_named_and_the_next_run_queues_all(
    platform_db: Engine, active: list[str], broker: Service
) -> None:
    task = context(platform_db, {"RABBITMQ_URL": broker.url})
    with pytest.raises(BrokerUnavailableError, match=r"2 of 2 .* exchange 'notifications' does not exist"):
        process_weekly_summary.run(task)
    topology.declare_summaries(broker.url)
    with topology.channel(broker.url) as channel:
        channel.queue_delete(topology.SUMMARIES.name)
    with pytest.raises(BrokerUnavailableError, match=r"2 of 2 .* start the platform's notification service"):
        process_weekly_summary.run(task)
    topology.declare_summaries(broker.url)
    assert process_weekly_summary.run(task).counts == {"queued": len(active)}


def test_what_is_queued_is_not_sent_again_with_what_is_not(
    platform_db: Engine, active: list[str], broker: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue takes one message at a time, and is emptied while the task waits."""
    topology.declare_summaries(broker.url)
    with topology.channel(broker.url) as channel:
        channel.queue_delete(topology.SUMMARIES.name)
        narrow = {"x-max-length": 1, "x-overflow": "reject-publish"}
        channel.queue_declare(topology.SUMMARIES.name, durable=True, arguments=narrow)
        channel.queue_bind(topology.SUMMARIES.name, SUMMARIES.exchange, SUMMARIES.key)
    taken: list[str] = []

    def take(_: float = 0) -> None:
        taken.extend(json.loads(body)["user_id"] for _, body in topology.take_all(broker.url, topology.SUMMARIES))

    monkeypatch.setattr(time, "sleep", take)
    assert process_weekly_summary.run(context(platform_db, {"RABBITMQ_URL": broker.url})).counts == {"queued": 2}
    take()
    assert taken == active


def test_a_broker_that_is_down_is_named(platform_db: Engine) -> None:
    task = context(platform_db, {"RABBITMQ_URL": "amqp://user:secret@127.0.0.1:1/"})
    with pytest.raises(BrokerUnavailableError, match=r"RabbitMQ at 127\.0\.0\.1:1.* cannot be reached") as caught:
        process_weekly_summary.run(task)
    assert "secret" not in str(caught.value)


def test_the_notification_service_is_asked_where_there_is_one(platform_db: Engine, service: JsonPeer) -> None:
    result = process_weekly_summary.run(
        context(platform_db, notification_service(service) | {"RABBITMQ_URL": "amqp://127.0.0.1:1/"})
    )
    assert service.asked == [("/queue_weekly_summary", {})]
    assert result.text == f"asked the notification service at 127.0.0.1:{service.port} for all weekly summaries"


def test_a_service_that_fails_is_named_with_its_reason_and_the_next_run_recovers(
    platform_db: Engine, service: JsonPeer
) -> None:
    task = context(platform_db, notification_service(service))
    service.answer = lambda _: Answer({"type": "RuntimeError", "args": ["no broker"], "extras": None}, 500)
    with pytest.raises(DependencyError, match=r"queue_weekly_summary of the notification service .* no broker"):
        process_weekly_summary.run(task)
    service.answer = lambda _: Answer()
    assert process_weekly_summary.run(task).text


def test_in_production_there_is_no_weekly_summary(platform_db: Engine, service: JsonPeer) -> None:
    result = process_weekly_summary.run(context(platform_db, notification_service(service) | {"APP_ENV": "prod"}))
    assert (result.text, service.calls) == ("no weekly summaries, for APP_ENV is prod", [])


def test_without_service_and_broker_the_setting_is_named(platform_db: Engine) -> None:
    with pytest.raises(InvalidValueError, match=r"NOTIFICATIONMANAGER_HOST.* RABBITMQ_URL"):
        process_weekly_summary.run(context(platform_db, {}))
