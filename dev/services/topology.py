"""The platform's queues, declared as its executor and its notification service declare them (C §2.9, §4.6)."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pika

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika.adapters.blocking_connection import BlockingChannel

EXCHANGE = "graph_execution"
ROUTING_KEY = "graph_execution.run"

_DAY_MS = 86_400_000


@dataclass(frozen=True)
class Queue:
    """A queue, such as one generation of the queue that the executor consumes."""

    name: str
    arguments: dict[str, Any]


QUORUM = Queue("graph_execution_queue_v2", {"x-queue-type": "quorum", "x-consumer-timeout": _DAY_MS})
"""Since platform v0.6.58."""

CLASSIC = Queue("graph_execution_queue", {"x-consumer-timeout": _DAY_MS})
"""Up to platform v0.6.57."""

SUMMARIES = Queue("summary_notifications_v2", {"x-queue-type": "quorum", "x-dead-letter-exchange": "dead_letter"})
"""What the notification service makes summaries from."""


def declare(url: str, *queues: Queue) -> None:
    """Declare the run exchange of a vhost, and the given generations of the run queue bound to it."""
    with channel(url) as opened:
        opened.exchange_declare(EXCHANGE, "direct", durable=True)
        for queue in queues:
            opened.queue_declare(queue.name, durable=True, arguments=queue.arguments)
            opened.queue_bind(queue.name, EXCHANGE, ROUTING_KEY)


def declare_summaries(url: str) -> None:
    """Declare the notification service's exchange of a vhost, and its queue of summaries bound to it."""
    with channel(url) as opened:
        opened.exchange_declare("notifications", "topic", durable=True)
        opened.queue_declare(SUMMARIES.name, durable=True, arguments=SUMMARIES.arguments)
        opened.queue_bind(SUMMARIES.name, "notifications", "notification.summary.#")


@contextlib.contextmanager
def channel(url: str) -> Iterator[BlockingChannel]:
    """Give a channel to a vhost."""
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def take_all(url: str, queue: Queue = QUORUM) -> list[tuple[pika.BasicProperties, bytes]]:
    """Take what waits in a queue: each message's properties and body, in order."""
    taken: list[tuple[pika.BasicProperties, bytes]] = []
    with channel(url) as opened:
        while True:
            method, properties, body = opened.basic_get(queue.name, auto_ack=True)
            if method is None:
                return taken
            taken.append((properties, body))
