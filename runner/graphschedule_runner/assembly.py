"""Putting the platform's parts together from the settings."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from graphschedule_platform import database

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphschedule_platform.admission import Judge
    from graphschedule_platform.delivery import Delivery
    from graphschedule_platform.publisher import Publisher
    from sqlalchemy import Connection, Engine

    from graphschedule_runner.settings import Settings


def engine(settings: Settings, *, once: bool = False) -> Engine:
    """Return an engine of the platform's database; `once` is for a process that is soon over."""
    return database.engine(settings.database_url, pool_size=settings.pool_size, once=once)


@contextmanager
def transaction(settings: Settings) -> Iterator[Connection]:
    """Give a transaction on the platform's database, once it is known to be one.

    Raises:
        PlatformUnsupportedError: it is not one that we can work with.

    """
    from graphschedule_platform.probe import probe

    made = engine(settings)
    try:
        with made.begin() as connection:
            probe(connection)
            yield connection
    finally:
        made.dispose()


def judge(settings: Settings) -> Judge:
    """Return validation as these settings want it."""
    from graphschedule_platform import catalogue, stores
    from graphschedule_platform.validate import validate_many

    return partial(
        validate_many,
        catalogue=catalogue.load(),
        cipher=settings.encryption_key,
        system_credentials=stores.system_credentials(settings.system_credentials),
    )


def publisher(settings: Settings) -> Publisher | None:
    """Return the broker in the environment, to which it begins to connect; None for SQLite, which is its own queue."""
    if database.parse(settings.database_url).schema is None:
        return None
    from graphschedule_platform.publisher import BrokerAddress, Publisher

    made = Publisher(BrokerAddress.from_environment(os.environ))
    made.connect_ahead()
    return made


def delivery(settings: Settings, publisher: Publisher | None) -> Delivery:
    """Return the way into the queue."""
    from graphschedule_platform.delivery import Delivery

    return Delivery(publisher, credit=settings.enable_credit)
