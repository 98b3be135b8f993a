"""Column types that read and write the platform's values the same way on PostgreSQL and SQLite.

On PostgreSQL they are the platform's own types (C §1.1, §1.2); on SQLite they are text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import JSON, DateTime, Text, types
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.expression import ColumnElement

if TYPE_CHECKING:
    from sqlalchemy import Dialect
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.types import TypeEngine

_CONTROL_CHARACTERS = dict.fromkeys([*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F])


def without_control_characters(value: Any) -> Any:  # noqa: ANN401 - any JSON value goes in, the same shape comes out
    """Return a JSON value whose texts, keys too, lack the characters the platform strips (C §1.1, §2.12).

    These are U+0000-0008, 000B-000C, 000E-001F and 007F; tab, line feed and carriage return stay.
    """
    if isinstance(value, str):
        return value.translate(_CONTROL_CHARACTERS)
    if isinstance(value, Mapping):
        return {without_control_characters(key): without_control_characters(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_control_characters(item) for item in value]
    return value


def _in_jsonb_order(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with keys in the order jsonb keeps them: by length, then bytes (C §2.12 relies on it)."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: _in_jsonb_order(value[key]) for key in keys}
    if isinstance(value, list):
        return [_in_jsonb_order(item) for item in value]
    return value


class Json(types.TypeDecorator[Any]):
    """`jsonb`, stripped of control characters on its way in. None is SQL NULL; write `JSON.NULL` for JSON's null."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return jsonb on PostgreSQL, JSON text elsewhere."""
        plain = postgresql.JSONB if dialect.name == "postgresql" else JSON
        return dialect.type_descriptor(plain(none_as_null=True))

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:  # noqa: ANN401 - any JSON value
        """Return the value as the platform would store it."""
        stripped = without_control_characters(value)
        return stripped if dialect.name == "postgresql" else _in_jsonb_order(stripped)


def utc_milliseconds(value: datetime) -> datetime:
    """Return an aware datetime as the platform stores it: in UTC without a zone, cut to milliseconds.

    Raises:
        ValueError: the datetime has no zone, so nobody knows which instant is meant.

    """
    if value.tzinfo is None:
        raise ValueError(f"{value!r} has no time zone: pass an aware datetime")
    utc = value.astimezone(UTC)
    return utc.replace(microsecond=utc.microsecond // 1000 * 1000, tzinfo=None)


@lru_cache(maxsize=64)
def json_timestamp(value: datetime) -> str:
    """Return an aware datetime as text that both databases read as they keep it: for rows that travel as JSON.

    Of a thousand rows that are written together, all have the same few times.
    """
    return utc_milliseconds(value).isoformat(sep=" ", timespec="microseconds")


class UtcTimestamp(types.TypeDecorator[datetime]):
    """`timestamp(3) without time zone` holding UTC: aware datetimes in and out, cut to milliseconds."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return timestamp(3) on PostgreSQL, ISO text elsewhere."""
        # Not handed to `type_descriptor`, whose copy would lose the precision.
        return postgresql.TIMESTAMP(precision=3) if dialect.name == "postgresql" else DateTime()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - interface
        """Return the time to store."""
        return None if value is None else utc_milliseconds(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - interface
        """Return the stored time as an aware datetime."""
        return None if value is None else value.replace(tzinfo=UTC)


class PlatformEnum(types.UserDefinedType[str]):
    """A native enum of the platform, by its name; text on SQLite.

    Values are bound without a cast, so PostgreSQL takes the column's own type: no schema name is needed, and a
    release that adds values or turns the column into text (C §1.4) works as before.
    """

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """Return the type's quoted name for DDL; the schema is found by search_path."""
        return f'"{self.name}"'


class PlatformEnumArray(types.UserDefinedType[Sequence[str]]):
    """An array of a platform enum, given and taken as a list of str; the same array literal as text on SQLite.

    Like `PlatformEnum` it also works where the release at hand made it `text[]` (C §1.4).
    """

    cache_ok = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """Return the array type for DDL."""
        return f'"{self.name}"[]'

    def bind_processor(self, dialect: Dialect) -> Callable[[Sequence[str] | None], str | None]:  # noqa: ARG002 - interface
        """Return a function that writes an array literal; enum labels need no quotes in one."""
        return lambda labels: None if labels is None else "{" + ",".join(labels) + "}"

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], list[str] | None]:  # noqa: ARG002 - interface
        """Return a function that reads what the driver gives: a literal for an enum array, a list for `text[]`."""
        return _labels


def _labels(stored: str | list[str] | None) -> list[str] | None:
    if isinstance(stored, str):
        return [label for label in stored.strip("{}").split(",") if label]
    return stored


class TextArray(types.TypeDecorator[list[str]]):
    """`text[]`; a JSON array on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return text[] on PostgreSQL, JSON text elsewhere."""
        return dialect.type_descriptor(postgresql.ARRAY(Text) if dialect.name == "postgresql" else JSON())


class Vector(types.UserDefinedType[str]):
    """pgvector's `vector(n)`, given and taken as its text form `[1,2,3]`."""

    cache_ok = True

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions

    def get_col_spec(self, **_: object) -> str:
        """Return the type for DDL."""
        return f"vector({self.dimensions})"


class SearchVector(types.UserDefinedType[str]):
    """`tsvector`, which only the database itself writes."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the type for DDL."""
        return "tsvector"


@compiles(PlatformEnum, "sqlite")
@compiles(PlatformEnumArray, "sqlite")
@compiles(Vector, "sqlite")
@compiles(SearchVector, "sqlite")
def _as_text(*_: object, **__: object) -> str:
    return "TEXT"


class PerDialect(ColumnElement[Any]):
    """An SQL expression that PostgreSQL and SQLite spell differently."""

    inherit_cache = False

    def __init__(self, postgresql: str, sqlite: str) -> None:
        self.postgresql = postgresql
        self.sqlite = sqlite


@compiles(PerDialect)
def _spell(element: PerDialect, compiler: SQLCompiler, **_: object) -> str:
    return element.sqlite if compiler.dialect.name == "sqlite" else element.postgresql
