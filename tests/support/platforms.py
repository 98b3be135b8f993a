"""A platform to enqueue on: its database with, on PostgreSQL, its broker; and fires of schedules on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.payload import RunPayload
from graphschedule.slots import Slot
from graphschedule_platform import catalogue, ledger, tables
from graphschedule_platform.delivery import Delivery
from graphschedule_platform.enqueue import Enqueuer
from graphschedule_platform.fires import Fire
from graphschedule_platform.publisher import BrokerAddress, Publisher
from graphschedule_platform.validate import validate_many
from sqlalchemy import func, select

from dev.services import topology
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from graphschedule.outcomes import Outcome
    from graphschedule_platform.admission import Judge
    from sqlalchemy import Engine, Table

    from dev.services import Service

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
JUDGE: Judge = partial(validate_many, catalogue=catalogue.shipped())


@dataclass
class Platform:
    """A platform. `url` is what a runner's DATABASE_URL says; without a broker, as on SQLite, the last two are None."""

    url: str
    engine: Engine
    broker_url: str | None
    publisher: Publisher | None

    def enqueuer(
        self,
        *,
        engine: Engine | None = None,
        delivery: Delivery | None = None,
        clock: Callable[[], datetime] | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Enqueuer:
        """Return an enqueuer on this platform, or on another engine or delivery."""
        return Enqueuer(
            engine or self.engine,
            JUDGE,
            delivery or Delivery(self.publisher),
            clock or (lambda: datetime.now(UTC)),
            stopping,
        )

    def messages(self) -> list[dict[str, Any]]:
        """Take the messages out of the run queue; without a broker there is none."""
        return [json.loads(body) for _, body in topology.take_all(self.broker_url)] if self.broker_url else []

    def count(self, table: Table) -> int:
        """Return the number of a table's rows."""
        with self.engine.connect() as connection:
            return connection.scalar(select(func.count()).select_from(table)) or 0

    def statuses(self) -> dict[str, str]:
        """Return the status of every execution by its id."""
        execution = tables.agent_graph_execution.c
        with self.engine.connect() as connection:
            rows = connection.execute(select(execution.id, execution.execution_status))
            return {row.id: row.execution_status for row in rows}

    def slots(self) -> dict[str, ledger.SlotRow]:
        """Return the ledger's rows by execution id."""
        with self.engine.connect() as connection:
            return {row.id: row for row in ledger.changes_since(connection).rows}


@pytest.fixture
def platform(platform_url: str, platform_db: Engine, request: pytest.FixtureRequest) -> Iterator[Platform]:
    """Give a platform, once on PostgreSQL with RabbitMQ and once on SQLite."""
    if platform_db.dialect.name == "sqlite":
        yield Platform(platform_url, platform_db, None, None)
        return
    broker: Service = request.getfixturevalue("broker")
    publisher = Publisher(BrokerAddress.from_url(broker.url))
    yield Platform(platform_url, platform_db, broker.url, publisher)
    publisher.close()


@pytest.fixture
def payload(platform: Platform) -> RunPayload:
    """Give the payload of a schedule whose graph is in its user's library."""
    with platform.engine.begin() as connection:
        user_id = builders.make_user(connection, timezone="Europe/Berlin")
        graph = builders.make_simple_graph(connection, user_id)
    return payload_of(graph)


on_postgresql = pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)


def payload_of(graph: builders.Graph) -> RunPayload:
    """Return the payload of a schedule of a graph."""
    return RunPayload(
        schedule_uid=builders.new_id(),
        namespace="agents",
        name="daily",
        cronjob="daily",
        graph_id=graph.id,
        user_id=graph.user_id,
        inputs={"text": "hello"},
    )


def fire(payload: RunPayload, minute: int = 0) -> Fire:
    """Return a fire some minutes past noon."""
    return Fire(Slot.at(payload.schedule_uid, NOON + timedelta(minutes=minute)), payload)


def outcomes(enqueuer: Enqueuer, fires: Sequence[Fire]) -> list[Outcome]:
    """Enqueue fires; return their outcomes."""
    return [result.outcome for result in enqueuer.enqueue_many(fires)]
