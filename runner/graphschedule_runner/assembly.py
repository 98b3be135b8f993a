"""Putting the platform's parts together from the settings."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from graphschedule_platform import catalogue, database, stores
from graphschedule_platform.delivery import Delivery
from graphschedule_platform.probe import probe
from graphschedule_platform.validate import validate_many

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphschedule_platform.admission import Judge
    from sqlalchemy import Connection, Engine

    from graphschedule_runner.settings import Settings


def engine(settings: Settings) -> Engine:
    """Return an engine of the platform's database."""
    return database.engine(settings.database_url, pool_size=settings.pool_size)


@contextmanager
def transaction(settings: Settings) -> Iterator[Connection]:
    """Give a transaction on the platform's database, once it is known to be one.

    Raises:
        PlatformUnsupportedError: it is not one that we can work with.

    """
    made = engine(settings)
    try:
        with made.begin() as connection:
            probe(connection)
            yield connection
    finally:
        made.dispose()


def judge(settings: Settings) -> Judge:
    """Return validation as these settings want it."""
    return partial(
        validate_many,
        catalogue=catalogue.load(),
        cipher=settings.encryption_key,
        system_credentials=stores.system_credentials(settings.system_credentials),
    )


def delivery(settings: Settings) -> Delivery:
    """Return the way into the queue: the broker in the environment for PostgreSQL, the database itself for SQLite.

    It begins to connect to the broker: ask for it before `engine`, which loads the driver of the database meanwhile.
    """
    if database.parse(settings.database_url).schema is None:
        return Delivery(None, credit=settings.enable_credit)
    from graphschedule_platform.publisher import BrokerAddress, Publisher

    publisher = Publisher(BrokerAddress.from_environment(os.environ))
    publisher.connect_ahead()
    return Delivery(publisher, credit=settings.enable_credit)
