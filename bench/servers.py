"""A platform to measure on: real servers, and graphs that its users have in their libraries."""

from __future__ import annotations

import contextlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from graphschedule.payload import RunPayload
from graphschedule.slots import Slot
from graphschedule_platform import database, migrations
from graphschedule_platform.fires import Fire

from dev.services import postgres, rabbitmq, topology
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

NINE = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Platform:
    """A platform's database, empty at first, and its broker."""

    database_url: str
    broker_url: str
    engine: Engine

    @property
    def environment(self) -> dict[str, str]:
        """What a runner is told."""
        return {"DATABASE_URL": self.database_url, "RABBITMQ_URL": self.broker_url}

    def payload(self) -> RunPayload:
        """Make a user with a small graph; return the payload of a schedule of it."""
        with self.engine.begin() as connection:
            user_id = builders.make_user(connection, timezone="Europe/Berlin")
            graph = builders.make_simple_graph(connection, user_id)
        return RunPayload(
            schedule_uid=str(uuid.uuid4()),
            namespace="bench",
            name="bench",
            cronjob="bench",
            graph_id=graph.id,
            user_id=user_id,
            graph_version=graph.version,
            inputs={"text": "hello"},
        )


@contextlib.contextmanager
def platform(name: str) -> Iterator[Platform]:
    """Give a platform on real servers for as long as the block lasts."""
    with (
        postgres(name) as database_server,
        rabbitmq(name) as broker_server,
        database_server.database() as made,
        broker_server.vhost() as vhost,
    ):
        topology.declare(vhost.url, topology.QUORUM)
        url = f"{made.url}?schema=platform"
        engine = database.engine(url)
        try:
            migrations.upgrade(engine, standalone=True)
            yield Platform(url, vhost.url, engine)
        finally:
            engine.dispose()


def fires(payload: RunPayload, count: int, *, first: int = 0) -> list[Fire]:
    """Return fires of consecutive minutes."""
    minutes = range(first, first + count)
    return [Fire(Slot.at(payload.schedule_uid, NINE + timedelta(minutes=minute)), payload) for minute in minutes]
