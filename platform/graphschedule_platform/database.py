"""Engines from database URLs: PostgreSQL as the platform writes them, with `?schema=…` (M31), or a SQLite file.

The platform's tables are found by name in the URL's schema: every statement is compiled with that schema's name
(`schema_translate_map`). That holds behind a connection pooler too, where a `search_path` would not.

What makes the database unavailable (unreachable, wrong password, gone, too slow, deadlocked) is raised as
`DatabaseUnavailableError` with one line for people. No message, log line or repr holds a password or a parameter.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple

from graphschedule.errors import InvalidValueError
from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from graphschedule_platform import ledger
from graphschedule_platform.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

_FIELD = "DATABASE_URL"
_REMEDY = "write postgresql://user:password@host:5432/database?schema=platform or sqlite:////path/to/file.db"
_POSTGRESQL_SCHEMES = {"postgresql", "postgres", "postgresql+psycopg"}

DEFAULT_POOL_SIZE = 5
CONNECT_TIMEOUT = 10
"""Seconds to wait for a connection; the URL's `connect_timeout` wins."""
STATEMENT_TIMEOUT = 60
"""Seconds one statement may take, waiting for locks included."""
_IDLE_TIMEOUT = 120
"""Seconds a transaction may be idle: a runner on a vanished node must not hold its slots' locks for hours."""

_REMEMBERED = 500
"""Compiled statements that an engine keeps: SQLAlchemy's default."""

_LIBPQ_PARAMETERS = {
    "application_name",
    "channel_binding",
    "gssencmode",
    "host",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "sslcert",
    "sslcrl",
    "sslkey",
    "sslmode",
    "sslpassword",
    "sslrootcert",
    "target_session_attrs",
}
"""What of the URL's query goes to the driver. Prisma's other parameters mean nothing here and are ignored."""


class Target(NamedTuple):
    """A database as its URL describes it: where it is, and how to connect."""

    url: URL
    schema: str | None
    """Schema of the platform's tables; None on SQLite, which has none."""
    connect_args: dict[str, Any]
    pool_size: int = DEFAULT_POOL_SIZE
    pool_timeout: int = 10
    pooled: bool = False
    """A transaction pooler such as PgBouncer stands between (`pgbouncer=true`): nothing of a session lasts."""

    def __repr__(self) -> str:
        return f"Target at {self.place}"

    @property
    def driver_arguments(self) -> dict[str, Any]:
        """What PostgreSQL's driver takes to connect, for those who need a connection beside the engine's."""
        return self.url.translate_connect_args(username="user", database="dbname") | self.connect_args

    @property
    def place(self) -> str:
        """The database's place for people, without user or password."""
        if self.url.get_backend_name() == "sqlite":
            return f"sqlite {self.url.database}"
        host = self.connect_args.get("host", self.url.host or "localhost")
        return f"postgresql {host}:{self.url.port or 5432}/{self.url.database}"


def parse(url: str) -> Target:
    """Return what a database URL says.

    Understood in the query of a PostgreSQL URL: `schema` (default `public`), Prisma's `connection_limit`,
    `pool_timeout`, `connect_timeout` and `pgbouncer`, and libpq's TLS and keepalive parameters.

    Raises:
        InvalidValueError: the URL is of another kind of database or cannot be read.

    """
    try:
        parsed = make_url(url.strip())
    except (ArgumentError, ValueError):
        raise _invalid(url) from None
    if parsed.drivername == "sqlite" and parsed.database not in {None, "", ":memory:"}:
        return Target(parsed.set(query={}), schema=None, connect_args={})
    if parsed.drivername not in _POSTGRESQL_SCHEMES or not parsed.database:
        raise _invalid(url)
    query = {name: value if isinstance(value, str) else value[-1] for name, value in parsed.query.items()}
    pooled = query.get("pgbouncer") == "true"
    return Target(
        url=parsed.set(drivername="postgresql+psycopg", query={}),
        schema=query.get("schema") or "public",
        connect_args=_connect_args(query, pooled),
        pool_size=_number(query, "connection_limit", DEFAULT_POOL_SIZE),
        pool_timeout=_number(query, "pool_timeout", 10),
        pooled=pooled,
    )


def engine(url: str, *, pool_size: int | None = None, once: bool = False) -> Engine:
    """Return an engine for a database URL; nothing is connected yet.

    `pool_size` is the most connections it will hold; it wins over the URL's `connection_limit`. `once` is for a process
    that is soon over: it begins to open a connection in the background, and remembers no compiled statement.

    Raises:
        InvalidValueError: see `parse`.

    """
    target = parse(url)
    postgresql = target.schema is not None
    made = create_engine(
        target.url,
        connect_args=target.connect_args,
        pool_size=pool_size or target.pool_size,
        max_overflow=0,
        pool_timeout=target.pool_timeout,
        pool_pre_ping=True,
        hide_parameters=True,
        query_cache_size=0 if once else _REMEMBERED,
        execution_options={"schema_translate_map": {None: target.schema} if postgresql else {ledger.SCHEMA: None}},
        **({"use_native_hstore": False} if postgresql else {}),
    )
    event.listen(made, "handle_error", _unavailable_at(target), retval=True)
    if once and postgresql:
        _connect_ahead(made, target)
    if target.pooled:
        event.listen(made, "connect", _use_utc)
    if not postgresql:
        event.listen(made, "connect", _prepare_sqlite)
        event.listen(made, "begin", _begin_immediate)
    return made


def _connect_ahead(made: Engine, target: Target) -> None:
    """Begin to open the first connection; who first asks for one waits for it, or gets its error."""
    arguments, named = made.dialect.create_connect_args(target.url)
    executor = ThreadPoolExecutor(max_workers=1)
    begun = [executor.submit(made.dialect.connect, *arguments, **{**named, **target.connect_args})]
    executor.shutdown(wait=False)

    def take(*_: object) -> DBAPIConnection | None:
        return begun.pop().result() if begun else None

    event.listen(made, "do_connect", take)


def schema_of(made: Engine | Connection) -> str | None:
    """Return the schema of the platform's tables, None on SQLite."""
    schema: str | None = made.get_execution_options()["schema_translate_map"].get(None)
    return schema


def qualified(made: Engine | Connection, name: str) -> str:
    """Return the quoted name of a platform table with its schema, for statements written as text."""
    quote = made.dialect.identifier_preparer.quote_identifier
    schema = schema_of(made)
    return quote(name) if schema is None else f"{quote(schema)}.{quote(name)}"


def _invalid(url: str) -> InvalidValueError:
    return InvalidValueError(_FIELD, re.sub(r"(?<=://).*@", "***@", url), _REMEDY)


def _number(query: dict[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not text.isdecimal() or int(text) == 0:
        raise InvalidValueError(f"{_FIELD} {name}", text, "write a number of at least 1")
    return int(text)


def _connect_args(query: dict[str, str], pooled: bool) -> dict[str, Any]:
    arguments: dict[str, Any] = {"application_name": "graphschedule"}
    arguments |= {name: value for name, value in query.items() if name in _LIBPQ_PARAMETERS}
    arguments["connect_timeout"] = _number(query, "connect_timeout", CONNECT_TIMEOUT)
    if pooled:
        return arguments | {"prepare_threshold": None}
    # Defaults such as CURRENT_TIMESTAMP fill columns without a zone in the session's zone, which must be UTC (C §1.1).
    ours = (
        f"-c timezone=UTC -c statement_timeout={STATEMENT_TIMEOUT}s"
        f" -c idle_in_transaction_session_timeout={_IDLE_TIMEOUT}s"
    )
    return arguments | {"options": f"{ours} {query.get('options', '')}".strip()}


def _use_utc(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Set the zone where a pooler does not let it be a start-up option; PgBouncer keeps it per client."""
    connection.execute("SET TIME ZONE 'UTC'")
    connection.commit()


def _prepare_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    import sqlite3

    connection.isolation_level = None  # the driver would begin transactions by its own rules
    for pragma in (f"busy_timeout = {STATEMENT_TIMEOUT * 1000}", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        # The mode is the file's. Who finds others at a new file does not wait for them; one of them sets it, or the
        # next who comes.
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once, so that writers wait for their turn instead of failing in the middle."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _unavailable_at(target: Target) -> Callable[[ExceptionContext], DatabaseUnavailableError | None]:
    is_unavailable = _sqlite_is_unavailable if target.schema is None else _postgresql_is_unavailable

    def translate(context: ExceptionContext) -> DatabaseUnavailableError | None:
        error = context.original_exception
        if context.is_pre_ping or not (context.is_disconnect or is_unavailable(error)):
            return None
        return DatabaseUnavailableError(f"database {target.place} is not available: {cause(error)}")

    return translate


def _postgresql_is_unavailable(error: BaseException) -> bool:
    import psycopg

    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def _sqlite_is_unavailable(error: BaseException) -> bool:
    import sqlite3

    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
    }


def cause(error: BaseException | None) -> str:
    """Return the error on one line, without the details that may quote values."""
    diagnosis = getattr(error, "diag", None)
    return " ".join((getattr(diagnosis, "message_primary", None) or str(error)).split())
