"""The platform's database as the operator asks it: what is kept, and what is said when there is no answer."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from graphschedule_operator.platform import Platform, UnansweredError, connect
from graphschedule_operator.settings import Settings
from graphschedule_platform import database, tables
from sqlalchemy import func, select

from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import Connection


@asynccontextmanager
async def platform(url: str) -> AsyncIterator[Platform]:
    made = Platform(database.engine(url))
    yield made
    made.close()


def users(connection: Connection) -> int:
    return connection.scalar(select(func.count()).select_from(tables.user)) or 0


async def test_writes_are_kept_and_what_a_read_writes_is_not(platform_url: str) -> None:
    async with platform(platform_url) as made:
        await made.read(builders.make_user)
        assert await made.read(users) == 0
        await made.write(builders.make_user)
        assert await made.read(users) == 1


async def test_a_server_that_is_away_gives_no_answer_and_the_error_no_password() -> None:
    async with platform("postgresql://user:secret@127.0.0.1:1/platform") as made:
        with pytest.raises(UnansweredError, match=r"127\.0\.0\.1:1/platform is not available") as raised:
            await made.read(users)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_database_of_something_else_gives_no_answer(tmp_path: Path) -> None:
    async with platform(f"sqlite:///{tmp_path}/empty.db") as made:
        with pytest.raises(UnansweredError, match="no platform schema"):
            await made.read(users)


async def test_a_refused_statement_is_told_in_the_drivers_words(platform_url: str) -> None:
    async with platform(platform_url) as made:
        with pytest.raises(UnansweredError, match="nowhere") as raised:
            await made.read(lambda connection: connection.exec_driver_sql("SELECT 'secret' FROM nowhere"))
    assert "secret" not in str(raised.value)


def test_without_a_url_there_is_no_platform(settings: Settings) -> None:
    assert connect(settings) is None


def test_settings_never_show_their_secrets() -> None:
    secrets = {"database_url": "postgresql://user:hush@db/platform", "encryption_key": "hush"}
    made = Settings.model_validate({"runner_image": "r", "data_claim": "d", **secrets})
    assert "hush" not in repr(made)
    assert connect(made) is not None
