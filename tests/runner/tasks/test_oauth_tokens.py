"""The task that deletes expired OAuth codes and tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform import database
from graphschedule_platform.errors import DatabaseUnavailableError
from graphschedule_platform.standalone_tables import oauth_access_token
from graphschedule_runner.tasks.cleanup_oauth_tokens import run

from tests.runner.tasks.contexts import NOW, context
from tests.support.grants import grant, left, make_application

if TYPE_CHECKING:
    from sqlalchemy import Engine


def test_expired_grants_are_deleted_for_good_and_counted(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        app = make_application(connection)
        grant(connection, oauth_access_token, app, NOW - timedelta(seconds=1))
        kept = grant(connection, oauth_access_token, app, NOW)
    result = run(context(platform_db, {}))
    assert (result.text, result.counts) == (None, {"authorization_codes": 0, "access_tokens": 1, "refresh_tokens": 0})
    with platform_db.connect() as connection:
        assert left(connection, oauth_access_token) == {kept}


def test_a_database_that_is_down_fails_the_run_by_name() -> None:
    engine = database.engine("postgresql://nobody@127.0.0.1:1/platform")
    with pytest.raises(DatabaseUnavailableError, match=r"database postgresql 127\.0\.0\.1:1/platform is not available"):
        run(context(engine, {}))
