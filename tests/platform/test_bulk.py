"""Rows by the thousand become the same rows as one by one."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform import tables
from graphschedule_platform.bulk import insert_many, update_many
from graphschedule_platform.dialects import among, pair_among
from sqlalchemy import select, text

from tests.support import builders
from tests.support.platforms import on_postgresql

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Engine

NOW = datetime(2026, 5, 4, 9, 0, 0, 123456, UTC)


@pytest.fixture
def user_ids(platform_db: Engine) -> list[str]:
    with platform_db.begin() as connection:
        return sorted(builders.make_user(connection) for _ in range(3))


def onboardings(user_ids: list[str], **values: object) -> list[dict[str, Any]]:
    return [{"id": builders.new_id(), "user_id": user_id, "updated_at": NOW} | values for user_id in user_ids]


def stored(connection: Connection, *names: str) -> list[tuple[Any, ...]]:
    row = tables.user_onboarding.c
    return [tuple(one) for one in connection.execute(select(*(row[name] for name in names)).order_by(row.user_id))]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a": [1, 2.5, None, "\u00e4"]}, {"a": [1, 2.5, None, "\u00e4"]}),
        ("a\0b\x1f\n", "ab\n"),
        (None, None),
        (2**53 + 1, 2**53 + 1),
    ],
)
def test_json_is_kept_as_the_platform_keeps_it(
    platform_db: Engine, user_ids: list[str], given: object, kept: object
) -> None:
    with platform_db.begin() as connection:
        insert_many(connection, tables.user_onboarding, onboardings(user_ids, agent_input=given))
        assert stored(connection, "agent_input") == [(kept,)] * 3


def test_none_in_a_json_column_is_jsons_null(platform_db: Engine, user_ids: list[str]) -> None:
    with platform_db.begin() as connection:
        insert_many(connection, tables.user_onboarding, onboardings(user_ids, agent_input=None))
        nulls = select(tables.user_onboarding.c.id).where(tables.user_onboarding.c.agent_input.is_(None))
        assert connection.execute(nulls).all() == []


def test_columns_without_a_value_have_their_defaults_and_times_are_cut_to_milliseconds(
    platform_db: Engine, user_ids: list[str]
) -> None:
    with platform_db.begin() as connection:
        insert_many(connection, tables.user_onboarding, onboardings(user_ids))
        (first, *_) = stored(connection, "agent_runs", "completed_steps", "usage_reason", "updated_at")
        assert first == (0, [], None, NOW.replace(microsecond=123000))


def test_rows_are_updated_by_their_key_and_no_others(platform_db: Engine, user_ids: list[str]) -> None:
    steps = ["RUN_AGENTS_100", "RUN_3_DAYS"]
    with platform_db.begin() as connection:
        insert_many(connection, tables.user_onboarding, onboardings(user_ids))
        news = [
            {"user_id": user_id, "agent_runs": number, "completed_steps": steps, "last_run_at": NOW}
            for number, user_id in enumerate(user_ids[:2], start=1)
        ]
        update_many(connection, tables.user_onboarding, "user_id", news)
        assert stored(connection, "agent_runs", "completed_steps") == [(1, steps), (2, steps), (0, [])]


def test_nothing_is_nothing_to_do(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        insert_many(connection, tables.user_onboarding, [])
        update_many(connection, tables.user_onboarding, "user_id", [])
        assert stored(connection, "id") == []


@on_postgresql
def test_a_release_that_turned_an_enum_into_text_is_written_alike(platform_db: Engine, user_ids: list[str]) -> None:
    """As releases after v0.6.59 do with the steps (C §1.4)."""
    with platform_db.begin() as connection:
        connection.execute(text('ALTER TABLE platform."UserOnboarding" ALTER "completedSteps" DROP DEFAULT'))
        change = (
            'ALTER TABLE platform."UserOnboarding" ALTER "completedSteps" TYPE text[] USING "completedSteps"::text[]'
        )
        connection.execute(text(change))
        insert_many(connection, tables.user_onboarding, onboardings(user_ids, completed_steps=["RUN_3_DAYS"]))
        assert stored(connection, "completed_steps") == [(["RUN_3_DAYS"],)] * 3


def test_rows_are_found_among_many_values_and_pairs(platform_db: Engine, user_ids: list[str]) -> None:
    user = tables.user.c
    with platform_db.begin() as connection:

        def found(condition: ColumnElement[bool]) -> list[str]:
            return sorted(connection.scalars(select(user.id).where(condition)))

        pairs = [(user_ids[0], f"{user_ids[0]}@example.com"), (user_ids[1], f"{user_ids[2]}@example.com")]
        assert found(among(connection, user.id, [*user_ids[:2], "nobody"])) == user_ids[:2]
        assert found(among(connection, user.id, [])) == []
        assert found(pair_among(connection, (user.id, user.email), pairs)) == user_ids[:1]
        assert found(pair_among(connection, (user.id, user.email), [])) == []
