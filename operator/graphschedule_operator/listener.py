"""Waits until the slot ledger has probably changed: as PostgreSQL notifies it, or else for a while."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

import psycopg
from graphschedule_platform import ledger

if TYPE_CHECKING:
    from graphschedule_platform.database import Target

logger = logging.getLogger(__name__)

SETTLE_SECONDS = 1.0
"""How long to wait after a notification for what follows it: a slot is claimed, published and marked within this, and
the slots of one minute come close together. So each slot costs one write of a status."""


class Listener:
    """Listens on a connection of its own; a lost one is made anew at the next wait.

    A notification is a hint and nothing hangs on it: whoever waits looks at the ledger after every wait. Where there
    are none (SQLite, or a transaction pooler between), a wait lasts its time.
    """

    def __init__(self, target: Target | None) -> None:
        notifies = target is not None and target.schema is not None and not target.pooled
        self._target = target if notifies else None
        self._connection: psycopg.AsyncConnection | None = None

    async def wait(self, seconds: float) -> None:
        """Wait for a notification, but no longer than that."""
        if self._target is None:
            await asyncio.sleep(seconds)
            return
        try:
            connection = await self._listening(self._target)
            async for _ in connection.notifies(timeout=seconds, stop_after=1):
                await asyncio.sleep(SETTLE_SECONDS)
        except (psycopg.Error, OSError) as error:
            logger.debug("not listening: %s", error)
            await self.close()
            await asyncio.sleep(seconds)

    async def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _listening(self, target: Target) -> psycopg.AsyncConnection:
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(**target.driver_arguments, autocommit=True)
            await self._connection.execute(f"LISTEN {ledger.CHANNEL}")
        return self._connection
