"""The schema probe: what is demanded, what is merely noticed."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform import database
from graphschedule_platform.errors import PlatformUnsupportedError
from graphschedule_platform.probe import KNOWN_NEWEST_MIGRATION, REQUIRED, missing, probe
from graphschedule_platform.tables import agent_graph_execution, library_agent
from sqlalchemy import event, insert, select, text

from tests.support.builders import make_simple_graph, make_user, new_id

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine


def alter(engine: Engine, *statements: str) -> None:
    """Run DDL that names the platform's tables as {Table}."""
    names = {name: database.qualified(engine, name) for name in [*REQUIRED, "_prisma_migrations"]}
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement.format_map(names)))


def record_migrations(engine: Engine, *names: str) -> None:
    alter(
        engine,
        "CREATE TABLE {_prisma_migrations} (id text PRIMARY KEY, migration_name text NOT NULL, finished_at timestamp)",
        *(
            f"INSERT INTO {{_prisma_migrations}} VALUES ('{number}', '{name}', '2026-05-07')"
            for number, name in enumerate(names)
        ),
    )


def test_a_standalone_database_is_fit_for_use(platform_db: Engine) -> None:
    with platform_db.connect() as connection:
        schema = probe(connection)
    assert schema.newest_migration is None
    assert schema.agent_graph_execution is agent_graph_execution
    assert schema.library_agent is library_agent


def test_the_known_release_is_taken_without_a_word(platform_db: Engine, caplog: pytest.LogCaptureFixture) -> None:
    record_migrations(platform_db, "20240722143307_migrations", KNOWN_NEWEST_MIGRATION)
    with platform_db.connect() as connection:
        assert probe(connection).newest_migration == KNOWN_NEWEST_MIGRATION
    assert caplog.records == []


def test_an_unknown_newest_migration_is_a_warning_only(platform_db: Engine, caplog: pytest.LogCaptureFixture) -> None:
    record_migrations(platform_db, KNOWN_NEWEST_MIGRATION, "20261001000000_tomorrow")
    with platform_db.connect() as connection:
        assert probe(connection).newest_migration == "20261001000000_tomorrow"
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "20261001000000_tomorrow" in record.message


def test_every_missing_column_is_listed(platform_db: Engine) -> None:
    alter(
        platform_db,
        'ALTER TABLE {AgentNodeExecution} DROP COLUMN "executionData"',
        'ALTER TABLE {AgentGraphExecution} DROP COLUMN "endedAt"',
    )
    with platform_db.connect() as connection, pytest.raises(PlatformUnsupportedError) as raised:
        probe(connection)
    assert "AgentGraphExecution.endedAt, AgentNodeExecution.executionData;" in str(raised.value)
    assert "v0.6.46" in str(raised.value)


def test_a_database_without_a_platform_lists_the_tables(tmp_path: Path) -> None:
    engine = database.engine(f"sqlite:///{tmp_path / 'empty.db'}")
    with (
        engine.connect() as connection,
        pytest.raises(PlatformUnsupportedError, match=r"lacks User, AgentBlock, AgentGraph,"),
    ):
        probe(connection)
    engine.dispose()
    assert missing(frozenset()) == list(REQUIRED)


def test_a_missing_ledger_names_the_command_that_makes_it(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        connection.execute(text(f"DROP TABLE {'' if database.schema_of(connection) is None else 'graphschedule.'}slot"))
    with platform_db.connect() as connection, pytest.raises(PlatformUnsupportedError, match="runner db upgrade"):
        probe(connection)


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_another_schema_is_not_mistaken_for_the_platforms(platform_url: str) -> None:
    engine = database.engine(platform_url.replace("schema=platform", "schema=public"))
    with engine.connect() as connection, pytest.raises(PlatformUnsupportedError, match="'public' lacks User,"):
        probe(connection)
    engine.dispose()


def test_columns_of_newer_releases_are_found_and_can_be_written(platform_db: Engine) -> None:
    alter(
        platform_db,
        'ALTER TABLE {AgentGraphExecution} ADD COLUMN "scheduleId" text',
        'ALTER TABLE {AgentGraphExecution} ADD COLUMN "organizationId" text',
        'ALTER TABLE {LibraryAgent} ADD COLUMN "lastRunAt" timestamp(3)',
    )
    with platform_db.begin() as connection:
        schema = probe(connection)
        table = schema.agent_graph_execution
        graph = make_simple_graph(connection, make_user(connection))
        connection.execute(
            insert(table).values(
                id=new_id(),
                agent_graph_id=graph.id,
                agent_graph_version=graph.version,
                user_id=graph.user_id,
                schedule_id="schedule-1",
            )
        )
        assert connection.scalars(select(table.c.schedule_id)).all() == ["schedule-1"]
    assert set(table.c.keys()) - set(agent_graph_execution.c.keys()) == {"schedule_id", "organization_id"}
    assert set(schema.library_agent.c.keys()) - set(library_agent.c.keys()) == {"last_run_at"}


def test_the_database_is_asked_once_per_engine(platform_db: Engine) -> None:
    statements: list[str] = []
    event.listen(platform_db, "before_cursor_execute", lambda *arguments: statements.append(arguments[2]))
    for _ in range(3):
        with platform_db.connect() as connection:
            probe(connection)
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 1
