"""Rows by the thousand: on PostgreSQL in one statement, whose one parameter holds them all as JSON.

Driver and server are far quicker with that than with a statement and ten parameters for each row. The columns' types
are the table's own (`json_populate_recordset`), so that none is named here that a release may change (C §1.4). On
SQLite, where a statement costs no round trip, each row has one.

Rows are values by column key; all have the same keys. In a JSON column None is JSON's null, not SQL's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, bindparam, func, insert, literal_column, select, update

from graphschedule_platform.column_types import Json, json_timestamp, without_control_characters
from graphschedule_platform.database import qualified
from graphschedule_platform.dialects import recordset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Connection, Table

Row = Mapping[str, Any]


def insert_many(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table), [_one(table, row) for row in rows])
        return
    given = _given(connection, table, rows)
    connection.execute(insert(table).from_select([table.c[key] for key in given], select(*given.values())))


def update_many(connection: Connection, table: Table, identity: str, rows: Sequence[Row]) -> None:
    """Update rows, each found by the column of that key."""
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        changed: dict[str, ColumnElement[Any]] = {key: bindparam(f"new_{key}") for key in rows[0] if key != identity}
        statement = update(table).where(table.c[identity] == bindparam(f"new_{identity}")).values(changed)
        connection.execute(
            statement, [{f"new_{key}": value for key, value in _one(table, row).items()} for row in rows]
        )
        return
    given = _given(connection, table, rows)
    its = table.c[identity] == given.pop(identity)
    connection.execute(update(table).where(its).values({table.c[key]: value for key, value in given.items()}))


def _one(table: Table, row: Row) -> Row:
    return {key: JSON.NULL if value is None and _is_json(table, key) else value for key, value in row.items()}


def _is_json(table: Table, key: str) -> bool:
    return isinstance(table.c[key].type, Json)


def _given(connection: Connection, table: Table, rows: Sequence[Row]) -> dict[str, ColumnElement[Any]]:
    """Return the columns of the rows by key, as a statement reads them from its parameter."""
    names = {key: table.c[key].name for key in rows[0]}
    documents = [key for key in names if _is_json(table, key)]
    plain = [
        {names[key]: without_control_characters(value) if key in documents else value for key, value in row.items()}
        for row in rows
    ]
    text = json.dumps(plain, default=json_timestamp)
    source = recordset(qualified(connection, table.name), text, names.values())
    given = {key: source.c[name] for key, name in names.items()}
    # `json_populate_recordset` makes SQL's NULL of JSON's null.
    return given | {key: func.coalesce(given[key], literal_column("'null'")) for key in documents}
