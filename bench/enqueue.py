"""Enqueueing in a running process: latency of one fire, and fires per second in bulk.

`python -m bench.enqueue [--single N] [--bulk N] [--graphs N]`, on real PostgreSQL and RabbitMQ. The baseline of both
is the same work without validation, ledger and context: the rows and the message by psycopg and pika, one at a time
with a confirm each, connected beforehand.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import uuid
from functools import partial
from typing import TYPE_CHECKING

import pika
import psycopg
from graphschedule.outcomes import Outcome
from graphschedule_platform import catalogue
from graphschedule_platform.delivery import Delivery
from graphschedule_platform.enqueue import Enqueuer
from graphschedule_platform.publisher import RUNS, BrokerAddress, Publisher
from graphschedule_platform.tables import agent_node
from graphschedule_platform.validate import validate_many
from psycopg.types.json import Jsonb
from sqlalchemy import select

from bench.servers import Platform, fires, platform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from graphschedule.payload import RunPayload
    from graphschedule_platform.fires import Fire


def main() -> int:
    """Measure and print; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--single", type=int, default=300, help="fires enqueued one by one")
    parser.add_argument("--bulk", type=int, default=10_000, help="fires enqueued together")
    parser.add_argument(
        "--graphs", type=int, default=100, help="graphs they are spread over, each of a user of its own"
    )
    options = parser.parse_args()
    with platform("enqueue") as made:
        payloads = [made.payload() for _ in range(options.graphs)]
        bare = Bare(made, payloads[0])
        with Publisher(BrokerAddress.from_url(made.broker_url)) as publisher:
            judge = partial(validate_many, catalogue=catalogue.shipped())
            enqueuer = Enqueuer(made.engine, judge, Delivery(publisher))
            _enqueue(enqueuer, fires(payloads[0], 10))
            single = fires(payloads[0], options.single, first=10)
            ours = _latencies(lambda number: _enqueue(enqueuer, [single[number]]), options.single)
            theirs = _latencies(lambda _: bare.enqueue(), options.single)
            many = _spread(payloads, options.bulk)
            seconds = _clocked(lambda: _enqueue(enqueuer, many))
        bare.close()
    _print_single(ours, theirs)
    rate, base = options.bulk / seconds, options.single / sum(theirs)
    print(
        f"bulk enqueue: {options.bulk} fires over {options.graphs} graphs in {seconds:.1f} s: {rate:.0f}/s; "
        f"bare, one at a time {base:.0f}/s: ratio {rate / base:.1f}"
    )
    return 0


class Bare:
    """The baseline: what queueing takes when nothing is checked and nothing remembered."""

    def __init__(self, made: Platform, payload: RunPayload) -> None:
        self._database = psycopg.connect(made.database_url.partition("?")[0], options="-c search_path=platform")
        self._broker = pika.BlockingConnection(pika.URLParameters(made.broker_url))
        self._channel = self._broker.channel()
        self._channel.confirm_delivery()
        self._payload = payload
        with made.engine.connect() as connection:
            query = select(agent_node.c.id).where(agent_node.c.agent_graph_id == payload.graph_id)
            self._node = connection.scalars(query).first()

    def enqueue(self) -> None:
        """Write an execution with one node and two inputs, commit, publish and wait for the confirm."""
        execution, node_execution = str(uuid.uuid4()), str(uuid.uuid4())
        with self._database.cursor() as cursor:
            cursor.execute(
                'INSERT INTO "AgentGraphExecution"'
                ' (id, "agentGraphId", "userId", "executionStatus", inputs, "updatedAt")'
                " VALUES (%s, %s, %s, 'QUEUED', %s, now())",
                (execution, self._payload.graph_id, self._payload.user_id, Jsonb(self._payload.inputs)),
            )
            cursor.execute(
                'INSERT INTO "AgentNodeExecution"'
                ' (id, "agentGraphExecutionId", "agentNodeId", "executionStatus", "queuedTime")'
                " VALUES (%s, %s, %s, 'QUEUED', now())",
                (node_execution, execution, self._node),
            )
            cursor.executemany(
                'INSERT INTO "AgentNodeExecutionInputOutput" (id, name, data, "referencedByInputExecId")'
                " VALUES (%s, %s, %s, %s)",
                [(str(uuid.uuid4()), name, Jsonb("hello"), node_execution) for name in ("name", "value")],
            )
        self._database.commit()
        body = b'{"graph_exec_id": "%s"}' % execution.encode()
        properties = pika.BasicProperties(delivery_mode=2)
        self._channel.basic_publish(RUNS.exchange, RUNS.key, body, properties, mandatory=True)

    def close(self) -> None:
        """Close both connections."""
        self._database.close()
        self._broker.close()


def _spread(payloads: Sequence[RunPayload], count: int) -> list[Fire]:
    """Return fires of as many schedules, all of the same minute."""
    schedules = (payloads[number % len(payloads)]._replace(schedule_uid=str(uuid.uuid4())) for number in range(count))
    return [fire for payload in schedules for fire in fires(payload, 1)]


def _enqueue(enqueuer: Enqueuer, batch: Sequence[Fire]) -> None:
    results = enqueuer.enqueue_many(batch)
    if any(result.outcome is not Outcome.ENQUEUED for result in results):
        raise RuntimeError(next(result for result in results if result.outcome is not Outcome.ENQUEUED))


def _latencies(action: Callable[[int], None], count: int) -> list[float]:
    return [_clocked(partial(action, number)) for number in range(count)]


def _clocked(action: Callable[[], None]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def _print_single(ours: Sequence[float], theirs: Sequence[float]) -> None:
    def of(times: Sequence[float], percent: int) -> float:
        return statistics.quantiles(times, n=100)[percent - 1] * 1e3

    print(
        f"single enqueue, {len(ours)} fires: p50 {of(ours, 50):.1f} ms, p99 {of(ours, 99):.1f} ms; "
        f"bare psycopg + pika p50 {of(theirs, 50):.1f} ms, p99 {of(theirs, 99):.1f} ms: "
        f"ratio {of(ours, 50) / of(theirs, 50):.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
