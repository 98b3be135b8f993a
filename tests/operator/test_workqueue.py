"""The workqueue's invariants, on a clock that jumps instead of waiting."""

from __future__ import annotations

import asyncio
import selectors
from typing import TYPE_CHECKING

import pytest
import uvloop
from graphschedule_operator.workqueue import ClosedError, Routine, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from typing import Any

    Simulate = Callable[[Coroutine[Any, Any, None]], None]


class JumpingSelector(selectors.DefaultSelector):
    """Instead of waiting, moves the time on by as much as would have been waited."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everything waits for ever")
        if not ready:
            self.now += timeout or 0.0
        return ready


class JumpingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    with asyncio.Runner(loop_factory=JumpingLoop) as runner:
        yield runner.run


def queue(rate: float = 1e6, routine_rate: float = 1e6) -> WorkQueue[str]:
    return WorkQueue(rate=rate, routine_rate=routine_rate, first_delay=1.0, last_delay=10.0)


def now() -> float:
    return round(asyncio.get_running_loop().time(), 3)


async def nothing_is_given_out(work: WorkQueue[str], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await work.get()
    except TimeoutError:
        return True
    return False


def test_a_key_put_several_times_is_taken_once(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue()
        for _ in range(3):
            work.put("a")
        assert len(work) == 1
        assert await work.get() == "a"
        work.done("a")
        assert await nothing_is_given_out(work, 1000)

    simulate(scenario())


def test_keys_are_taken_in_the_order_in_which_they_were_put(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue()
        for key in "abac":
            work.put(key)
        assert [await work.get() for _ in range(3)] == ["a", "b", "c"]

    simulate(scenario())


def test_a_key_that_is_held_is_not_given_to_a_second_worker(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue()
        work.put("a")
        await work.get()
        work.put("a")
        assert await nothing_is_given_out(work, 1000)
        work.done("a")
        assert await work.get() == "a"

    simulate(scenario())


def test_many_workers_never_hold_one_key_together_and_lose_no_put(simulate: Simulate) -> None:
    async def scenario() -> None:
        work, seen = queue(), dict.fromkeys("abc", 0)
        held: set[str] = set()

        async def worker() -> None:
            while True:
                key = await work.get()
                assert key not in held
                held.add(key)
                await asyncio.sleep(0.7)
                seen[key] += 1
                held.remove(key)
                work.done(key)

        workers = [asyncio.create_task(worker()) for _ in range(5)]
        for _ in range(20):
            for key in seen:
                work.put(key)
            await asyncio.sleep(0.5)
        await asyncio.sleep(10)
        assert all(count > 10 for count in seen.values())
        assert len(work) == 0
        assert not any(task.done() for task in workers)
        for task in workers:
            task.cancel()

    simulate(scenario())


def test_a_delayed_key_comes_when_it_is_due(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue()
        work.put_after("a", 5)
        assert len(work) == 0
        assert await work.get() == "a"
        assert now() == 5

    simulate(scenario())


@pytest.mark.parametrize("delays", [(9, 4), (4, 9)])
def test_of_two_delayed_puts_the_sooner_stands(simulate: Simulate, delays: tuple[float, float]) -> None:
    async def scenario() -> None:
        work = queue()
        for delay in delays:
            work.put_after("a", delay)
        assert await work.get() == "a"
        assert now() == 4
        work.done("a")
        assert await nothing_is_given_out(work, 1000)

    simulate(scenario())


def test_a_key_that_is_due_at_once_may_be_put_again_on_the_operators_own_loop() -> None:
    async def scenario() -> None:
        work = queue()
        for delay in (0.0, 0.0, 5.0):
            work.put_after("a", delay)
        assert await work.get() == "a"

    uvloop.run(scenario())


def test_back_off_doubles_per_key_up_to_a_limit_until_forgotten(simulate: Simulate) -> None:
    async def scenario() -> None:
        work, waited = queue(), []
        for _ in range(6):
            begun = now()
            work.put_backoff("a")
            work.done(await work.get())
            waited.append(now() - begun)
        assert waited == [1, 2, 4, 8, 10, 10]
        begun = now()
        work.put_backoff("b")
        await work.get()
        assert now() - begun == 1
        work.forget("a")
        begun = now()
        work.put_backoff("a")
        await work.get()
        assert now() - begun == 1

    simulate(scenario())


def test_no_more_than_the_rate_is_given_out(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue(rate=10)
        for number in range(50):
            work.put(str(number))
        await asyncio.gather(*(work.get() for _ in range(50)))
        assert now() == pytest.approx(4.9)

    simulate(scenario())


def test_a_worker_that_is_cancelled_while_it_waits_for_its_turn_loses_no_key(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue(rate=0.1)
        work.put("a")
        work.put("b")
        assert await work.get() == "a"
        impatient = asyncio.create_task(work.get())
        await asyncio.sleep(1)
        impatient.cancel()
        assert await work.get() == "b"

    simulate(scenario())


def test_closing_tells_every_worker_and_gives_out_nothing_more(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue()
        waiting = [asyncio.create_task(work.get()) for _ in range(3)]
        await asyncio.sleep(1)
        work.close()
        work.put("a")
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(result) for result in results] == [ClosedError] * 3

    simulate(scenario())


def test_it_is_stalled_only_while_there_is_work_and_none_gets_done(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue()
        await asyncio.sleep(100)
        assert work.stalled_for() == 0
        work.put("a")
        work.put("b")
        await asyncio.sleep(7)
        assert work.stalled_for() == 7
        work.done(await work.get())
        await asyncio.sleep(3)
        assert work.stalled_for() == 3
        work.done(await work.get())
        await asyncio.sleep(100)
        assert work.stalled_for() == 0

    simulate(scenario())


def test_routine_keys_are_given_out_at_their_own_rate_and_in_their_order(simulate: Simulate) -> None:
    async def scenario() -> None:
        work, taken = queue(routine_rate=10), []
        for number in range(100):
            work.put(str(number), routine=True)
        for _ in range(100):
            key = await work.get()
            taken.append((key, now()))
            work.done(key)
        assert [key for key, _ in taken] == [str(number) for number in range(100)]
        assert [when for _, when in taken] == pytest.approx([number / 10 for number in range(100)])
        assert len(work) == 0

    simulate(scenario())


def test_an_urgent_key_overtakes_all_routine_ones_but_the_next(simulate: Simulate) -> None:
    async def scenario() -> None:
        work, taken = queue(routine_rate=1000), []

        async def worker() -> None:
            while True:
                key = await work.get()
                taken.append((key, now()))
                await asyncio.sleep(1)
                work.done(key)

        for number in range(10_000):
            work.put(str(number), routine=True)
        workers = [asyncio.create_task(worker()) for _ in range(4)]
        await asyncio.sleep(10.5)
        work.put("urgent")
        await asyncio.sleep(2)
        assert [when for key, when in taken if key == "urgent"] == [pytest.approx(11, abs=0.1)]
        for task in workers:
            task.cancel()

    simulate(scenario())


def test_a_routine_key_that_becomes_urgent_moves_up_and_is_taken_once(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue(routine_rate=0.01)
        for key in "abc":
            work.put(key, routine=True)
        assert await work.get() == "a"
        work.put("c")
        assert len(work) == 2
        assert await work.get() == "c"
        assert now() == 0
        assert await work.get() == "b"
        assert now() == pytest.approx(100)
        assert await nothing_is_given_out(work, 1000)

    simulate(scenario())


def test_a_key_that_waits_does_not_become_routine(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue(routine_rate=0.01)
        work.put("x", routine=True)
        assert await work.get() == "x"
        work.put("a")
        work.put("a", routine=True)
        work.put("x")
        work.put("x", routine=True)
        assert await work.get() == "a"
        work.done("x")
        assert await work.get() == "x"
        assert now() == 0
        assert await nothing_is_given_out(work, 1000)

    simulate(scenario())


def test_a_key_that_is_held_waits_for_its_holder_whether_it_is_routine_or_not(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue()
        work.put("a", routine=True)
        await work.get()
        work.put("a", routine=True)
        assert await nothing_is_given_out(work, 1000)
        work.done("a")
        assert await work.get() == "a"
        assert await nothing_is_given_out(work, 1000)

    simulate(scenario())


@pytest.mark.parametrize(
    ("delays", "is_routine"),
    [((Routine(4), Routine(9)), True), ((9.0, Routine(4)), False), ((Routine(4), 9.0), False)],
)
def test_a_delayed_key_is_routine_only_if_it_was_put_as_that_alone(
    simulate: Simulate, delays: tuple[float, float], is_routine: bool
) -> None:
    async def scenario() -> None:
        work = queue(routine_rate=0.1)
        work.put_after("first", Routine(3.5))
        for delay in delays:
            work.put_after("a", delay)
        assert await work.get() == "first"
        assert await work.get() == "a"
        assert now() == (13.5 if is_routine else 4)

    simulate(scenario())


def test_routine_keys_make_no_one_believe_that_the_queue_is_stalled(simulate: Simulate) -> None:
    async def scenario() -> None:
        work = queue(routine_rate=1)
        for number in range(50):
            work.put(str(number), routine=True)
        for _ in range(50):
            work.done(await work.get())
            assert work.stalled_for() <= 1
        await asyncio.sleep(100)
        assert work.stalled_for() == 0

    simulate(scenario())
