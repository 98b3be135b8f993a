"""The servers of the tests: real, of their own, and gone afterwards, whatever happened."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pika
import psutil
import psycopg
import pytest

from dev import processes, runs
from dev.services import Service, postgres, rabbitmq, topology

if TYPE_CHECKING:
    from dev.services.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]

HOLDER = """
import signal
from dev import processes, runs
with runs.folder("crash") as folder:
    processes.start(folder, "orphan", ["sleep", "1000"])
    print(folder, flush=True)
    signal.pause()
"""


def test_a_database_is_empty_and_takes_statements(empty_database: Service) -> None:
    with psycopg.connect(empty_database.url) as connection:
        connection.execute("CREATE TABLE t (x int)")
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert tables == [("t",)]


def test_a_database_can_be_a_copy_of_another(postgres_server: Postgres, empty_database: Service) -> None:
    with psycopg.connect(empty_database.url) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS x")
    template = empty_database.url.rpartition("/")[2]
    with postgres_server.database(template=template) as copy, psycopg.connect(copy.url) as connection:
        assert connection.execute("SELECT x FROM t").fetchall() == [(7,)]


def test_a_database_goes_although_a_client_is_still_connected(postgres_server: Postgres) -> None:
    with postgres_server.database() as database:
        lingering = psycopg.connect(database.url)
    with pytest.raises(psycopg.OperationalError):
        lingering.execute("SELECT 1")
    lingering.close()


def test_a_message_to_the_run_exchange_reaches_the_quorum_queue(broker: Service) -> None:
    with topology.channel(broker.url) as channel:
        channel.confirm_delivery()
        channel.basic_publish(topology.EXCHANGE, topology.ROUTING_KEY, b"{}", mandatory=True)
    assert [body for _, body in topology.take_all(broker.url)] == [b"{}"]


def test_both_generations_of_the_queue_get_a_copy(broker: Service) -> None:
    topology.declare(broker.url, topology.CLASSIC)
    with topology.channel(broker.url) as channel:
        channel.basic_publish(topology.EXCHANGE, topology.ROUTING_KEY, b"{}", pika.BasicProperties(delivery_mode=2))
    assert [len(topology.take_all(broker.url, queue)) for queue in (topology.QUORUM, topology.CLASSIC)] == [1, 1]


def test_servers_started_here_answer_at_every_address_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GRAPHSCHEDULE_TEST_DATABASE_URL", raising=False)
    with postgres("addresses") as server, psycopg.connect(server.url_for(_address())) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_address_for_elsewhere_differs_in_the_host_alone() -> None:
    service = Service("postgresql://user:se%2Fcret@127.0.0.1:5432/db?schema=platform")
    assert service.url_for("10.0.0.7") == "postgresql://user:se%2Fcret@10.0.0.7:5432/db?schema=platform"


def test_a_given_database_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch, empty_database: Service) -> None:
    monkeypatch.setenv("GRAPHSCHEDULE_TEST_DATABASE_URL", empty_database.url)
    with postgres() as server:
        assert server.url == empty_database.url


def test_a_given_broker_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch, broker: Service) -> None:
    monkeypatch.setenv("GRAPHSCHEDULE_TEST_RABBITMQ_URL", broker.url)
    with rabbitmq() as server:
        assert server.url == broker.url
        topology.declare(server.url, topology.QUORUM)


def test_the_next_run_ends_what_a_killed_run_left() -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        folder = Path(holder.stdout.readline().strip())
        orphan = processes.find(folder, "orphan")
        holder.kill()
    assert orphan is not None
    assert _runs(orphan)
    with runs.folder("next"):
        assert not _runs(orphan)
        assert not folder.exists()


def test_a_run_leaves_another_live_run_alone() -> None:
    with runs.folder("first") as first:
        with runs.folder("second"):
            pass
        assert first.exists()


def _runs(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def _address() -> str:
    """Return the address from which this machine would speak to the world; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        address: str = probe.getsockname()[0]
    return address
