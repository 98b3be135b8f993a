"""What the platform's tables are put together from: its kinds of columns, keys and indexes, and its way of naming them.

Columns are given by their names in the database and known by clean ones: `"userId"` becomes `user_id`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Boolean,
    Column,
    Constraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from graphschedule_platform.column_types import PerDialect, UtcTimestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sqlalchemy.sql.schema import SchemaItem

_MAX_NAME = 63
_SUFFIXES: dict[type, str] = {
    PrimaryKeyConstraint: "_pkey",
    ForeignKeyConstraint: "_fkey",
    UniqueConstraint: "_key",
    Index: "_idx",
}


def _platform_name(item: Any, owner: Table) -> str:  # noqa: ANN401 - SQLAlchemy passes a constraint or an index
    """Return the name the platform's migrations give: table, columns, kind; cut to PostgreSQL's 63 bytes."""
    suffix = "_key" if isinstance(item, Index) and item.unique else _SUFFIXES[type(item)]
    columns = [] if isinstance(item, PrimaryKeyConstraint) else [part.name for part in item.columns]
    return "_".join([owner.name, *columns])[: _MAX_NAME - len(suffix)] + suffix


metadata = MetaData(
    naming_convention={"platform_name": _platform_name} | dict.fromkeys(("pk", "fk", "uq", "ix"), "%(platform_name)s")
)
"""The platform's tables, as far as their modules are imported."""

_left: dict[str, Callable[[], Iterable[SchemaItem]]] = {}

_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NOW = PerDialect("CURRENT_TIMESTAMP", "(strftime('%Y-%m-%d %H:%M:%f000', 'now'))")
EMPTY_OBJECT = text("'{}'")
"""The default of a JSON column that holds an object."""


def column(name: str, type_: Any, **options: Any) -> Column[Any]:  # noqa: ANN401 - handed to Column as they are
    """Return a column that is NOT NULL unless said, keyed by its snake_case name."""
    return Column(name, type_, key=_WORD_START.sub("_", name).lower(), **({"nullable": False} | options))


def id_() -> Column[Any]:
    """Return an id: a lower-case UUID that the writer makes, for there is no default (C §1.1)."""
    return column("id", Text, primary_key=True)


def optional(name: str, type_: Any) -> Column[Any]:  # noqa: ANN401 - handed to Column as it is
    """Return a column that may be NULL."""
    return column(name, type_, nullable=True)


def flag(name: str, default: bool) -> Column[Any]:
    """Return a boolean with a default."""
    return column(name, Boolean, server_default=PerDialect(str(default).lower(), str(int(default))))


def created(name: str = "createdAt") -> Column[Any]:
    """Return the time of insertion, which the database fills in."""
    return column(name, UtcTimestamp, server_default=_NOW)


def updated() -> Column[Any]:
    """Return an `updatedAt` that defaults to now on insert only; an update must set it (C §1.1)."""
    return column("updatedAt", UtcTimestamp, server_default=_NOW)


def table(name: str, *items: SchemaItem, keys: Callable[[], Iterable[SchemaItem]] = tuple) -> Table:
    """Return one of the platform's tables; its `keys`, indexes and checks are left to `complete`."""
    made = Table(name, metadata, *items)
    _left[name] = keys
    return made


def complete() -> None:
    """Give the tables their keys, indexes and checks: only who creates tables needs them, and a fire has no time."""
    for name, keys in _left.items():
        Table(name, metadata, *keys(), extend_existing=True)
    _left.clear()


def references(
    target: str, *columns: str, ondelete: str | None, to: tuple[str, ...] = ("id",), name: str | None = None
) -> Constraint:
    """Return a foreign key; `to` names the columns it points at."""
    return ForeignKeyConstraint(
        columns, [f"{target}.{key}" for key in to], ondelete=ondelete, onupdate="CASCADE", name=name
    )


def of_user(key: str = "user_id", ondelete: str | None = "CASCADE") -> Constraint:
    """Return a foreign key to a user."""
    return references("User", key, ondelete=ondelete)


def of_graph(ondelete: str) -> Constraint:
    """Return a foreign key to a version of a graph."""
    return references("AgentGraph", "agent_graph_id", "agent_graph_version", ondelete=ondelete, to=("id", "version"))


def unique(*columns: str) -> Index:
    """Return a unique index."""
    return Index(None, *columns, unique=True)


def index(*columns: str) -> Index:
    """Return an index."""
    return Index(None, *columns)
