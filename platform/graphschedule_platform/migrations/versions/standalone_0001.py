"""The platform's tables as of its release v0.6.59, for databases without a platform (C §1.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import op
from graphschedule_platform import standalone_tables
from graphschedule_platform.database import schema_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

revision = "standalone_0001"
down_revision = None
branch_labels = ("standalone",)
depends_on = None


def upgrade() -> None:
    """Create the platform's enum types and tables; embeddings only where pgvector can hold them."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        _prepare_postgresql(connection)
    standalone_tables.metadata.create_all(connection, tables=_creatable(connection), checkfirst=False)


def _prepare_postgresql(connection: Connection) -> None:
    schema = schema_of(connection) or "public"
    if not sa.inspect(connection).has_schema(schema):
        connection.execute(sa.schema.CreateSchema(schema))
    # Types are created and found by their bare names until the end of the transaction.
    path = f"{connection.dialect.identifier_preparer.quote_identifier(schema)}, public"
    connection.execute(sa.text("SELECT set_config('search_path', :path, true)"), {"path": path})
    for name, labels in standalone_tables.ENUMS.items():
        op.execute(f'CREATE TYPE "{name}" AS ENUM ({", ".join(f"{label!r}" for label in labels)})')


def _creatable(connection: Connection) -> list[Table]:
    without = set() if _has_vector(connection) else {standalone_tables.unified_content_embedding}
    return [table for table in standalone_tables.metadata.tables.values() if table not in without]


def _has_vector(connection: Connection) -> bool:
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.scalars(sa.text("SELECT to_regtype('vector') IS NOT NULL")).one())
