"""Engines: what a URL means, what people read when a database is not there, and that no password is ever shown."""

from __future__ import annotations

import logging
import multiprocessing
import socket
import threading
import traceback
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform import database, tables
from graphschedule_platform.errors import DatabaseUnavailableError, TransientError
from sqlalchemy import insert, make_url, select, text
from sqlalchemy.exc import IntegrityError

from tests.support.builders import make_user, new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

PASSWORD = "hidden-word"
URL = f"postgresql://scheduler:{PASSWORD}@db.example.com:6432/agents"


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_all_spellings_of_postgresql_are_taken(scheme: str) -> None:
    target = database.parse(URL.replace("postgresql", scheme))
    assert target.url.drivername == "postgresql+psycopg"
    assert target.place == "postgresql db.example.com:6432/agents"


@pytest.mark.parametrize(
    ("query", "schema"), [("", "public"), ("?schema=platform", "platform"), ("?schema=", "public")]
)
def test_the_schema_is_public_unless_named(query: str, schema: str) -> None:
    assert database.parse(URL + query).schema == schema


def test_prismas_parameters_are_understood_or_ignored() -> None:
    target = database.parse(
        f"{URL}?schema=platform&connection_limit=12&pool_timeout=20&connect_timeout=60&sslmode=require"
        "&statement_cache_size=0&socket_timeout=3&sslaccept=strict"
    )
    assert (target.pool_size, target.pool_timeout) == (12, 20)
    assert target.url.query == {}
    assert target.connect_args | {"options": ""} == {
        "application_name": "graphschedule",
        "connect_timeout": 60,
        "options": "",
        "sslmode": "require",
    }


def test_behind_a_pooler_nothing_is_asked_of_the_session() -> None:
    target = database.parse(f"{URL}?pgbouncer=true")
    assert target.pooled
    assert target.connect_args["prepare_threshold"] is None
    assert "options" not in target.connect_args


def test_a_number_that_is_none_is_named() -> None:
    with pytest.raises(InvalidValueError, match="DATABASE_URL connection_limit: 'many' is not valid: write a number"):
        database.parse(f"{URL}?connection_limit=many")


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://u:hidden-word@h/d", "postgresql://u:hidden-word@h", "sqlite://", "sqlite:///:memory:"],
)
def test_other_urls_are_refused_with_an_example_and_no_password(url: str) -> None:
    with pytest.raises(InvalidValueError, match=r"DATABASE_URL: .*write postgresql://user:password@") as raised:
        database.engine(url)
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))


def test_no_password_is_in_a_repr() -> None:
    engine = database.engine(f"{URL}?sslpassword=also-hidden")
    for shown in (
        repr(engine),
        repr(engine.url),
        str(engine.url),
        repr(database.parse(f"{URL}?sslpassword=also-hidden")),
    ):
        assert PASSWORD not in shown
        assert "also-hidden" not in shown


def test_the_pool_is_as_large_as_said() -> None:
    limit = f"{URL}?connection_limit=3"
    sizes = [database.engine(limit, pool_size=7), database.engine(limit), database.engine(URL)]
    assert [engine.pool.status().split()[2] for engine in sizes] == ["7", "3", str(database.DEFAULT_POOL_SIZE)]


def test_statements_name_the_urls_schema(platform_db: Engine) -> None:
    expected = '"User"' if platform_db.dialect.name == "sqlite" else '"platform"."User"'
    assert database.qualified(platform_db, "User") == expected
    with platform_db.begin() as connection:
        make_user(connection, user_id="user-1")
        assert connection.execute(text(f"SELECT id FROM {expected}")).scalars().all() == ["user-1"]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """Give a port on which nobody listens as long as the test lasts."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def cause_of_failure(url: str, *, once: bool = False) -> str:
    engine = database.engine(url, once=once)
    try:
        with pytest.raises(DatabaseUnavailableError) as raised:
            engine.connect()
    finally:
        engine.dispose()
    assert isinstance(raised.value, TransientError)
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("once", [False, True])
def test_a_server_that_is_down_is_one_clear_message(closed_port: int, once: bool) -> None:
    message = cause_of_failure(f"postgresql://scheduler:{PASSWORD}@127.0.0.1:{closed_port}/agents", once=once)
    assert message.startswith(f"database postgresql 127.0.0.1:{closed_port}/agents is not available: ")
    assert "Connection refused" in message


def test_a_host_that_does_not_exist_is_one_clear_message() -> None:
    message = cause_of_failure(f"postgresql://scheduler:{PASSWORD}@nowhere.invalid/agents")
    assert message.startswith("database postgresql nowhere.invalid:5432/agents is not available: ")


def test_a_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        message = cause_of_failure(f"postgresql://s:{PASSWORD}@127.0.0.1:{port}/agents?connect_timeout=2")
    assert f"127.0.0.1:{port}/agents is not available" in message
    assert "timeout" in message


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_a_wrong_password_and_a_missing_database_are_told_apart(platform_url: str) -> None:
    right = make_url(platform_url).set(query={})
    wrong_password = right.set(password=PASSWORD).render_as_string(hide_password=False)
    assert "password authentication failed" in cause_of_failure(wrong_password)
    missing = right.set(database="no_such_database").render_as_string(hide_password=False)
    assert 'database "no_such_database" does not exist' in cause_of_failure(missing)


def test_a_folder_that_does_not_exist_is_one_clear_message(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "file.db"
    assert cause_of_failure(f"sqlite:///{path}") == (
        f"database sqlite {path} is not available: unable to open database file"
    )


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_a_connection_made_ahead_is_given_to_the_first_who_asks(platform_url: str) -> None:
    engine = database.engine(f"{platform_url}&application_name=ahead", once=True)
    pid = text("SELECT pg_backend_pid()")
    oldest = text("SELECT pid FROM pg_stat_activity WHERE application_name = 'ahead' ORDER BY backend_start LIMIT 1")
    with engine.connect() as first, engine.connect() as second:
        assert first.scalar(pid) == second.scalar(oldest) != second.scalar(pid)
    engine.dispose()


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_a_connection_that_is_cut_is_unavailable_and_the_next_one_works(platform_db: Engine) -> None:
    with pytest.raises(DatabaseUnavailableError), platform_db.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with platform_db.connect() as connection:
        assert connection.scalar(text("SELECT 1")) == 1


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_a_pooled_connection_that_died_is_replaced_unnoticed(platform_db: Engine) -> None:
    with platform_db.connect() as connection:
        backend = connection.scalar(text("SELECT pg_backend_pid()"))
    other = database.engine(platform_db.url.set(drivername="postgresql").render_as_string(hide_password=False))
    with other.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(:backend, 10000)"), {"backend": backend})
    other.dispose()
    with platform_db.connect() as connection:
        assert connection.scalar(text("SELECT pg_backend_pid()")) != backend


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_sessions_are_in_utc_and_bounded(platform_url: str) -> None:
    for url in (platform_url, f"{platform_url}&pgbouncer=true"):
        engine = database.engine(url)
        with engine.connect() as connection:
            assert connection.scalar(text("SHOW TimeZone")) == "UTC"
        engine.dispose()
    engine = database.engine(f"{platform_url}&options=-c%20statement_timeout%3D200")
    with pytest.raises(DatabaseUnavailableError, match="statement timeout"), engine.connect() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))
    with engine.connect() as connection:
        assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "2min"
    engine.dispose()


def test_an_error_of_ours_stays_what_it_is_and_hides_values(
    platform_db: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    statement = insert(tables.agent_graph).values(id=new_id(), user_id=PASSWORD)
    with pytest.raises(IntegrityError) as raised, platform_db.begin() as connection:
        connection.execute(statement)
    assert "SQL parameters hidden" in str(raised.value)
    assert PASSWORD not in caplog.text


@pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)
def test_sqlite_writes_ahead_and_minds_references(platform_db: Engine) -> None:
    with platform_db.connect() as connection:
        pragmas = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "foreign_keys")]
    assert pragmas == ["wal", 1]


def count_up(url: str, times: int) -> None:
    """Read and write in one transaction, as often as said: what gets lost if writers do not take turns."""
    engine = database.engine(url)
    table = tables.user
    for _ in range(times):
        with engine.begin() as connection:
            count = connection.scalars(select(table.c.max_emails_per_day)).one()
            connection.execute(table.update().values(max_emails_per_day=count + 1))
    engine.dispose()


@pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)
def test_writers_of_one_sqlite_file_take_turns(platform_url: str, platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        make_user(connection)
    arguments = (platform_url, 40)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as processes, ThreadPoolExecutor(2) as threads:
        turns = [pool.submit(count_up, *arguments) for pool in (processes, threads) for _ in range(2)]
        for turn in turns:
            turn.result()
    with platform_db.connect() as connection:
        assert connection.scalars(select(tables.user.c.max_emails_per_day)).one() == 3 + 4 * 40


def test_many_may_open_a_new_sqlite_file_at_once(tmp_path: Path) -> None:
    def begin(barrier: threading.Barrier, number: int) -> None:
        engine = database.engine(f"sqlite:///{tmp_path}/{number}.db")
        barrier.wait()
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS seen (id integer)"))
        engine.dispose()

    with ThreadPoolExecutor(8) as pool:
        for number in range(40):
            barrier = threading.Barrier(8)
            list(pool.map(begin, [barrier] * 8, [number] * 8))
