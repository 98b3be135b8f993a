"""How verdicts are kept: who waits, what is asked again, and what an outage changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_operator.cache import Cache, Key, key_of
from graphschedule_operator.judge import BATCH, Judge
from graphschedule_operator.platform import Platform
from graphschedule_operator.settings import Settings
from graphschedule_platform import catalogue, database
from graphschedule_platform.errors import DatabaseUnavailableError
from graphschedule_platform.validate import validate_many

from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from graphschedule_platform.verdict import ExecutionRequest, Verdict
    from sqlalchemy import Connection, Engine

pytestmark = pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)

MakeSchedule = Callable[..., dict[str, Any]]
KEY = Key("team", "daily")


@dataclass
class Bench:
    """A judge at work on a real database, what it was asked, and whom it put on the queue."""

    judge: Judge
    schedules: Cache
    batches: list[int]
    queued: asyncio.Queue[Key]
    faults: list[Exception] = field(default_factory=list)
    """Raised by the next judgements, one each."""
    meanwhile: Callable[[], object] | None = None
    """Called by the next judgement, in the loop."""

    def look(self, schedule: dict[str, Any]) -> str | None:
        """Return the reason that a reconcile would tell now, None if it has to wait."""
        self.schedules.put(schedule)
        known = self.judge.verdict(key_of(schedule), schedule)
        return known.verdict.reason if known else None

    async def verdict(self, schedule: dict[str, Any]) -> str | None:
        """Return what a reconcile tells once the schedule was put on the queue."""
        assert await asyncio.wait_for(self.queued.get(), 10) == key_of(schedule)
        return self.look(schedule)


@asynccontextmanager
async def bench(url: str, **settings: float) -> AsyncIterator[Bench]:
    """Run a judge during the block."""
    loop, schedules, queued = asyncio.get_running_loop(), Cache(key_of), asyncio.Queue[Key]()
    made = Settings(runner_image="r", data_claim="d", **settings)  # type: ignore[arg-type] # only times are given

    def validate(connection: Connection, requests: Sequence[ExecutionRequest]) -> Sequence[Verdict]:
        running.batches.append(len(requests))
        if running.meanwhile is not None:
            loop.call_soon_threadsafe(running.meanwhile)
            running.meanwhile = None
        if running.faults:
            raise running.faults.pop(0)
        return validate_many(connection, requests, catalogue=catalogue.shipped())

    platform = Platform(database.engine(url))
    judge = Judge(platform, validate, schedules, queued.put_nowait, made)
    running = Bench(judge, schedules, [], queued)
    task = asyncio.create_task(judge.for_ever())
    try:
        yield running
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        platform.close()


@pytest.fixture
def make(platform_db: Engine, make_schedule: MakeSchedule) -> MakeSchedule:
    """Give a function that makes schedules of a valid graph; each call is a newer version."""
    with platform_db.begin() as connection:
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
    versions = iter(range(100, 10_000))

    def newer(**members: object) -> dict[str, Any]:
        schedule = make_schedule(**{"graph": {"id": graph.id}, "userId": graph.user_id, **members})
        schedule["metadata"]["resourceVersion"] = str(next(versions))
        return schedule

    return newer


def told(schedule: dict[str, Any], **condition: str) -> dict[str, Any]:
    """Return the schedule with what its status says of its graph."""
    said = {"type": "GraphValid", "observedGeneration": schedule["metadata"]["generation"], **condition}
    return {**schedule, "status": {"conditions": [said]}}


async def test_who_asks_first_waits_and_who_asks_again_does_not(platform_url: str, make: MakeSchedule) -> None:
    async with bench(platform_url) as running:
        assert running.look(make()) is None
        assert await running.verdict(make()) == "GraphValid"
        assert running.look(make(cron="1 1 1 1 *")) == "GraphValid"
        assert running.look(make(graph={"id": "no-such"})) is None
        assert await running.verdict(make(graph={"id": "no-such"})) == "GraphNotFound"
        assert running.batches == [1, 1]


async def test_what_the_status_says_counts_and_the_same_verdict_is_no_news(
    platform_url: str, make: MakeSchedule
) -> None:
    async with bench(platform_url) as running:
        running.look(make(name="other"))
        await running.verdict(make(name="other"))
        known = running.judge.verdict(Key("team", "other"), make(name="other"))
        assert known is not None
        said = {"status": "True", "reason": "GraphValid", "message": known.verdict.message}
        assert running.look(told(make(), **said)) == "GraphValid"
        assert running.look(told(make(name="wrong"), **{**said, "reason": "GraphError"})) == "GraphError"
        assert await running.verdict(make(name="wrong")) == "GraphValid"
        assert running.queued.empty()


async def test_many_are_judged_in_bulk(platform_url: str, make: MakeSchedule) -> None:
    many = 3 * BATCH + 1
    async with bench(platform_url) as running:
        for index in range(many):
            assert running.look(make(name=f"s-{index}")) is None
        for _ in range(many):
            await asyncio.wait_for(running.queued.get(), 30)
        assert running.batches == [BATCH, BATCH, BATCH, 1]


async def test_a_verdict_is_renewed_when_it_is_old_and_one_that_is_not_valid_sooner(
    platform_url: str, platform_db: Engine, make: MakeSchedule
) -> None:
    async with bench(platform_url, validate_seconds=0.2, recheck_seconds=0.1) as running:
        running.look(make())
        assert await running.verdict(make()) == "GraphValid"
        with platform_db.begin() as connection:
            connection.exec_driver_sql('UPDATE "LibraryAgent" SET "isDeleted" = true')
        assert await running.verdict(make()) == "GraphNotInLibrary"
    async with bench(platform_url, recheck_seconds=0.1) as running:
        running.look(make())
        assert await running.verdict(make()) == "GraphNotInLibrary"
        with platform_db.begin() as connection:
            connection.exec_driver_sql('UPDATE "LibraryAgent" SET "isDeleted" = false')
        assert await running.verdict(make()) == "GraphValid"


async def test_a_short_outage_touches_only_those_who_wait(
    platform_url: str, make: MakeSchedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphschedule_operator.judge.RETRY_SECONDS", 0.1)
    async with bench(platform_url) as running:
        running.look(make())
        assert await running.verdict(make()) == "GraphValid"
        running.faults += [DatabaseUnavailableError("away")] * 2
        running.judge.again([KEY])
        running.look(make(name="new"))
        assert await running.verdict(make(name="new")) == "NotValidated"
        assert running.look(make()) == "GraphValid"
        assert await running.verdict(make(name="new")) == "GraphValid"
        assert running.queued.empty()


async def test_a_long_outage_makes_old_verdicts_unknown(
    platform_url: str, make: MakeSchedule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphschedule_operator.judge.RETRY_SECONDS", 0.1)
    async with bench(platform_url, validate_seconds=0.2, recheck_seconds=0.1) as running:
        running.look(make())
        await running.verdict(make())
        running.faults += [DatabaseUnavailableError("away")] * 20
        assert await running.verdict(make()) == "NotValidated"
        running.faults.clear()
        assert await running.verdict(make()) == "GraphValid"


async def test_a_fault_of_ours_is_logged_and_tried_again(
    platform_url: str, make: MakeSchedule, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("graphschedule_operator.judge.RETRY_SECONDS", 0.1)
    async with bench(platform_url) as running:
        running.faults.append(RuntimeError("surprise"))
        running.look(make())
        assert await running.verdict(make()) == "NotValidated"
        assert "surprise" in caplog.text
        assert await running.verdict(make()) == "GraphValid"


async def test_an_edit_while_it_is_judged_is_judged_too(platform_url: str, make: MakeSchedule) -> None:
    async with bench(platform_url) as running:
        running.look(make())
        edited = make(graph={"id": "no-such"})
        running.meanwhile = partial(running.look, edited)
        reason = None
        while reason != "GraphNotFound":
            reason = await running.verdict(edited)


async def test_what_is_gone_is_forgotten(platform_url: str, make: MakeSchedule) -> None:
    async with bench(platform_url) as running:
        running.look(make())
        await running.verdict(make())
        asked_for = (make()["spec"]["userId"], make()["spec"]["graph"]["id"])
        assert running.judge.asking_for(asked_for) == [KEY]
        running.schedules.remove(make())
        running.judge.again([KEY])
        running.look(make(name="other"))
        await running.verdict(make(name="other"))
        assert running.judge.asking_for(asked_for) == [Key("team", "other")]
