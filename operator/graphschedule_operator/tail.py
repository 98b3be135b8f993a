"""Follows the slot ledger and turns what it says into the schedules' histories, and into metrics.

Rows are the truth. One query tells which rows changed, for all schedules; another sums up the slots of their schedules
anew. So a lost notification, a restart or a row seen twice neither loses nor doubles anything. A start, and every
recovery, begins with the sums of all schedules.

Schedules for which the sum is news are put on the queue. That slots went well is routine, for it may be said of ten
thousand schedules in one minute; so is an outage, and its end, which all of them tell.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING

from graphschedule_platform import ledger
from graphschedule_platform.ledger import Changes

from graphschedule_operator.cache import Key
from graphschedule_operator.listener import Listener
from graphschedule_operator.platform import UnansweredError
from graphschedule_operator.slotcount import SlotCount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from graphschedule_platform.ledger import SlotRow
    from sqlalchemy import Connection

    from graphschedule_operator.cache import Cache
    from graphschedule_operator.history import Histories
    from graphschedule_operator.platform import Platform
    from graphschedule_operator.settings import Settings
    from graphschedule_operator.workqueue import Put

logger = logging.getLogger(__name__)


class Tail:
    """Keeps the histories up to date."""

    def __init__(
        self,
        platform: Platform,
        schedules: Cache,
        histories: Histories,
        put: Put[Key],
        settings: Settings,
    ) -> None:
        self._platform = platform
        self._listener = Listener(platform.target)
        self._schedules = schedules
        self._histories = histories
        self._put = put
        self._pause = settings.ledger_seconds
        self._patience = settings.outage_seconds
        self._loop = asyncio.get_running_loop()
        self._count = SlotCount()
        self._revision: int | None = None
        self._whole = True
        self._unread_since: float | None = None

    async def for_ever(self) -> None:
        """Look at the ledger again and again, at best when it has changed."""
        try:
            while True:
                await self._listener.wait(self._pause)
                await self.look()
        finally:
            await self._listener.close()

    async def look(self) -> None:
        """Take what has changed since the last look."""
        try:
            news = await self._read()
        except UnansweredError as error:
            self._unread(str(error))
            return
        except Exception:
            logger.exception("could not read the slot ledger")
            self._unread("the slot ledger could not be read: the operator's log has the details")
            return
        self._recovered()
        for key, is_routine in news.items():
            self._put(key, routine=is_routine)

    async def _read(self) -> Mapping[Key, bool]:
        """Read, and return the schedules for which there is news, and whether only of slots that went well."""
        changes = await self._platform.read(self._changes)
        whole = self._whole or self._is_elsewhere(changes)
        keys = self._all() if whole else self._of(changes.rows)
        summaries = await self._platform.read(partial(ledger.summaries, schedule_uids=keys.keys())) if keys else {}
        news = self._histories.replace(summaries) if whole else self._histories.update(summaries)
        self._count.see(row for row in changes.rows if row.schedule_uid in keys)
        self._revision, self._whole = changes.revision, False
        return {keys[uid]: is_routine for uid, is_routine in news.items() if uid in keys}

    def _changes(self, connection: Connection) -> Changes:
        horizon = ledger.horizon(connection)
        if self._revision is None or horizon < self._revision:
            return Changes((), horizon)
        return ledger.changes_since(connection, self._revision)

    def _is_elsewhere(self, changes: Changes) -> bool:
        """Tell whether the database is another one, such as a restored one: revisions never decrease."""
        return self._revision is not None and changes.revision < self._revision

    def _all(self) -> Mapping[str, Key]:
        return {schedule["metadata"]["uid"]: key for key, schedule in self._schedules.items()}

    def _of(self, rows: Iterable[SlotRow]) -> Mapping[str, Key]:
        """Return the schedules that rows belong to, by uid; rows of others, or of deleted ones, concern nobody."""
        owners = {row.schedule_uid: Key(row.namespace, row.schedule_name) for row in rows}
        known = ((uid, key, self._schedules.get(key)) for uid, key in owners.items())
        return {uid: key for uid, key, schedule in known if schedule and schedule["metadata"]["uid"] == uid}

    def _unread(self, why: str) -> None:
        """Note that the ledger could not be read; say so everywhere once it lasts."""
        self._whole = True
        now = self._loop.time()
        if self._unread_since is None:
            logger.warning("the slot ledger cannot be read, will try again: %s", why)
            self._unread_since = now
        if self._histories.outage is None and now - self._unread_since >= self._patience:
            self._histories.outage = why
            self._put_all()

    def _recovered(self) -> None:
        if self._unread_since is None:
            return
        logger.info("the slot ledger can be read again")
        self._unread_since = None
        if self._histories.outage is not None:
            self._histories.outage = None
            self._put_all()

    def _put_all(self) -> None:
        for key in self._schedules:
            self._put(key, routine=True)
