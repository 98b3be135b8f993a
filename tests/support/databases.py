"""Fixtures: a platform's database with our ledger, of one test's own, on PostgreSQL and on SQLite."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import psycopg
import pytest
from graphschedule_platform import database, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from dev.services.postgres import Postgres

SCHEMA = "platform"
_DIALECTS = ["postgresql", "sqlite"]


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Postgres) -> Iterator[str]:
    """Give the name of a database with everything in it, to copy from: that is faster than to create it again."""
    with postgres_server.database() as made:
        _create(f"{made.url}?schema={SCHEMA}")
        yield made.url.rsplit("/", 1)[1]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a SQLite file with everything in it, to copy from."""
    path = tmp_path_factory.mktemp("template") / "platform.db"
    _create(f"sqlite:///{path}")
    return path


@pytest.fixture(params=_DIALECTS)
def platform_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of a fresh platform database, once on each kind; `indirect` parameters choose one kind."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "platform.db")
        yield f"sqlite:///{path}"
        return
    template = request.getfixturevalue("postgres_template")
    server: Postgres = request.getfixturevalue("postgres_server")
    with server.database(template=template) as made:
        yield f"{made.url}?schema={SCHEMA}"


@pytest.fixture
def platform_db(platform_url: str) -> Iterator[Engine]:
    """Give an engine of a fresh platform database, once on each kind."""
    engine = database.engine(platform_url)
    yield engine
    engine.dispose()


@pytest.fixture
def vectors_url(vectors_server: Postgres) -> Iterator[str]:
    """Give the URL of a fresh platform database with pgvector, in the schema of the platform's tables."""
    with vectors_server.database() as made:
        with psycopg.connect(made.url) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}; CREATE EXTENSION vector SCHEMA {SCHEMA}")
        url = f"{made.url}?schema={SCHEMA}"
        _create(url)
        yield url


@pytest.fixture
def vectors_db(vectors_url: str) -> Iterator[Engine]:
    """Give an engine of a fresh platform database with pgvector."""
    engine = database.engine(vectors_url)
    yield engine
    engine.dispose()


def _create(url: str) -> None:
    engine = database.engine(url)
    migrations.upgrade(engine, standalone=True)
    engine.dispose()
