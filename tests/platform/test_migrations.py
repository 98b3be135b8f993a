"""Our migrations: what they create where, and what they leave alone."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from graphschedule_platform import alert_memory, database, ledger, migrations, standalone_tables, task_runs
from graphschedule_platform.errors import MigrationRefusedError
from graphschedule_platform.probe import probe
from sqlalchemy import inspect, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from dev.services import Service

TABLES = (ledger.slot_table, task_runs.task_run_table, alert_memory.alert_table)
OURS = {migrations.VERSION_TABLE, *(table.name for table in TABLES)}


@pytest.fixture(params=["postgresql", "sqlite"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    service: Service = request.getfixturevalue("empty_database")
    return f"{service.url}?schema=platform"


@pytest.fixture
def empty(empty_url: str) -> Iterator[Engine]:
    engine = database.engine(empty_url)
    yield engine
    engine.dispose()


def table_names(engine: Engine) -> dict[str, set[str]]:
    """Return the tables by schema; SQLite's are under an empty name."""
    with engine.connect() as connection:
        inspector = inspect(connection)
        if engine.dialect.name == "sqlite":
            return {"": set(inspector.get_table_names())}
        names = {schema: set(inspector.get_table_names(schema)) for schema in inspector.get_schema_names()}
        return {schema: names[schema] for schema in names.keys() - {"information_schema"} if names[schema]}


def be_a_platform(engine: Engine) -> None:
    """Create the platform's tables as somebody else would: without a trace of us."""
    migrations.upgrade(engine, standalone=True)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("DROP SCHEMA graphschedule CASCADE"))
        else:
            for table in OURS:
                connection.execute(text(f"DROP TABLE {table}"))


def test_a_standalone_database_gets_everything(empty: Engine) -> None:
    assert migrations.upgrade(empty, standalone=True) == ("standalone", "ledger")
    with empty.connect() as connection:
        probe(connection)
        assert migrations.is_standalone(connection)
    theirs = set(standalone_tables.metadata.tables)
    if empty.dialect.name == "sqlite":
        assert table_names(empty) == {"": OURS | theirs}
    else:
        # Embeddings need pgvector.
        assert table_names(empty) == {"graphschedule": OURS, "platform": theirs - {"UnifiedContentEmbedding"}}


def test_a_second_upgrade_changes_nothing(empty: Engine) -> None:
    migrations.upgrade(empty, standalone=True)
    before = table_names(empty)
    assert migrations.upgrade(empty) == ("standalone", "ledger")
    assert table_names(empty) == before


@pytest.mark.parametrize("standalone", [True, False, None])
def test_on_a_platforms_database_only_our_schema_is_made(empty: Engine, standalone: bool | None) -> None:
    be_a_platform(empty)
    before = table_names(empty)
    assert migrations.upgrade(empty, standalone=standalone) == ("ledger",)
    after = table_names(empty)
    if empty.dialect.name == "postgresql":
        assert after.pop("graphschedule") == OURS
    else:
        after[""] -= OURS
    assert after == before
    with empty.connect() as connection:
        assert not migrations.is_standalone(connection)
    assert migrations.upgrade(empty, standalone=standalone) == ("ledger",)


def test_a_database_without_platform_is_refused_unless_standalone(empty: Engine) -> None:
    with pytest.raises(MigrationRefusedError, match=r"none of the platform's tables.*\?schema="):
        migrations.upgrade(empty, standalone=False)
    assert sum(map(len, table_names(empty).values())) == 0


def test_only_sqlite_is_standalone_by_itself(empty: Engine) -> None:
    if empty.dialect.name == "sqlite":
        assert migrations.upgrade(empty) == ("standalone", "ledger")
    else:
        with pytest.raises(MigrationRefusedError):
            migrations.upgrade(empty)


def test_upgrades_at_the_same_time_take_turns(empty_url: str) -> None:
    def run(_: int) -> tuple[str, ...]:
        engine = database.engine(empty_url)
        try:
            return migrations.upgrade(engine, standalone=True)
        finally:
            engine.dispose()

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == [("standalone", "ledger")] * 4


@pytest.mark.parametrize("empty_url", ["postgresql"], indirect=True)
def test_the_migrated_ledger_is_the_one_we_use(empty: Engine) -> None:
    migrations.upgrade(empty, standalone=True)

    def is_ours(name: str | None, kind: str, parents: dict[str, str | None]) -> bool:
        return (
            name == ledger.SCHEMA if kind == "schema" else parents.get("table_name", name) != migrations.VERSION_TABLE
        )

    with empty.connect() as connection:
        options = {"include_schemas": True, "include_name": is_ours, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, ledger.metadata) == []


def test_a_database_of_a_newer_version_is_refused(empty: Engine) -> None:
    migrations.upgrade(empty, standalone=True)
    with empty.begin() as connection:
        schema = "graphschedule." if empty.dialect.name == "postgresql" else ""
        connection.execute(text(f"UPDATE {schema}{migrations.VERSION_TABLE} SET version_num = version_num || '_next'"))
    with pytest.raises(MigrationRefusedError, match="upgraded by a newer version"):
        migrations.upgrade(empty)


def test_a_user_who_may_not_create_our_schema_is_told_what_to_grant(empty_database: Service) -> None:
    owner = database.engine(f"{empty_database.url}?schema=platform")
    be_a_platform(owner)
    role = f"limited_{secrets.token_hex(4)}"
    with owner.begin() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'hidden-word'"))
    url = owner.url.set(drivername="postgresql", username=role, password="hidden-word", query={"schema": "platform"})
    limited = database.engine(url.render_as_string(hide_password=False))
    try:
        with pytest.raises(MigrationRefusedError) as raised:
            migrations.upgrade(limited)
    finally:
        limited.dispose()
        with owner.begin() as connection:
            connection.execute(text(f"DROP ROLE {role}"))
        owner.dispose()
    assert f"GRANT CREATE ON DATABASE {url.database} TO {role}" in str(raised.value)
    assert "hidden-word" not in str(raised.value)
