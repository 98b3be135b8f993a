"""Kills runners with SIGKILL at every statement and every broker call, and counts what is lost and what is doubled.

A script: `python -m tests.faults.kill --count 500 --payload FILE`, or with `--shard FILE` for slots of many schedules
at once; DATABASE_URL and, on PostgreSQL, RABBITMQ_URL are in the environment. Every slot is attempted by several
processes, two at a time, each with connections of its own: the first dies at a step that the script chooses in turn,
the others at a random one or not at all, until one comes through. Meanwhile `repair` runs now and then, and an executor
takes messages as the platform's does (C §2.9). The processes are forks of this one, so that a thousand kills do not
cost a thousand interpreter starts.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import random
import signal
import sys
import tempfile
import traceback
from collections import Counter
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, ParamSpec, TypeVar

import amqp
from graphschedule import shards, slots
from graphschedule.outcomes import SlotState
from graphschedule.payload import RunPayload
from graphschedule_platform import database, ledger, tables
from graphschedule_platform.delivery import Delivery
from graphschedule_platform.enqueue import Enqueuer, utc_now
from graphschedule_platform.publisher import BrokerAddress, Publisher
from graphschedule_platform.repair import repair
from graphschedule_runner import arguments, shard
from graphschedule_runner.settings import Settings
from sqlalchemy import Engine, event, func, select, update

from dev.services import topology
from tests.support.platforms import JUDGE, NOON, fire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    Attempt = Callable[[int, int | None, Callable[[int], object]], int]

P = ParamSpec("P")
R = TypeVar("R")

SLOTS_AT_ONCE = 3
ATTEMPTS_AT_ONCE = 2
"""Processes that have the same slot."""

KILLED = 0.7
"""Share of the other attempts that are killed too."""

MEMBERS_AT_ONCE = 5
"""Members of a shard to a batch, so that a small one has several."""

MAX_WAVES = 5
"""Waves of attempts at one slot that may all be killed; the one after is let through."""

REPAIR_EVERY = 25
"""Slots between two repairs."""


@dataclass
class Report:
    """What was done to the slots, and what came of it."""

    slots: int = 0
    members: int = 1
    """Executions of each slot: a shard's members."""
    steps: int = 0
    """Statements, commits and broker calls of one undisturbed enqueue, with a step before and one after each."""
    attempts: int = 0
    kills: int = 0
    repairs: int = 0
    exit_codes: Counter[int] = field(default_factory=Counter)
    sent_again: int = 0
    """Messages after the first of an execution: a kill had left it unknown whether the first one arrived."""
    without_row: int = 0
    """Messages that the executor took before their execution was there."""
    lost: int = 0
    doubled: int = 0


class Steps:
    """Counts the steps of this process, and kills it at one of them."""

    def __init__(self, fatal: int | None) -> None:
        self.taken = 0
        self._fatal = fatal

    def step(self, *_: object) -> None:
        """Take a step, perhaps the last."""
        self.taken += 1
        if self.taken == self._fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self, engine: Engine | type[Engine]) -> None:
        """Take a step before and after every statement, commit and broker call, of one engine or of all to come."""
        for name in ("connect", "before_cursor_execute", "after_cursor_execute", "commit", "rollback", "checkin"):
            event.listen(engine, name, self.step)
        for owner, names in (
            (amqp.Connection, ("connect", "channel", "blocking_read", "close")),
            (amqp.Channel, ("confirm_select", "basic_publish", "close")),
        ):
            for name in names:
                setattr(owner, name, self._around(getattr(owner, name)))

    def _around(self, function: Callable[P, R]) -> Callable[P, R]:
        def stepped(*arguments: P.args, **named: P.kwargs) -> R:
            self.step()
            result = function(*arguments, **named)
            self.step()
            return result

        return stepped


class Killer:
    """Runs attempts in forks of this process; each is given the slot's number, and the step at which to die."""

    def __init__(self, attempt: Attempt, members: int, seed: int) -> None:
        self.report = Report(members=members)
        self._attempt = attempt
        self._random = random.Random(seed)
        self._next_step = 0
        self._running: dict[int, int | None] = {}
        """The slot that each process attempts; None for one that repairs."""
        self._waves: Counter[int] = Counter()
        self._done: set[int] = set()

    def enqueue_one(self) -> None:
        """Enqueue one slot undisturbed, to learn how many steps it takes."""
        reader, writer = os.pipe()
        pid = _fork(lambda: self._attempt(-1, None, lambda steps: os.write(writer, b"%d" % steps)))
        os.close(writer)
        with os.fdopen(reader) as told:
            self.report.steps = int(told.read())
        os.waitpid(pid, 0)

    def enqueue_many(self, count: int) -> None:
        """Get that many slots enqueued, killing all the way."""
        minutes = iter(range(count))
        for minute in islice(minutes, SLOTS_AT_ONCE):
            self._wave(minute)
        while self._running:
            pid, status = os.wait()
            for minute in self._after(pid, os.waitstatus_to_exitcode(status), minutes):
                self._wave(minute)
        self.report.slots = count + 1
        self.report.kills = self.report.exit_codes[-signal.SIGKILL]
        self.report.attempts = sum(self.report.exit_codes.values())

    def _after(self, pid: int, code: int, minutes: Iterator[int]) -> Iterator[int]:
        """Return the slot to attempt after a process has ended: the same one, the next one, or none yet."""
        minute = self._running.pop(pid)
        if minute is None:
            self.report.repairs += 1
            return iter(())
        self.report.exit_codes[code] += 1
        if code == 0:
            self._done.add(minute)
        if minute in self._running.values():
            return iter(())
        return islice(minutes, 1) if minute in self._done else iter((minute,))

    def _wave(self, minute: int) -> None:
        """Start attempts at a slot: the first one alone at every other slot, so that it surely dies at its step."""
        wave = self._waves[minute]
        self._waves[minute] += 1
        for number in range(1 if wave == 0 and minute % 2 == 0 else ATTEMPTS_AT_ONCE):
            attempt = partial(self._attempt, minute, self._fatal(wave, number), lambda _: None)
            self._running[_fork(attempt)] = minute
        if minute % REPAIR_EVERY == 0:
            self._running[_fork(_repair)] = None

    def _fatal(self, wave: int, number: int) -> int | None:
        if wave == MAX_WAVES:
            return None
        if wave == number == 0:
            self._next_step = self._next_step % self.report.steps + 1
            return self._next_step
        return self._random.randint(1, self.report.steps) if self._random.random() < KILLED else None


def _fork(action: Callable[[], int]) -> int:
    """Run an action in a process of its own that ends with its exit code; return the process id."""
    pid = os.fork()
    if pid:
        return pid
    try:
        code = action()
    except BaseException:
        traceback.print_exc()
        code = 1
    os._exit(code)


def _delivery() -> Delivery:
    url = os.environ.get("RABBITMQ_URL")
    return Delivery(Publisher(BrokerAddress.from_url(url)) if url else None)


def _attempt(payload: RunPayload, minute: int, fatal: int | None, tell: Callable[[int], object]) -> int:
    engine, steps = database.engine(os.environ["DATABASE_URL"]), Steps(fatal)
    steps.watch(engine)
    delivery = _delivery()
    (result,) = Enqueuer(engine, JUDGE, delivery).enqueue_many([fire(payload, minute)])
    delivery.close()
    tell(steps.taken)
    return result.outcome.exit_code


def _attempt_shard(file: Path, minute: int, fatal: int | None, tell: Callable[[int], object]) -> int:
    """Do what a shard's pod does."""
    steps = Steps(fatal)
    steps.watch(Engine)
    shard.BATCH = MEMBERS_AT_ONCE
    time = slots.format_instant(NOON + timedelta(minutes=minute))
    options = arguments.parse(["execute", "--shard", str(file), "--slot", time], {})
    with redirect_stdout(io.StringIO()):
        code = shard.run(options, Settings.from_environment(os.environ))
    tell(steps.taken)
    return code


def _repair() -> int:
    delivery = _delivery()
    repaired = repair(database.engine(os.environ["DATABASE_URL"]), delivery, timedelta(0), utc_now)
    delivery.close()
    return 1 if repaired.faults else 0


def _execute_all(ends: Path) -> int:
    """Take messages as the executor does, until told to stop and none is left; write what was seen."""
    engine, stopping = database.engine(os.environ["DATABASE_URL"]), False

    def stop(*_: object) -> None:
        nonlocal stopping
        stopping = True

    signal.signal(signal.SIGTERM, stop)
    messages: Counter[str] = Counter()
    started: Counter[str] = Counter()
    without_row = 0
    with topology.channel(os.environ["RABBITMQ_URL"]) as channel:
        for method, _, body in channel.consume(topology.QUORUM.name, inactivity_timeout=0.2):
            if method is None:
                if stopping:
                    break
                continue
            execution_id = json.loads(body)["graph_exec_id"]
            messages[execution_id] += 1
            with engine.begin() as connection:
                runs = _start(connection, execution_id)
            started[execution_id] += runs or 0
            without_row += runs is None
            channel.basic_ack(method.delivery_tag)
    ends.write_text(json.dumps({"messages": messages, "started": started, "without_row": without_row}))
    return 0


def _start(connection: Connection, execution_id: str) -> int | None:
    """Run an execution that waits; return how many runs that makes, None if there is no such execution."""
    execution = tables.agent_graph_execution
    this = execution.c.id == execution_id
    waits = execution.c.execution_status.in_(["INCOMPLETE", "QUEUED"])
    taken = connection.execute(update(execution).where(this, waits).values(execution_status="RUNNING")).rowcount
    if taken:
        connection.execute(update(execution).where(this).values(execution_status="COMPLETED"))
        return 1
    return 0 if connection.scalar(select(execution.c.id).where(this)) else None


def _rows(connection: Connection) -> list[int]:
    """Return how many rows there are of everything that an enqueue writes, and how many runs are counted."""
    tables_written = (
        tables.agent_graph_execution,
        tables.agent_node_execution,
        tables.agent_node_execution_input_output,
        select(ledger.slot_table).where(ledger.slot_table.c.state == SlotState.ENQUEUED).subquery(),
    )
    counts = [select(func.count()).select_from(table) for table in tables_written]
    runs = select(func.sum(tables.user_onboarding.c.agent_runs))
    return [connection.scalar(query) or 0 for query in (*counts, runs)]


def _judge_rows(of_one: list[int], of_all: list[int], report: Report) -> None:
    """Count what the database has too little and too much of."""
    for one, all_ in zip(of_one, of_all, strict=True):
        report.lost += max(0, one * report.slots - all_)
        report.doubled += max(0, all_ - one * report.slots)


def _judge_messages(ends: Path, report: Report) -> None:
    """Count what the executor has run too seldom and too often."""
    seen = json.loads(ends.read_text())
    report.sent_again = sum(seen["messages"].values()) - len(seen["messages"])
    report.without_row = seen["without_row"]
    report.lost += report.slots * report.members - sum(1 for runs in seen["started"].values() if runs)
    report.doubled += sum(runs - 1 for runs in seen["started"].values() if runs > 1)


def _look(read: Callable[[Connection], R]) -> R:
    """Read something and leave no connection open, for the next fork would share it."""
    engine = database.engine(os.environ["DATABASE_URL"])
    try:
        with engine.begin() as connection:
            return read(connection)
    finally:
        engine.dispose()


def main() -> NoReturn:
    """Kill, judge, print the counts as JSON, and exit with 1 if anything is lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="slots")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--payload", type=Path)
    what.add_argument("--shard", type=Path)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ends = Path(folder) / "executor.json"
        executor = _fork(lambda: _execute_all(ends)) if "RABBITMQ_URL" in os.environ else None
        if options.shard:
            killer = Killer(
                partial(_attempt_shard, options.shard), len(list(shards.lines(options.shard))), options.seed
            )
        else:
            killer = Killer(partial(_attempt, RunPayload.decode(options.payload.read_text())), 1, options.seed)
        killer.enqueue_one()
        of_one = _look(_rows)
        killer.enqueue_many(options.count)
        report = killer.report
        if executor:
            os.kill(executor, signal.SIGTERM)
            os.waitpid(executor, 0)
            _judge_messages(ends, report)
        _judge_rows(of_one, _look(_rows), report)
    sys.stdout.write(json.dumps({"seed": options.seed} | vars(report)) + "\n")
    sys.exit(1 if report.lost or report.doubled or report.without_row else 0)


if __name__ == "__main__":
    main()
