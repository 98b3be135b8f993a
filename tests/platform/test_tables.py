"""The platform's tables: our DDL against the catalogue of a real v0.6.59, and values as the platform keeps them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform import database, migrations, standalone_tables, tables
from graphschedule_platform.column_types import without_control_characters
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import JSON, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError, StatementError

from tests.support.builders import make_graph, make_simple_graph, make_user, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

    from dev.services import Service

FACTS = json.loads((Path(__file__).parent / "data" / "platform-catalogue.json").read_text())
"""Names, types, nullability ([type, may be null, default]), constraints and indexes of the platform's catalogue."""

VECTOR = """
    CREATE SCHEMA platform;
    CREATE TYPE platform.vector;
    CREATE FUNCTION platform.vector_in(cstring, oid, integer) RETURNS platform.vector
        LANGUAGE internal IMMUTABLE STRICT AS 'varcharin';
    CREATE FUNCTION platform.vector_out(platform.vector) RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT AS 'varcharout';
    CREATE FUNCTION platform.vector_modifier_in(cstring[]) RETURNS integer
        LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodin';
    CREATE FUNCTION platform.vector_modifier_out(integer) RETURNS cstring
        LANGUAGE internal IMMUTABLE STRICT AS 'varchartypmodout';
    CREATE TYPE platform.vector (
        INPUT = platform.vector_in, OUTPUT = platform.vector_out,
        TYPMOD_IN = platform.vector_modifier_in, TYPMOD_OUT = platform.vector_modifier_out
    );
"""
"""A type of pgvector's name and shape, for servers without pgvector: texts of a given length."""

_COLUMNS = """
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'platform'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 ORDER BY c.relname, a.attnum
"""
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'platform'::regnamespace AND conrelid <> 0
"""
_INDEXES = "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'platform'"
_ENUMS = """
    SELECT t.typname, array_agg(e.enumlabel::text ORDER BY e.enumsortorder) FROM pg_enum e
    JOIN pg_type t ON t.oid = e.enumtypid GROUP BY t.typname
"""


@pytest.fixture
def catalogue(empty_database: Service) -> Iterator[Connection]:
    engine = database.engine(f"{empty_database.url}?schema=platform")
    with engine.begin() as connection:
        connection.exec_driver_sql(VECTOR)
    migrations.upgrade(engine, standalone=True)
    with engine.connect() as connection:
        # Names in definitions are then given without their schema, as the facts have them.
        connection.execute(text("SET search_path = platform"))
        yield connection
    engine.dispose()


def test_our_ddl_makes_the_platforms_columns(catalogue: Connection) -> None:
    columns: dict[str, dict[str, Any]] = {}
    for table, name, type_, nullable, default in catalogue.execute(text(_COLUMNS)):
        columns.setdefault(table, {})[name] = [type_, nullable, default]
    assert columns == {table: facts["columns"] for table, facts in FACTS["tables"].items()}
    assert {table: list(names) for table, names in columns.items()} == {
        table: list(facts["columns"]) for table, facts in FACTS["tables"].items()
    }, "also in the platform's order"


def test_our_ddl_makes_the_platforms_constraints(catalogue: Connection) -> None:
    constraints: dict[str, dict[str, str]] = {table: {} for table in FACTS["tables"]}
    for table, name, definition in catalogue.execute(text(_CONSTRAINTS)):
        constraints[table.strip('"')][name] = definition
    assert constraints == {table: facts["constraints"] for table, facts in FACTS["tables"].items()}


def test_our_ddl_makes_the_platforms_indexes(catalogue: Connection) -> None:
    indexes: dict[str, dict[str, str]] = {table: {} for table in FACTS["tables"]}
    for table, name, definition in catalogue.execute(text(_INDEXES)):
        unique = "unique " if definition.startswith("CREATE UNIQUE") else ""
        indexes[table][name] = unique + definition.split(" USING ", 1)[1]
    assert indexes == {table: facts["indexes"] for table, facts in FACTS["tables"].items()}


def test_our_ddl_makes_the_platforms_enums(catalogue: Connection) -> None:
    assert dict(tuple(row) for row in catalogue.execute(text(_ENUMS))) == FACTS["enums"]


@pytest.fixture
def platform(platform_db: Engine) -> Iterator[Connection]:
    with platform_db.begin() as connection:
        yield connection


def test_every_table_can_be_read_under_its_clean_names(platform: Connection) -> None:
    made = set(inspect(platform).get_table_names(schema=database.schema_of(platform)))
    for table in standalone_tables.metadata.tables.values():
        assert all(name == name.lower() for name, _ in table.c.items())
        assert table.name not in made or platform.execute(select(*table.c.values())).all() == []


def test_defaults_are_the_databases(platform: Connection) -> None:
    user_id = make_user(platform)
    row = platform.execute(select(tables.user).where(tables.user.c.id == user_id)).one()
    assert (row.timezone, row.subscription_tier, row.max_emails_per_day) == ("not-set", "NO_TIER", 3)
    assert (row.metadata, row.integrations, row.email_verified) == ({}, "", True)
    assert abs(row.created_at - datetime.now(UTC)) < timedelta(minutes=1)
    assert row.created_at.microsecond % 1000 == 0


def stored_inputs(platform: Connection, inputs: object) -> tuple[object, bool, str]:
    graph = make_graph(platform, make_user(platform))
    table = tables.agent_graph_execution
    values = {"agent_graph_id": graph.id, "agent_graph_version": 1, "user_id": graph.user_id, "inputs": inputs}
    platform.execute(insert(table).values(id=new_id(), execution_status="QUEUED", **values))
    row = platform.execute(select(table.c.inputs, table.c.inputs.is_(None), table.c.execution_status)).one()
    return row[0], row[1], row[2]


def test_json_comes_back_as_it_went_in(platform: Connection) -> None:
    value = {"text": "Grüße\tof\nall\r\n", "n": 1, "f": 1.5, "yes": True, "none": None, "list": [1, [2, {"a": "b"}]]}
    assert stored_inputs(platform, value) == (value, False, "QUEUED")


def test_json_is_stripped_of_control_characters_in_keys_too(platform: Connection) -> None:
    value = {"a\x00b": "x\x00\x08y\x0b\x1f\x7f", "list": ["\x0c"], "kept": "\t\n\r"}
    assert stored_inputs(platform, value)[0] == {"ab": "xy", "list": [""], "kept": "\t\n\r"}


def test_json_keys_come_back_shortest_first_as_in_jsonb(platform: Connection) -> None:
    stored: Any = stored_inputs(platform, {"list_$_0": 1, "list": [], "b": 1, "ä": 1, "a": {"zz": 1, "y": 2}})[0]
    assert [*stored, *stored["a"]] == ["a", "b", "ä", "list", "list_$_0", "y", "zz"]


def test_none_is_null_and_the_json_null_is_something_else(platform: Connection) -> None:
    assert stored_inputs(platform, None)[:2] == (None, True)


def test_the_json_null_can_be_written(platform: Connection) -> None:
    assert stored_inputs(platform, JSON.NULL)[:2] == (None, False)


@given(st.text())
def test_stripping_removes_exactly_the_platforms_characters(value: str) -> None:
    removed = {*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F}
    assert without_control_characters({value: [value]}) == {
        stripped: [stripped] for stripped in ["".join(c for c in value if ord(c) not in removed)]
    }


def test_times_are_kept_in_utc_to_the_millisecond(platform: Connection) -> None:
    user_id = make_user(platform)
    given_time = datetime(2026, 5, 4, 9, 30, 0, 123_987, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    platform.execute(update(tables.user).values(updated_at=given_time).where(tables.user.c.id == user_id))
    stored = platform.scalars(select(tables.user.c.updated_at)).one()
    assert stored == datetime(2026, 5, 4, 4, 0, 0, 123_000, tzinfo=UTC)
    assert stored.tzinfo is UTC


def test_a_time_without_a_zone_is_refused(platform: Connection) -> None:
    with pytest.raises(StatementError, match="no time zone"):
        platform.execute(update(tables.user).values(updated_at=datetime(2026, 5, 4)))  # noqa: DTZ001 - that is the point


def test_default_times_and_given_times_compare(platform: Connection) -> None:
    user_id = make_user(platform)
    created = platform.scalars(select(tables.user.c.created_at)).one()
    same = select(tables.user.c.id).where(tables.user.c.created_at == created)
    assert platform.scalars(same).all() == [user_id]


def test_arrays_of_steps_and_of_texts_come_back_as_lists(platform: Connection) -> None:
    table = tables.user_onboarding
    platform.execute(insert(table).values(id=new_id(), user_id=make_user(platform)))
    row = select(table.c.completed_steps, table.c.rewarded_for, table.c.integrations)
    assert tuple(platform.execute(row).one()) == ([], [], [])
    steps = ["WELCOME", "RUN_AGENTS_100"]
    platform.execute(update(table).values(completed_steps=steps, rewarded_for=steps[:1], integrations=["a,b", '"']))
    assert tuple(platform.execute(row).one()) == (steps, steps[:1], ["a,b", '"'])


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_arrays_of_steps_work_where_a_newer_release_made_them_texts(platform: Connection) -> None:
    platform.execute(
        text(
            'ALTER TABLE platform."UserOnboarding" ALTER "completedSteps" DROP DEFAULT,'
            ' ALTER "completedSteps" TYPE text[] USING "completedSteps"::text[]'
        )
    )
    table = tables.user_onboarding
    platform.execute(insert(table).values(id=new_id(), user_id=make_user(platform), completed_steps=["NEW_STEP"]))
    assert platform.scalars(select(table.c.completed_steps)).one() == ["NEW_STEP"]


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_values_that_a_newer_release_adds_to_an_enum_can_be_read(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        connection.execute(text("""ALTER TYPE platform."SubscriptionTier" ADD VALUE 'TRIAL'"""))
    with platform_db.begin() as connection:
        make_user(connection)
        connection.execute(update(tables.user).values(subscription_tier="TRIAL"))
        assert connection.scalars(select(tables.user.c.subscription_tier)).one() == "TRIAL"


def test_foreign_keys_are_enforced(platform_db: Engine) -> None:
    with pytest.raises(IntegrityError), platform_db.begin() as connection:
        make_graph(connection, user_id="nobody")


def test_deleting_a_user_takes_their_graphs_along(platform: Connection) -> None:
    user_id = make_user(platform)
    graph = make_graph(platform, user_id)
    platform.execute(tables.user.delete().where(tables.user.c.id == user_id))
    assert platform.scalars(select(tables.agent_graph.c.id).where(tables.agent_graph.c.id == graph.id)).all() == []


def test_a_graph_in_a_library_cannot_be_deleted(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        make_simple_graph(connection, make_user(connection))
    with pytest.raises(IntegrityError), platform_db.begin() as connection:
        connection.execute(tables.agent_graph.delete())
