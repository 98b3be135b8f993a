"""The way into the platform's queues: persistent, mandatory messages with pipelined publisher confirms (C §2.9).

Nothing is declared, so both generations of the platform's run queue work. A message counts as queued only when the
broker has confirmed it and has not returned it; upstream ignores returns and loses such runs.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote, urlsplit

import amqp
from amqp.exceptions import AccessRefused, AMQPError, NotAllowed, NotFound
from amqp.method_framing import frame_writer
from graphschedule.errors import InvalidValueError

from graphschedule_platform.errors import BrokerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

PERSISTENT = 2
"""AMQP's delivery mode of a message that survives a broker restart."""

HELD_BYTES = 64 * 1024
"""Messages are written in pieces of about this size."""

_DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}


class Route(NamedTuple):
    """Where messages of one kind go in."""

    exchange: str
    key: str
    owner: str
    """The service of the platform that declares the exchange and its queues."""


RUNS = Route("graph_execution", "graph_execution.run", "executor")
"""The route of runs (C §2.9)."""


class BrokerAddress(NamedTuple):
    """Where the broker is and who we are there. The password never shows in a text."""

    host: str
    port: int
    vhost: str
    user: str
    password: str
    tls: bool = False

    def __repr__(self) -> str:
        return f"RabbitMQ at {self.host}:{self.port}, vhost {self.vhost!r}"

    @classmethod
    def from_url(cls, url: str) -> BrokerAddress:
        """Return the address in an `amqp://user:password@host:port/vhost` URL; an empty vhost means `/`.

        Raises:
            InvalidValueError: it is no such URL.

        """
        parts = urlsplit(url)
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise InvalidValueError("RABBITMQ_URL", parts.scheme, "write amqp://USER:PASSWORD@HOST:PORT/VHOST")
        try:
            port = parts.port or _DEFAULT_PORTS[parts.scheme]
        except ValueError as error:
            raise InvalidValueError("RABBITMQ_URL", "port", str(error)) from error
        return cls(
            host=parts.hostname,
            port=port,
            vhost=unquote(parts.path[1:]) or "/",
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=parts.scheme == "amqps",
        )

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> BrokerAddress:
        """Return the address in RABBITMQ_URL, else in the platform's own variables (C §3).

        Raises:
            InvalidValueError: a value cannot be used.

        """
        if url := environment.get("RABBITMQ_URL"):
            return cls.from_url(url)
        host = environment.get("RABBITMQ_CLUSTER_HOST") or environment.get("RABBITMQ_HOST")
        if not host:
            raise InvalidValueError("RABBITMQ_URL", None, "set it to amqp://USER:PASSWORD@HOST:PORT/VHOST")
        port = environment.get("RABBITMQ_CLUSTER_PORT") or environment.get("RABBITMQ_PORT") or "5672"
        if not port.isdecimal():
            raise InvalidValueError("RABBITMQ_PORT", port, "write a port number, such as 5672")
        return cls(
            host=host,
            port=int(port),
            vhost=environment.get("RABBITMQ_VHOST") or "/",
            user=environment.get("RABBITMQ_DEFAULT_USER", ""),
            password=environment.get("RABBITMQ_DEFAULT_PASS", ""),
        )


class Publisher:
    """One connection to the broker for messages of one route, as a context manager: it connects when entered.

    After a fault the connection is dropped, and the next batch opens another.
    """

    def __init__(self, address: BrokerAddress, route: Route = RUNS, *, timeout: float = 15.0) -> None:
        """Remember the address; `timeout` is in seconds, for connecting and for the wait between two confirms."""
        self.address = address
        self._route = route
        self._timeout = timeout
        self._connection: Any = None
        self._cork: _Cork
        self._ahead: Future[None] | None = None

    def __enter__(self) -> Self:
        self.connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def connect_ahead(self) -> None:
        """Begin to open the connection in the background; `connect` then waits for it, or raises its error."""
        executor = ThreadPoolExecutor(max_workers=1)
        self._ahead = executor.submit(self._open)
        executor.shutdown(wait=False)

    def connect(self) -> None:
        """Open the connection, unless it is open.

        Raises:
            BrokerUnavailableError: it cannot be opened.

        """
        ahead, self._ahead = self._ahead, None
        if ahead is not None:
            ahead.result()
        elif self._connection is None:
            self._open()

    def _open(self) -> None:
        address = self.address
        self._connection = amqp.Connection(
            host=f"{address.host}:{address.port}",
            userid=address.user,
            password=address.password,
            virtual_host=address.vhost,
            ssl={"context": {"check_hostname": True}, "server_hostname": address.host} if address.tls else False,
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            write_timeout=self._timeout,
            client_properties={"connection_name": "graphschedule"},
            frame_writer=self._frame_writer,
        )
        try:
            self._connection.connect()
        except (AMQPError, OSError) as error:
            self._drop()
            raise BrokerUnavailableError(self._explain(error)) from error

    def _frame_writer(self, connection: Any, transport: Any) -> Callable[..., None]:  # noqa: ANN401
        self._cork = _Cork(transport.write)
        write: Callable[..., None] = frame_writer(connection, self._cork)
        return write

    def close(self) -> None:
        """Close the connection; a broker that has gone already is no fault."""
        if self._ahead is not None:
            with suppress(BrokerUnavailableError):
                self.connect()
        if self._connection is None:
            return
        with suppress(AMQPError, OSError):
            self._connection.close()
        self._drop()

    def publish_many(self, bodies: Sequence[bytes]) -> list[str | None]:
        """Publish messages and wait for all their confirms.

        Returns:
            For each message None if it is safely in a queue, else why it is not known to be: it may be sent again.

        """
        batch = _Batch(bodies, self._route)
        try:
            self.connect()
            batch.send(self._connection, self._cork, self._timeout)
        except BrokerUnavailableError as error:
            batch.give_up(str(error))
        except (AMQPError, OSError) as error:
            batch.give_up(self._explain(error))
            self._drop()
        return batch.faults

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.collect()

    def _explain(self, error: Exception) -> str:
        return f"{self.address}: {_cause(error, self.address, self._route)}"


class _Cork:
    """What writes to the broker's socket, and holds back what is written while messages are published.

    One call of the system for each message would cost more than all else that is done for it.
    """

    def __init__(self, write: Callable[[bytes | bytearray], None]) -> None:
        self._write = write
        self._held: bytearray | None = None

    def write(self, data: bytes) -> None:
        """Write, or hold back as long as it is little."""
        if self._held is None:
            self._write(data)
            return
        self._held += data
        if len(self._held) >= HELD_BYTES:
            self._write(self._held)
            self._held.clear()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold back what is written in a block until its end."""
        self._held = bytearray()
        yield
        held, self._held = self._held, None
        self._write(held)


class _Batch:
    """Messages of one channel, and what the broker has said about each so far.

    A channel numbers its messages from 1, and a return always comes before the confirm of the same message
    (RabbitMQ, "Consumer Acknowledgements and Publisher Confirms").
    """

    def __init__(self, bodies: Sequence[bytes], route: Route) -> None:
        self._route = route
        self.faults: list[str | None] = [None] * len(bodies)
        self._bodies = bodies
        self._outstanding = dict.fromkeys(range(1, len(bodies) + 1))
        self._returned: dict[bytes, str] = {}

    def send(self, connection: Any, cork: _Cork, timeout: float) -> None:  # noqa: ANN401 (py-amqp has no types)
        """Publish everything, then read confirms until none is outstanding; `timeout` bounds the wait for each."""
        channel = connection.channel()
        channel.confirm_select()
        channel.events["basic_return"].add(self._on_return)
        channel.events["basic_ack"].add(self._on_ack)
        channel.events["basic_nack"].add(self._on_nack)
        with cork.held():
            for body in self._bodies:
                message = amqp.Message(body, delivery_mode=PERSISTENT)
                channel.basic_publish(message, self._route.exchange, self._route.key, mandatory=True)
        while self._outstanding:
            connection.drain_events(timeout=timeout)
        channel.close()

    def give_up(self, fault: str) -> None:
        """Note one fault for every message without a confirm."""
        self._settle(list(self._outstanding), fault)

    def _on_return(self, error: AMQPError, _exchange: str, _key: str, message: Any) -> None:  # noqa: ANN401
        remedy = f"no queue is bound to the exchange: start the platform's {self._route.owner}, which declares it"
        self._returned[message.body] = f"returned by the broker: {error.reply_text}; {remedy}"

    def _on_ack(self, tag: int, multiple: bool) -> None:
        self._settle(self._covered(tag, multiple), None)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._settle(self._covered(tag, multiple), "refused (nacked) by the broker")

    def _covered(self, tag: int, multiple: bool) -> list[int]:
        return list(takewhile(lambda number: number <= tag, self._outstanding)) if multiple else [tag]

    def _settle(self, tags: list[int], fault: str | None) -> None:
        for tag in tags:
            self._outstanding.pop(tag, None)
            self.faults[tag - 1] = fault or self._returned.get(self._bodies[tag - 1])


def _cause(error: Exception, address: BrokerAddress, route: Route) -> str:
    match error:
        case AccessRefused():
            return f"login refused for user {address.user!r}; check the user and password"
        case NotAllowed():
            return f"the vhost does not exist or user {address.user!r} may not use it; create it or grant access"
        case NotFound():
            return f"exchange {route.exchange!r} does not exist; start the platform's {route.owner}, which declares it"
        case TimeoutError():
            return "no answer in time; check that it runs and that no memory or disk alarm blocks publishers"
        case OSError():
            return f"cannot be reached ({error.strerror or error}); check the address and that it runs"
        case _:
            return f"connection lost ({error})"
