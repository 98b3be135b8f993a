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

from tests.support.grants import grant, left, make_application

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
TICK = timedelta(milliseconds=1)
NONE = {"authorization_codes": 0, "access_tokens": 0, "refresh_tokens": 0}


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
