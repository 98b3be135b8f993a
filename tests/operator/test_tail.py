"""Following a real ledger: notifications and their loss, another database, an outage."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.outcomes import SlotState
from graphschedule.slots import Slot
from graphschedule_operator import platform
from graphschedule_operator.cache import Cache, Key, key_of
from graphschedule_operator.history import NO_SLOTS, Histories, Outage
from graphschedule_operator.listener import SETTLE_SECONDS, Listener
from graphschedule_operator.settings import Settings
from graphschedule_operator.tail import Tail
from graphschedule_platform import database, ledger
from graphschedule_platform.ledger import Entry, Record
from sqlalchemy import text

from tests.support.platforms import on_postgresql

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from sqlalchemy import Engine

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LONG = 60.0


class Follower:
    """A tail, what it knows, and the schedules that it has put on the queue."""

    def __init__(self, url: str, schedules: Cache) -> None:
        settings = Settings(runner_image="r", data_claim="d", database_url=url, outage_seconds=0.01)
        connected = platform.connect(settings)
        assert connected is not None
        self.platform = connected
        self.histories = Histories()
        self.queued: list[Key] = []
        self.routine: list[Key] = []
        self.tail = Tail(self.platform, schedules, self.histories, self._put, settings)

    def _put(self, key: Key, *, routine: bool = False) -> None:
        self.queued.append(key)
        if routine:
            self.routine.append(key)

    def counts(self, uid: str) -> dict[SlotState, int]:
        known = self.histories.of(uid)
        assert not isinstance(known, Outage)
        return {state: count for state, count in known.counts.items() if count}


@pytest.fixture
def uid() -> str:
    return str(uuid.uuid4())


@pytest.fixture
def schedules(make_schedule: Callable[..., dict[str, Any]], uid: str) -> Cache:
    known = Cache(key_of)
    schedule = make_schedule()
    known.put({**schedule, "metadata": {**schedule["metadata"], "uid": uid}})
    return known


@pytest.fixture
async def follower(platform_url: str, schedules: Cache) -> AsyncIterator[Follower]:
    made = Follower(platform_url, schedules)
    yield made
    made.platform.close()


def fail(engine: Engine, uid: str, minute: int) -> None:
    """Put a failed slot of the schedule on record."""
    entry = Entry(Slot.at(uid, NOON + timedelta(minutes=minute)), "team", "daily", "user-1", "graph-1")
    with engine.begin() as connection:
        ledger.record_many(connection, [Record(entry, SlotState.FAILED, "Transient")], NOON)


async def test_what_changed_is_summed_up_and_only_news_is_queued(
    follower: Follower, platform_db: Engine, uid: str
) -> None:
    fail(platform_db, uid, 0)
    await follower.tail.look()
    assert follower.counts(uid) == {SlotState.FAILED: 1}
    assert follower.queued == [Key("team", "daily")]
    await follower.tail.look()
    fail(platform_db, str(uuid.uuid4()), 0)
    await follower.tail.look()
    assert follower.queued == [Key("team", "daily")]
    fail(platform_db, uid, 1)
    await follower.tail.look()
    assert follower.counts(uid) == {SlotState.FAILED: 2}
    assert len(follower.queued) == 2


async def test_that_slots_went_well_is_routine_and_a_failure_or_its_end_is_not(
    follower: Follower, platform_db: Engine, uid: str
) -> None:
    async def told(end: Callable[[int], None], minute: int) -> bool:
        end(minute)
        del follower.queued[:], follower.routine[:]
        await follower.tail.look()
        assert follower.queued == [Key("team", "daily")]
        return bool(follower.routine)

    def succeed(minute: int) -> None:
        entry = Entry(Slot.at(uid, NOON + timedelta(minutes=minute)), "team", "daily", "user-1", "graph-1")
        with platform_db.begin() as connection:
            ledger.claim_many(connection, [entry], NOON)
            ledger.mark_enqueued_many(connection, [entry.slot.execution_id], NOON)

    failing = partial(fail, platform_db, uid)
    ends: list[Callable[[int], None]] = [succeed, succeed, failing, failing, succeed, succeed]
    assert [await told(end, minute) for minute, end in enumerate(ends)] == [True, True, False, False, False, True]


@on_postgresql
async def test_a_database_that_was_set_back_is_read_anew(follower: Follower, platform_db: Engine, uid: str) -> None:
    fail(platform_db, uid, 0)
    await follower.tail.look()
    assert follower.tail._revision is not None
    follower.tail._revision += 1_000_000
    with platform_db.begin() as connection:
        connection.execute(text("DELETE FROM graphschedule.slot"))
    await follower.tail.look()
    assert follower.histories.of(uid) is NO_SLOTS
    fail(platform_db, uid, 1)
    await follower.tail.look()
    assert follower.counts(uid) == {SlotState.FAILED: 1}


@on_postgresql
async def test_an_outage_is_told_when_it_lasts_and_all_is_read_after_it(
    follower: Follower, platform_db: Engine, uid: str
) -> None:
    await follower.tail.look()
    with platform_db.begin() as connection:
        connection.execute(text("ALTER TABLE graphschedule.slot RENAME TO elsewhere"))
    await follower.tail.look()
    assert follower.histories.of(uid) is NO_SLOTS
    await asyncio.sleep(0.02)
    await follower.tail.look()
    assert isinstance(follower.histories.of(uid), Outage)
    assert follower.queued == follower.routine == [Key("team", "daily")]
    with platform_db.begin() as connection:
        connection.execute(text("ALTER TABLE graphschedule.elsewhere RENAME TO slot"))
    fail(platform_db, uid, 0)
    await follower.tail.look()
    assert follower.counts(uid) == {SlotState.FAILED: 1}


# --- waiting --------------------------------------------------------------------------------------------------------


@on_postgresql
async def test_a_change_ends_the_wait_even_after_a_lost_connection(
    platform_url: str, platform_db: Engine, uid: str
) -> None:
    listener = Listener(database.parse(platform_url))
    await listener.wait(0.01)
    for minute in range(2):
        waiting = asyncio.create_task(listener.wait(LONG))
        await asyncio.to_thread(fail, platform_db, uid, minute)
        await asyncio.wait_for(waiting, SETTLE_SECONDS + 10)
        with platform_db.connect() as connection:
            ours = "datname = current_database() AND query LIKE 'LISTEN%'"
            connection.execute(text(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {ours}"))
        await listener.wait(0.01)
        await listener.wait(0.01)
    await listener.close()


@pytest.mark.parametrize("url", ["sqlite:////nowhere/x.db", "postgresql://u:p@127.0.0.1:1/d?pgbouncer=true"])
async def test_a_wait_lasts_its_time_where_nothing_is_notified(url: str) -> None:
    listener = Listener(database.parse(url))
    begun = asyncio.get_running_loop().time()
    await listener.wait(0.05)
    assert 0.05 <= asyncio.get_running_loop().time() - begun < 5
    await listener.close()


async def test_a_wait_lasts_its_time_while_nobody_answers() -> None:
    listener = Listener(database.parse("postgresql://u:p@127.0.0.1:1/d"))
    await asyncio.wait_for(listener.wait(0.05), 10)
    await listener.close()
