"""Enqueueing against real servers: PostgreSQL with RabbitMQ, and SQLite without a broker."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.outcomes import Outcome, SlotState
from graphschedule.payload import RunPayload
from graphschedule.slots import Slot
from graphschedule_platform import catalogue, database, ledger, tables
from graphschedule_platform.delivery import Delivery
from graphschedule_platform.enqueue import Enqueuer
from graphschedule_platform.fires import Fire
from graphschedule_platform.publisher import BrokerAddress, Publisher
from graphschedule_platform.repair import repair
from graphschedule_platform.validate import validate_many
from sqlalchemy import func, select, update

from dev.services import topology
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphschedule_platform.admission import Judge
    from sqlalchemy import Connection, Engine

    from dev.services import Service

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
JUDGE: Judge = partial(validate_many, catalogue=catalogue.shipped())


@dataclass
class Platform:
    """A platform with its database and, on PostgreSQL, its broker."""

    engine: Engine
    broker_url: str | None
    publisher: Publisher | None

    def enqueuer(self, **options: Any) -> Enqueuer:
        return Enqueuer(**{"engine": self.engine, "judge": JUDGE, "delivery": Delivery(self.publisher)} | options)

    def messages(self) -> list[dict[str, Any]]:
        """Take the messages in the run queue; without a broker there is none."""
        return [json.loads(body) for _, body in topology.take_all(self.broker_url)] if self.broker_url else []

    def count(self, table: Any) -> int:
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0

    def statuses(self) -> dict[str, str]:
        execution = tables.agent_graph_execution.c
        with self.engine.connect() as connection:
            return dict(connection.execute(select(execution.id, execution.execution_status)).all())

    def slots(self) -> dict[str, ledger.SlotRow]:
        with self.engine.connect() as connection:
            return {row.id: row for row in ledger.changes_since(connection).rows}


@pytest.fixture
def platform(platform_db: Engine, request: pytest.FixtureRequest) -> Iterator[Platform]:
    if platform_db.dialect.name == "sqlite":
        yield Platform(platform_db, None, None)
        return
    broker: Service = request.getfixturevalue("broker")
    publisher = Publisher(BrokerAddress.from_url(broker.url))
    yield Platform(platform_db, broker.url, publisher)
    publisher.close()


on_postgresql = pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)


@pytest.fixture
def payload(platform: Platform) -> RunPayload:
    """Give the payload of a schedule whose graph is in its user's library."""
    with platform.engine.begin() as connection:
        user_id = builders.make_user(connection, timezone="Europe/Berlin")
        graph = builders.make_simple_graph(connection, user_id)
    return payload_of(graph)


def payload_of(graph: builders.Graph, **members: Any) -> RunPayload:
    return RunPayload(
        **{
            "schedule_uid": builders.new_id(),
            "namespace": "agents",
            "name": "daily",
            "cronjob": "daily",
            "graph_id": graph.id,
            "user_id": graph.user_id,
            "inputs": {"text": "hello"},
        }
        | members
    )


def fire(payload: RunPayload, minute: int = 0) -> Fire:
    return Fire(Slot.at(payload.schedule_uid, NOON + timedelta(minutes=minute)), payload)


def outcomes(enqueuer: Enqueuer, fires: Sequence[Fire]) -> list[Outcome]:
    return [result.outcome for result in enqueuer.enqueue_many(fires)]


def test_a_fire_becomes_a_queued_execution_with_its_inputs(platform: Platform, payload: RunPayload) -> None:
    one = fire(payload)
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.ENQUEUED]
    assert platform.statuses() == {one.id: "QUEUED"}
    with platform.engine.connect() as connection:
        inputs = connection.execute(
            select(tables.agent_node_execution_input_output.c["name", "data"])
        ).all()
    assert sorted(map(tuple, inputs)) == [("name", "text"), ("value", "hello")]
    assert platform.slots()[one.id].state is SlotState.ENQUEUED
    assert platform.slots()[one.id].graph_version == 1


@on_postgresql
def test_its_message_carries_every_field_of_the_contract(platform: Platform, payload: RunPayload) -> None:
    one = fire(payload)
    platform.enqueuer().enqueue_many([one])
    with platform.engine.connect() as connection:
        workspace = connection.scalar(select(tables.user_workspace.c.id))
    assert platform.messages() == [
        {
            "user_id": payload.user_id,
            "graph_exec_id": one.id,
            "graph_id": payload.graph_id,
            "graph_version": 1,
            "nodes_input_masks": {},
            "nodes_to_skip": [],
            "execution_context": {
                "user_id": payload.user_id,
                "graph_id": payload.graph_id,
                "graph_exec_id": one.id,
                "graph_version": 1,
                "node_id": None,
                "node_exec_id": None,
                "human_in_the_loop_safe_mode": True,
                "sensitive_action_safe_mode": False,
                "dry_run": False,
                "user_timezone": "Europe/Berlin",
                "root_execution_id": one.id,
                "parent_execution_id": None,
                "workspace_id": workspace,
                "session_id": None,
            },
        }
    ]
