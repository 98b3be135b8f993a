"""What the platform's database can do for us, read once per engine at start (C §9 rule 6, C §1.4).

Columns that an execution cannot do without are demanded. Columns that newer releases have added are reported, so that
they are filled where they exist. A newest migration we do not know is worth a warning, no more.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import text

from graphschedule_platform import ledger, tables
from graphschedule_platform.database import qualified, schema_of
from graphschedule_platform.errors import PlatformUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from sqlalchemy import Connection, Engine, Table

KNOWN_NEWEST_MIGRATION = "20260501172500_default_new_users_to_no_tier"
"""The newest migration of the release this room was written for, v0.6.59 (C §1.5)."""

REQUIRED: dict[str, str] = {
    "User": "id timezone integrations",
    "AgentBlock": "id name inputSchema outputSchema",
    "AgentGraph": "id version userId",
    "AgentNode": "id agentBlockId agentGraphId agentGraphVersion constantInput metadata",
    "AgentNodeLink": "id agentNodeSourceId sourceName agentNodeSinkId sinkName",
    "LibraryAgent": "id userId agentGraphId agentGraphVersion isArchived isDeleted settings",
    "StoreListingVersion": "agentGraphId agentGraphVersion submissionStatus isDeleted",
    "AgentGraphExecution": "id agentGraphId agentGraphVersion userId createdAt updatedAt executionStatus stats"
    " credentialInputs inputs nodesInputMasks agentPresetId parentGraphExecutionId endedAt",
    "AgentNodeExecution": "id agentGraphExecutionId agentNodeId executionStatus queuedTime executionData",
    "AgentNodeExecutionInputOutput": "id name data referencedByInputExecId",
    "UserWorkspace": "id userId updatedAt",
}
"""What adding an execution reads and writes (C §2.1-2.7), by table. Onboarding is not here: it may fail (C §7)."""

_MIGRATIONS = "_prisma_migrations"
_LEDGER = ledger.slot_table.name

_COLUMNS_POSTGRESQL = text(
    "SELECT c.relname, a.attname FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p')"
    " AND (n.nspname = :schema AND c.relname = ANY(:tables) OR n.nspname = :ours AND c.relname = :ledger)"
)
_COLUMNS_SQLITE = text(
    "SELECT t.name, c.name FROM sqlite_master t JOIN pragma_table_info(t.name) c WHERE t.type = 'table'"
)

_Columns = frozenset[tuple[str, str]]
"""(table, column) by their names in the database."""

_log = logging.getLogger(__name__)
_known: WeakKeyDictionary[Engine, PlatformSchema] = WeakKeyDictionary()


class PlatformSchema(NamedTuple):
    """What there is beyond the minimum.

    The two tables have exactly the columns we know of that the database has: those of v0.6.59 and, on newer releases,
    `tables.LATER_COLUMNS`. `newest_migration` is None in a standalone database.
    """

    newest_migration: str | None
    agent_graph_execution: Table
    library_agent: Table


def probe(connection: Connection) -> PlatformSchema:
    """Return the facts about a connection's database, read on the first call for its engine.

    Raises:
        PlatformUnsupportedError: columns are missing, or our own ledger is.
        DatabaseUnavailableError: the database went away.

    """
    engine = connection.engine
    if engine not in _known:
        _known[engine] = _read(connection)
    return _known[engine]


def missing(columns: AbstractSet[tuple[str, str]]) -> list[str]:
    """Return what is demanded and not among (table, column) pairs: a whole `Table`, or a `Table.column`, in order."""
    tables_there = {table for table, _ in columns}
    lacking: list[str] = []
    for table, names in REQUIRED.items():
        if table in tables_there:
            lacking += [f"{table}.{column}" for column in names.split() if (table, column) not in columns]
        else:
            lacking.append(table)
    return lacking


def _read(connection: Connection) -> PlatformSchema:
    columns = _columns(connection)
    lacking = missing(columns)
    if lacking:
        raise PlatformUnsupportedError(
            f"the database has no platform schema that this version can work with: {_place(connection)} lacks "
            f"{', '.join(lacking)}; the platform must be of release v0.6.46 or newer, and DATABASE_URL must name its "
            f"schema (?schema=...)"
        )
    ours = {column.name for column in ledger.slot_table.columns}
    if not ours <= {column for table, column in columns if table == _LEDGER}:
        raise PlatformUnsupportedError(
            "the slot ledger is missing or of an older version: run graphschedule-runner db upgrade"
        )
    return PlatformSchema(
        newest_migration=_newest_migration(connection, columns),
        agent_graph_execution=_with_later_columns(tables.agent_graph_execution, columns),
        library_agent=_with_later_columns(tables.library_agent, columns),
    )


def _place(connection: Connection) -> str:
    schema = schema_of(connection)
    return "the file" if schema is None else f"schema {schema!r}"


def _columns(connection: Connection) -> _Columns:
    if connection.dialect.name == "sqlite":
        rows = connection.execute(_COLUMNS_SQLITE)
    else:
        names = {"schema": schema_of(connection), "tables": [*REQUIRED, _MIGRATIONS]}
        rows = connection.execute(_COLUMNS_POSTGRESQL, names | {"ours": ledger.SCHEMA, "ledger": _LEDGER})
    return frozenset((table, column) for table, column in rows)


def _newest_migration(connection: Connection, columns: _Columns) -> str | None:
    if (_MIGRATIONS, "migration_name") not in columns:
        return None
    table = qualified(connection, _MIGRATIONS)
    newest: str | None = connection.scalar(
        text(f"SELECT max(migration_name) FROM {table} WHERE finished_at IS NOT NULL")  # noqa: S608 - a quoted name
    )
    if newest != KNOWN_NEWEST_MIGRATION:
        _log.warning(
            "the platform's newest migration is %s; this version was made for %s and uses what it knows",
            newest,
            KNOWN_NEWEST_MIGRATION,
        )
    return newest


def _with_later_columns(table: Table, columns: _Columns) -> Table:
    present = [name for name in tables.LATER_COLUMNS[table.name] if (table.name, name) in columns]
    return tables.with_later_columns(table, present) if present else table
