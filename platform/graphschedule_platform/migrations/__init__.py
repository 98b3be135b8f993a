"""Our migrations: the slot ledger always, the platform's own tables only in standalone databases.

Two branches of Alembic revisions share one version table in our schema: `ledger`, and `standalone`. On a database that
the platform owns only `ledger` is applied; nothing of the platform's is ever created, altered or dropped there.
Revisions go forward only: undoing one would drop the record of what has run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError

from graphschedule_platform import database, ledger, standalone_tables
from graphschedule_platform.errors import MigrationRefusedError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

LEDGER = "ledger"
STANDALONE = "standalone"
VERSION_TABLE = "alembic_version"

_LOCK = 5_146_723_019
"""Key of the advisory lock under which migrations take turns."""

_INSUFFICIENT_PRIVILEGE = "42501"


def upgrade(engine: Engine, standalone: bool | None = None) -> tuple[str, ...]:
    """Bring a database up to date in one transaction; return the branches it has.

    Safe to run by many at once and again. Where the platform's tables exist, only our schema is touched, whatever
    `standalone` says. Where none exist, they are created if `standalone`; None means True for SQLite, else False.

    Raises:
        MigrationRefusedError: there are no platform tables and the database is not to be standalone, or our user may
            not create our schema, or a newer version of ours has upgraded the database.
        DatabaseUnavailableError: the database cannot be reached.

    """
    try:
        with engine.begin() as connection:
            _take_turn(connection)
            branches = _branches(connection, standalone)
            config = _config(connection)
            for branch in branches:
                command.upgrade(config, f"{branch}@head")
            return branches
    except CommandError as error:
        raise MigrationRefusedError(f"the database was upgraded by a newer version: {error}") from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
            raise
        raise MigrationRefusedError(
            f"{error.orig}: let the database's owner run GRANT CREATE ON DATABASE {engine.url.database} "
            f"TO {engine.url.username}, or run the upgrade as a user who may"
        ) from error


def is_standalone(connection: Connection) -> bool:
    """Return whether the platform's tables in this database are ours: there is no platform beside us."""
    applied = MigrationContext.configure(connection, opts=version_options(connection)).get_current_heads()
    script = ScriptDirectory.from_config(_config(connection))
    return any(STANDALONE in script.get_revision(revision).branch_labels for revision in applied)


def _take_turn(connection: Connection) -> None:
    """Wait until nobody else migrates; SQLite's transaction has its lock already."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})


def _branches(connection: Connection, standalone: bool | None) -> tuple[str, ...]:
    schema = database.schema_of(connection)
    existing = set(inspect(connection).get_table_names(schema=schema)) & set(standalone_tables.metadata.tables)
    ours = is_standalone(connection)
    if existing and not ours:
        return (LEDGER,)
    if ours or (connection.dialect.name == "sqlite" if standalone is None else standalone):
        return (STANDALONE, LEDGER)
    raise MigrationRefusedError(
        f"schema {schema!r} of database {connection.engine.url.database!r} holds none of the platform's tables: "
        f"name the platform's schema in DATABASE_URL (?schema=...), or ask for a standalone database"
    )


def version_options(connection: Connection) -> dict[str, Any]:
    """Return where Alembic keeps its version table."""
    schema = ledger.SCHEMA if connection.dialect.name == "postgresql" else None
    return {"version_table": VERSION_TABLE, "version_table_schema": schema}


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", "graphschedule_platform:migrations")
    config.attributes["connection"] = connection
    return config
