"""`execute --shard`: one slot of many schedules becomes as many queued executions (M34).

The members are read as a stream and enqueued a batch at a time, several batches at once, so memory is bounded however
many there are. Each has its own row in the ledger, its own outcome in the log, and its own heartbeat.

A member that fails for good concerns nobody else: the Job succeeds, and the ledger has its reason. What came to a
passing fault, or was not begun because the pod had to stop, fails the pod; the next one goes through all members
again, and passes over the settled ones with one look at the ledger.
"""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from graphschedule import shards
from graphschedule.errors import InvalidValueError
from graphschedule.outcomes import Outcome
from graphschedule.payload import RunPayload
from graphschedule.slots import parse_instant
from graphschedule_platform import database
from graphschedule_platform.enqueue import Enqueuer
from graphschedule_platform.fires import Fire

from graphschedule_runner import assembly, execute, sources
from graphschedule_runner.console import say

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from graphschedule_platform.fires import FireResult

    from graphschedule_runner.settings import Settings

LANES = 2
"""Batches at once: while the database works on one, the other is judged and published."""

BATCH = 1000
"""Members of a batch, at most; it is one transaction of the enqueuer's too."""

BATCH_BYTES = 2 * 1024 * 1024
"""Bytes of a batch's members, at most, with what is laid over their inputs."""

TOLD_AT_ONCE = 100
"""Members that went well to a line of the log: it stays below the 16 KiB at which container runtimes cut lines."""

_log = logging.getLogger(__name__)


@dataclass
class Tally:
    """What became of the members so far."""

    outcomes: Counter[Outcome] = field(default_factory=Counter)
    unreadable: int = 0
    """Lines that are no run payloads: no schedule is known on whose record they could be put."""
    failure: str = ""
    """The first failure, for people."""
    slot: str = ""
    calls: list[tuple[str, Outcome]] = field(default_factory=list)
    """The monitors to tell, and of what."""
    hopeless: bool = False
    """Nothing of a whole batch got through: the next pod shall try, not each batch by itself."""
    left: bool = False
    """Members were left to the next pod."""

    @property
    def outcome(self) -> Outcome:
        """What the attempt as a whole came to."""
        if self.left or self.outcomes[Outcome.TRANSIENT]:
            return Outcome.TRANSIENT
        return Outcome.BAD_ARGUMENTS if self.unreadable else Outcome.ENQUEUED

    def add(self, results: Sequence[FireResult], elapsed: float) -> None:
        """Note and log what became of a batch; `elapsed` is in seconds."""
        passed: dict[Outcome, list[FireResult]] = defaultdict(list)
        for result in results:
            self.slot = result.fire.slot.key
            self.outcomes[result.outcome] += 1
            if url := result.fire.payload.heartbeat_url:
                self.calls.append((url, result.outcome))
            if result.outcome.exit_code:
                self._fail(result, elapsed)
            else:
                passed[result.outcome].append(result)
        for outcome, group in passed.items():
            self._pass(outcome, group, elapsed)
        self.hopeless = all(result.outcome is Outcome.TRANSIENT for result in results)

    def _fail(self, result: FireResult, elapsed: float) -> None:
        facts = execute.facts_of(result, elapsed)
        message = execute.log(result, facts)
        self.failure = self.failure or f"{facts['schedule']}: {result.outcome.reason}: {message}"

    def _pass(self, outcome: Outcome, results: Sequence[FireResult], elapsed: float) -> None:
        """Log what went well, many to a line: it is what nearly all lines would say."""
        facts = {"reason": outcome.reason, "exitCode": 0, "slot": self.slot, "elapsedSeconds": round(elapsed, 3)}
        for start in range(0, len(results), TOLD_AT_ONCE):
            fires = [result.fire for result in results[start : start + TOLD_AT_ONCE]]
            ids = {f"{fire.payload.namespace}/{fire.payload.name}": fire.id for fire in fires}
            _log.info("%s: %d members", outcome.reason, len(ids), extra=facts | {"executionIds": ids})

    def refuse(self, error: InvalidValueError) -> None:
        """Note and log a line that is no run payload."""
        self.unreadable += 1
        self.failure = self.failure or str(error)
        _log.error("a member of the shard cannot be read: %s", error, extra={"reason": Outcome.BAD_ARGUMENTS.reason})


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Enqueue the slot of every member, report what became of them, and return the exit code of them all."""
    began = time.monotonic()
    gc.freeze()
    gc.enable()  # unlike a single fire, a shard lasts long enough for its garbage to fill the memory
    stopping, tally = threading.Event(), Tally()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    deliveries = [assembly.delivery(settings, assembly.publisher(settings)) for _ in range(_width(settings))]
    judge, engine = assembly.judge(settings), assembly.engine(settings)
    lanes = [Enqueuer(engine, judge, delivery, stopping=stopping.is_set) for delivery in deliveries]
    batches = _batches(_fires(options, tally), sources.size(options.inputs))
    try:
        for results in _through(lanes, _while_sensible(batches, stopping, tally), options.inputs):
            tally.add(results, time.monotonic() - began)
        _report(tally, time.monotonic() - began, options.termination_log)
    finally:
        for delivery in deliveries:
            delivery.close()
        engine.dispose()
    if tally.calls:
        from graphschedule_runner import heartbeat

        heartbeat.beat_all(tally.calls, stopping.is_set)
    return tally.outcome.exit_code


def _width(settings: Settings) -> int:
    """Return the number of lanes: one where writers take turns, and no more than there may be connections."""
    target = database.parse(settings.database_url)
    return 1 if target.schema is None else min(LANES, settings.pool_size or target.pool_size)


def _fires(options: argparse.Namespace, tally: Tally) -> Iterator[tuple[Fire, int]]:
    """Yield the fires of the members whose slot it is, each with its bytes."""
    for line in shards.lines(options.shard):
        try:
            payload = RunPayload.decode(line)
            fire = Fire(execute.slot_of(options, payload), payload)
            if not _is_older(fire):
                yield fire, len(line)
        except InvalidValueError as error:
            tally.refuse(error)


def _is_older(fire: Fire) -> bool:
    """Tell whether the slot was before there was such a schedule: it owes nothing, and is not on record."""
    time_, born = fire.slot.fire_time, fire.payload.not_before
    return time_ is not None and born is not None and time_ < parse_instant(born, "not_before")


def _batches(fires: Iterable[tuple[Fire, int]], shared: int) -> Iterator[list[Fire]]:
    """Yield the fires in batches; `shared` bytes come on top of each."""
    batch: list[Fire] = []
    size = 0
    for fire, own in fires:
        batch.append(fire)
        size += own + shared
        if len(batch) == BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _while_sensible(batches: Iterable[list[Fire]], stopping: threading.Event, tally: Tally) -> Iterator[list[Fire]]:
    """Yield batches until the pod has to stop, or nothing gets through."""
    for batch in batches:
        if stopping.is_set() or tally.hopeless:
            tally.left = True
            return
        yield batch


def _through(lanes: Sequence[Enqueuer], batches: Iterable[list[Fire]], inputs: Path) -> Iterator[list[FireResult]]:
    """Enqueue batches in whichever lane is free; yield the results of each. No more are read than are worked on."""
    free: SimpleQueue[Enqueuer] = SimpleQueue()
    for lane in lanes:
        free.put(lane)

    def enqueue(batch: list[Fire]) -> list[FireResult]:
        lane = free.get()
        try:
            return _enqueue(lane, batch, inputs)
        finally:
            free.put(lane)

    with ThreadPoolExecutor(len(lanes)) as pool:
        begun: deque[Future[list[FireResult]]] = deque()
        for batch in batches:
            begun.append(pool.submit(enqueue, batch))
            if len(begun) > len(lanes):
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


def _enqueue(lane: Enqueuer, batch: list[Fire], inputs: Path) -> list[FireResult]:
    """Enqueue a batch, with all inputs that its members have elsewhere."""
    if not any(fire.payload.inputs_from for fire in batch):
        return lane.enqueue_many(batch)
    results: list[FireResult] = []
    for part, judge in sources.complete_many(batch, lane.judge, inputs):
        results += Enqueuer(lane.engine, judge, lane.delivery, stopping=lane.stopping).enqueue_many(part)
    return results


def _report(tally: Tally, elapsed: float, termination_log: Path) -> None:
    """Say what became of all: to programs as a log record and as last words, to people as one line."""
    outcome, total = tally.outcome, tally.outcomes.total() + tally.unreadable
    counts = {one.reason: number for one, number in tally.outcomes.items()}
    facts: dict[str, Any] = {
        "reason": outcome.reason,
        "exitCode": outcome.exit_code,
        "slot": tally.slot,
        "members": total,
        "counts": counts,
        "unreadable": tally.unreadable,
        "elapsedSeconds": round(elapsed, 3),
    }
    said = ", ".join(f"{number} {reason}" for reason, number in counts.items()) or "none was due"
    _log.log(logging.ERROR if outcome.exit_code else logging.INFO, "%d members: %s", total, said, extra=facts)
    if elapsed > execute.SLOW_SECONDS:
        _log.warning("enqueueing took longer than %d s", execute.SLOW_SECONDS, extra=facts)
    execute.leave(termination_log, facts | {"message": tally.failure[: execute.MAX_TERMINATION_MESSAGE]})
    failure = f"; first failure: {tally.failure}" if tally.failure else ""
    say(f"{outcome.reason} {total} members of slot {tally.slot} in {elapsed:.2f} s: {said}{failure}")
