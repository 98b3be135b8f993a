"""Publishing to a real RabbitMQ: only what is safely in a queue counts, and every fault says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform.errors import BrokerUnavailableError
from graphschedule_platform.publisher import BrokerAddress, Publisher

from dev.services import topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.services import Service
    from dev.services.rabbitmq import RabbitMQ


@pytest.fixture
def publisher(broker: Service) -> Iterator[Publisher]:
    with Publisher(BrokerAddress.from_url(broker.url)) as connected:
        yield connected


def test_messages_are_persistent_and_bare_and_arrive_in_order(broker: Service, publisher: Publisher) -> None:
    assert publisher.publish_many([b"first", b"second"]) == [None, None]
    taken = topology.take_all(broker.url)
    assert [body for _, body in taken] == [b"first", b"second"]
    properties = taken[0][0]
    assert (properties.delivery_mode, properties.content_type, properties.message_id) == (2, None, None)


def test_many_messages_are_confirmed_in_one_batch(broker: Service, publisher: Publisher) -> None:
    bodies = [b"%d" % number for number in range(1000)]
    assert set(publisher.publish_many(bodies)) == {None}
    assert [body for _, body in topology.take_all(broker.url)] == bodies


def test_both_generations_of_the_run_queue_get_the_message(broker: Service, publisher: Publisher) -> None:
    topology.declare(broker.url, topology.CLASSIC)
    assert publisher.publish_many([b"run"]) == [None]
    for queue in (topology.QUORUM, topology.CLASSIC):
        assert [body for _, body in topology.take_all(broker.url, queue)] == [b"run"]


def test_a_returned_message_is_a_fault_of_its_own(broker: Service, publisher: Publisher) -> None:
    with topology.channel(broker.url) as channel:
        channel.queue_delete(topology.QUORUM.name)
    (fault,) = publisher.publish_many([b"run"])
    assert fault is not None
    assert "NO_ROUTE" in fault
    topology.declare(broker.url, topology.QUORUM)
    assert publisher.publish_many([b"run"]) == [None]


def test_a_refused_message_is_a_fault_and_the_others_are_not(broker: Service, publisher: Publisher) -> None:
    with topology.channel(broker.url) as channel:
        channel.queue_delete(topology.QUORUM.name)
        full = {"x-max-length": 1, "x-overflow": "reject-publish"}
        channel.queue_declare(topology.QUORUM.name, durable=True, arguments=full)
        channel.queue_bind(topology.QUORUM.name, topology.EXCHANGE, topology.ROUTING_KEY)
    first, *others = publisher.publish_many([b"first", b"second", b"third"])
    assert first is None
    assert all(fault is not None and "nacked" in fault for fault in others)


def test_a_missing_exchange_is_named_and_the_next_batch_recovers(broker: Service, publisher: Publisher) -> None:
    with topology.channel(broker.url) as channel:
        channel.exchange_delete(topology.EXCHANGE)
    (fault,) = publisher.publish_many([b"run"])
    assert fault is not None
    assert "exchange 'graph_execution' does not exist" in fault
    topology.declare(broker.url, topology.QUORUM)
    assert publisher.publish_many([b"run"]) == [None]


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"password": "wrong-secret"}, "login refused"),
        ({"vhost": "nowhere"}, "vhost does not exist"),
        ({"port": 1}, "cannot be reached"),
        ({"host": "nowhere.invalid"}, "cannot be reached"),
    ],
)
def test_a_broker_that_cannot_be_used_is_named_with_cause_and_remedy(
    rabbitmq_server: RabbitMQ, change: dict[str, str | int], cause: str
) -> None:
    address = BrokerAddress.from_url(rabbitmq_server.url)._replace(**change)  # type: ignore[arg-type]  # any field
    with pytest.raises(BrokerUnavailableError) as caught:
        Publisher(address).connect()
    message = str(caught.value)
    assert message.startswith(f"RabbitMQ at {address.host}:{address.port}, vhost {address.vhost!r}: ")
    assert cause in message
    assert address.password not in message
    assert "\n" not in message


def test_the_platforms_own_names_are_understood_and_the_cluster_wins() -> None:
    environment = {
        "RABBITMQ_HOST": "plain",
        "RABBITMQ_CLUSTER_HOST": "cluster",
        "RABBITMQ_PORT": "1",
        "RABBITMQ_CLUSTER_PORT": "5673",
        "RABBITMQ_VHOST": "agents",
        "RABBITMQ_DEFAULT_USER": "user",
        "RABBITMQ_DEFAULT_PASS": "word",
    }
    assert BrokerAddress.from_environment(environment) == BrokerAddress("cluster", 5673, "agents", "user", "word")


def test_a_url_wins_and_its_parts_are_unquoted() -> None:
    url = "amqps://us%40er:p%2Fw@broker.example/%2Fagents"
    expected = BrokerAddress("broker.example", 5671, "/agents", "us@er", "p/w", tls=True)
    assert BrokerAddress.from_environment({"RABBITMQ_URL": url, "RABBITMQ_HOST": "other"}) == expected


@pytest.mark.parametrize("url", ["http://secret@host", "amqp://user:secret@host:many/", "amqp:///"])
def test_a_url_that_cannot_be_used_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        BrokerAddress.from_url(url)
    assert "RABBITMQ_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_connection_opened_ahead_is_the_one_that_publishes(broker: Service) -> None:
    publisher = Publisher(BrokerAddress.from_url(broker.url))
    publisher.connect_ahead()
    assert publisher.publish_many([b"run"]) == [None]
    publisher.close()


def test_a_connection_opened_ahead_fails_where_it_is_needed() -> None:
    publisher = Publisher(BrokerAddress.from_url("amqp://user:secret@127.0.0.1:1/"))
    publisher.connect_ahead()
    with pytest.raises(BrokerUnavailableError, match="cannot be reached"):
        publisher.connect()


def test_a_connection_opened_ahead_and_never_needed_is_closed(broker: Service) -> None:
    publisher = Publisher(BrokerAddress.from_url(broker.url))
    publisher.connect_ahead()
    publisher.close()
    assert publisher.publish_many([b"run"]) == [None]
    publisher.close()
