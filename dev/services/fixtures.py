"""Pytest fixtures: servers for the whole run, a fresh database and a fresh vhost for one test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev.services import Service, postgres, rabbitmq, topology
from dev.services.google_storage import GoogleStorage, google_storage
from dev.services.object_store import ObjectStores, object_stores
from dev.services.postgres import postgres_with_vectors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.services.postgres import Postgres
    from dev.services.rabbitmq import RabbitMQ


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Give a real PostgreSQL server."""
    with postgres() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[RabbitMQ]:
    """Give a real RabbitMQ server."""
    with rabbitmq() as server:
        yield server


@pytest.fixture(scope="session")
def vectors_server() -> Iterator[Postgres]:
    """Give a real PostgreSQL server that has pgvector to offer."""
    with postgres_with_vectors() as server:
        yield server


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ObjectStores]:
    """Give a real S3 server."""
    with object_stores() as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[GoogleStorage]:
    """Give an emulator of Google Cloud Storage."""
    with google_storage() as server:
        yield server


@pytest.fixture
def empty_database(postgres_server: Postgres) -> Iterator[Service]:
    """Give a database of this test's own, with nothing in it."""
    with postgres_server.database() as database:
        yield database


@pytest.fixture
def broker(rabbitmq_server: RabbitMQ) -> Iterator[Service]:
    """Give a vhost of this test's own, with the platform's run exchange and its quorum queue."""
    with rabbitmq_server.vhost() as vhost:
        topology.declare(vhost.url, topology.QUORUM)
        yield vhost
