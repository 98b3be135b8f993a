"""What Alembic runs: our revisions, on the connection and in the transaction that `upgrade` gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import context
from sqlalchemy import inspect
from sqlalchemy.schema import CreateSchema

from graphschedule_platform import ledger
from graphschedule_platform.migrations import version_options

if TYPE_CHECKING:
    from sqlalchemy import Connection


def _create_our_schema(connection: Connection) -> None:
    """Create our schema if it is missing: IF NOT EXISTS would ask for the right to create it even then."""
    if connection.dialect.name == "postgresql" and not inspect(connection).has_schema(ledger.SCHEMA):
        connection.execute(CreateSchema(ledger.SCHEMA))


def _run(connection: Connection) -> None:
    _create_our_schema(connection)
    context.configure(connection=connection, **version_options(connection))
    context.run_migrations()


_run(context.config.attributes["connection"])
