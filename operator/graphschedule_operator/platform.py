"""The platform's database, asked from the event loop: work in a few threads, and one error for "not now"."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from graphschedule_platform import database
from graphschedule_platform.errors import PlatformUnsupportedError, TransientError
from graphschedule_platform.probe import probe
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from graphschedule_operator import metrics

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from graphschedule_platform.database import Target
    from sqlalchemy import Connection, Engine

    from graphschedule_operator.settings import Settings

T = TypeVar("T")

THREADS = 3
"""Pieces of work at once; whatever is more waits for its turn."""


class UnansweredError(Exception):
    """The database gave no answer; `str()` is one line that says why, without secrets. It may answer later."""


class Platform:
    """The platform's database. Nothing is connected until the first piece of work.

    `target` says where it is, for who wants a connection of their own.
    """

    def __init__(self, engine: Engine, target: Target | None = None) -> None:
        self.engine = engine
        self.target = target
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="platform")

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run work in a thread, in a transaction that keeps nothing, and return what it returns.

        Raises:
            UnansweredError: the database is away, refuses, or is not one that we can work with.

        """
        return await self._run(self.engine.connect, work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in a thread, in a transaction that is committed, and return what it returns.

        Raises:
            UnansweredError: as `read`; nothing was written, or it is not known whether it was.

        """
        return await self._run(self.engine.begin, work)

    def close(self) -> None:
        """Give up what waits for a thread, and the connections; work in hand ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.engine.dispose()

    async def _run(
        self, transaction: Callable[[], AbstractContextManager[Connection]], work: Callable[[Connection], T]
    ) -> T:
        def answer() -> T:
            with transaction() as connection:
                probe(connection)
                return work(connection)

        try:
            answered = await asyncio.get_running_loop().run_in_executor(self._threads, answer)
        except (TransientError, PlatformUnsupportedError, SQLAlchemyError) as error:
            metrics.DATABASE_REQUESTS.labels("unanswered").inc()
            raise UnansweredError(_reason(error)) from error
        metrics.DATABASE_REQUESTS.labels("answered").inc()
        return answered


def connect(settings: Settings) -> Platform | None:
    """Return the platform's database as the settings name it, or None if they name none.

    Raises:
        InvalidValueError: the URL cannot be used.

    """
    if settings.database_url is None:
        return None
    url = settings.database_url.get_secret_value()
    return Platform(database.engine(url, pool_size=THREADS), database.parse(url))


def _reason(error: Exception) -> str:
    """Return an error on one line; of SQLAlchemy's, the driver's part, for the rest shows statements."""
    return database.cause(error.orig) if isinstance(error, DBAPIError) else " ".join(str(error).split())
