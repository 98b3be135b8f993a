"""OAuth applications with their codes and tokens, for tests that let these expire."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphschedule_platform.standalone_tables import oauth_application, oauth_authorization_code
from sqlalchemy import insert, select

from tests.support import builders

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table


def make_application(connection: Connection) -> dict[str, str]:
    """Make an application; return what its grants have in common."""
    user_id, application_id = builders.make_user(connection), builders.new_id()
    connection.execute(
        insert(oauth_application).values(
            id=application_id,
            name="App",
            client_id=application_id,
            client_secret="",
            client_secret_salt="",
            owner_id=user_id,
            updated_at=datetime.now(UTC),
        )
    )
    return {"application_id": application_id, "user_id": user_id}


def grant(connection: Connection, table: Table, app: dict[str, str], expires_at: datetime, **values: object) -> str:
    """Make a code or token."""
    id_ = builders.new_id()
    own = {"code": id_, "redirect_uri": ""} if table is oauth_authorization_code else {"token": id_}
    connection.execute(insert(table).values(app | own | values | {"id": id_, "expires_at": expires_at}))
    return id_


def left(connection: Connection, table: Table) -> set[str]:
    """Return the ids of a table's rows."""
    return set(connection.scalars(select(table.c.id)))
