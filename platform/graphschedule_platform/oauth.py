"""Removing what applications were granted and may not use any longer (C §4.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete

from graphschedule_platform.standalone_tables import (
    oauth_access_token,
    oauth_authorization_code,
    oauth_refresh_token,
)

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_TABLES = {
    "authorization_codes": oauth_authorization_code,
    "access_tokens": oauth_access_token,
    "refresh_tokens": oauth_refresh_token,
}


def delete_expired(connection: Connection, now: datetime) -> dict[str, int]:
    """Delete codes and tokens that expired before `now`, used and revoked ones too; return how many of each kind."""
    return {
        kind: connection.execute(delete(table).where(table.c.expires_at < now)).rowcount
        for kind, table in _TABLES.items()
    }
