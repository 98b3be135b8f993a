"""Expired grants are deleted, whatever else is true of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from graphschedule_platform.oauth import delete_expired
from graphschedule_platform.standalone_tables import (
    oauth_access_token,
    oauth_application,
    oauth_authorization_code,
    oauth_refresh_token,
)
from sqlalchemy import insert, select

from tests.support import builders

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, Table

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
NONE = {"authorization_codes": 0, "access_tokens": 0, "refresh_tokens": 0}


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
            updated_at=NOW,
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
    return set(connection.scalars(select(table.c.id)))


def test_what_expired_is_deleted_and_what_expires_now_is_kept(platform_db: Engine) -> None:
    tables = {oauth_authorization_code: 1, oauth_access_token: 2, oauth_refresh_token: 3}
    with platform_db.begin() as connection:
        app = make_application(connection)
        kept = {}
        for table, count in tables.items():
            for _ in range(count):
                grant(connection, table, app, NOW - TICK)
            kept[table] = {grant(connection, table, app, NOW), grant(connection, table, app, NOW + TICK)}
        assert delete_expired(connection, NOW) == {"authorization_codes": 1, "access_tokens": 2, "refresh_tokens": 3}
        assert {table: left(connection, table) for table in tables} == kept
        assert delete_expired(connection, NOW) == NONE


def test_use_and_revocation_make_no_difference(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        app = make_application(connection)
        grant(connection, oauth_authorization_code, app, NOW - TICK, used_at=NOW - TICK)
        grant(connection, oauth_access_token, app, NOW - TICK, revoked_at=NOW - TICK)
        grant(connection, oauth_authorization_code, app, NOW, used_at=NOW)
        grant(connection, oauth_refresh_token, app, NOW, revoked_at=NOW)
        assert delete_expired(connection, NOW) == NONE | {"authorization_codes": 1, "access_tokens": 1}
        assert len(left(connection, oauth_application)) == 1
