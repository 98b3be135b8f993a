"""The platform's database, asked from the event loop: what it would say to a graph (M2)."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from graphschedule_platform import catalogue, database, stores
from graphschedule_platform.errors import PlatformUnsupportedError, TransientError
from graphschedule_platform.probe import probe
from graphschedule_platform.validate import validate_many
from sqlalchemy.exc import SQLAlchemyError

from graphschedule_api import metrics
from graphschedule_api.errors import GraphRefusedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphschedule_platform.verdict import ExecutionRequest, Verdict
    from sqlalchemy import Connection, Engine

    from graphschedule_api.settings import Settings

T = TypeVar("T")

logger = logging.getLogger(__name__)

THREADS = 4
"""Pieces of work at once; whatever is more waits for its turn."""


class Platform:
    """The platform. Nothing is connected until the first piece of work."""

    def __init__(self, settings: Settings) -> None:
        """Read the settings.

        Raises:
            InvalidValueError: the URL, the encryption key, the system credentials or the catalogue cannot be used.

        """
        cipher = settings.encryption_key.get_secret_value() if settings.encryption_key else None
        if cipher is not None:
            stores.check_key(cipher)
        self._validate = partial(
            validate_many,
            catalogue=catalogue.load(),
            cipher=cipher,
            system_credentials=stores.system_credentials(settings.system_credentials),
        )
        self._engine: Engine = database.engine(settings.database_url.get_secret_value(), pool_size=THREADS)
        self._waiting: list[tuple[ExecutionRequest, asyncio.Future[Verdict]]] = []
        self._judging: asyncio.Task[None] | None = None
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="platform")

    async def check(self, request: ExecutionRequest) -> None:
        """Return if the platform would run what is asked for.

        Who asks while others are being answered waits for the next batch: many together cost little more than one.

        Raises:
            GraphRefusedError: it would not.
            UnavailableError: it cannot be asked now.

        """
        answer: asyncio.Future[Verdict] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, answer))
        if self._judging is None or self._judging.done():
            self._judging = asyncio.create_task(self._judge())
        verdict = await answer
        if not verdict.valid:
            raise GraphRefusedError(verdict)

    async def _judge(self) -> None:
        """Answer all who wait, batch by batch, until nobody does."""
        while self._waiting:
            batch, self._waiting = self._waiting, []
            requests = [request for request, _ in batch]
            try:
                verdicts = await self.read(partial(self._validate, requests=requests))
            except Exception as error:  # theirs who asked
                for _, answer in batch:
                    _settle(answer, error)
            else:
                for (_, answer), verdict in zip(batch, verdicts, strict=True):
                    _settle(answer, verdict)

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run work in a thread, in a transaction that keeps nothing, and return what it returns.

        Raises:
            UnavailableError: the database is away, refuses, or is not one that we can work with.

        """

        def answer() -> T:
            with self._engine.connect() as connection:
                probe(connection)
                return work(connection)

        try:
            answered = await asyncio.get_running_loop().run_in_executor(self._threads, answer)
        except (TransientError, PlatformUnsupportedError, SQLAlchemyError) as error:
            metrics.DATABASE_REQUESTS.labels("unanswered").inc()
            logger.warning("the platform's database gave no answer: %s", error)
            raise UnavailableError("the platform's database cannot be asked now") from error
        metrics.DATABASE_REQUESTS.labels("answered").inc()
        return answered

    def close(self) -> None:
        """Give up what waits for a thread, and the connections; work in hand ends by itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._engine.dispose()


def _settle(answer: asyncio.Future[Verdict], outcome: Verdict | Exception) -> None:
    """Give somebody the answer, unless they have gone."""
    if answer.done():
        return
    if isinstance(outcome, Exception):
        answer.set_exception(outcome)
    else:
        answer.set_result(outcome)
