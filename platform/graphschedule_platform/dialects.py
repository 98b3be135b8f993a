"""What PostgreSQL and SQLite have in common but SQLAlchemy offers per dialect. A dialect is imported when met."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, JSON, Text, any_, cast, func, literal, literal_column, select, tuple_

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from sqlalchemy import ColumnElement, Connection, Table, TableValuedAlias
    from sqlalchemy.dialects import postgresql, sqlite


def insert(connection: Connection, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that knows ON CONFLICT."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table)
    from sqlalchemy.dialects import sqlite

    return sqlite.insert(table)


def recordset(row_type: str, document: str, names: Iterable[str]) -> TableValuedAlias:
    """Return the rows that a JSON array of objects holds, with these columns of a PostgreSQL row type."""
    null: ColumnElement[Any] = literal_column(f"NULL::{row_type}")
    return func.json_populate_recordset(null, cast(literal(document, Text), JSON)).table_valued(*names)


def among(connection: Connection, column: ColumnElement[str], values: Collection[str]) -> ColumnElement[bool]:
    """Tell whether a column's text is one of many: on PostgreSQL they are one parameter, an array."""
    if connection.dialect.name == "postgresql":
        return column == any_(_array(values))
    return column.in_(values)


def pair_among(
    connection: Connection, columns: tuple[ColumnElement[str], ColumnElement[str]], pairs: Collection[tuple[str, str]]
) -> ColumnElement[bool]:
    """Tell whether two columns' texts are one of many pairs."""
    if connection.dialect.name == "postgresql":
        firsts, seconds = zip(*pairs, strict=True) if pairs else ((), ())
        given = func.unnest(_array(firsts), _array(seconds)).table_valued("first", "second").render_derived()
        return tuple_(*columns).in_(select(given.c.first, given.c.second))
    return tuple_(*columns).in_(pairs)


def _array(values: Iterable[str]) -> ColumnElement[Any]:
    return literal(list(values), ARRAY(Text))
