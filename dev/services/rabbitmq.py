"""RabbitMQ: given by `GRAPHSCHEDULE_TEST_RABBITMQ_URL`, in a container, or started here, with its management plugin.

Vhosts are made through the management API. For a given server that is port 15672 of the same host, unless
`GRAPHSCHEDULE_TEST_RABBITMQ_MANAGEMENT_URL` (`http://host:port`) says otherwise.
"""

from __future__ import annotations

import base64
import contextlib
import os
import secrets
import shutil
import signal
import socket
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from dev import containers, packages, ports, processes, runs
from dev.services.service import Service, until_it_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN = "GRAPHSCHEDULE_TEST_RABBITMQ_URL"
GIVEN_MANAGEMENT = "GRAPHSCHEDULE_TEST_RABBITMQ_MANAGEMENT_URL"

_IMAGE = "rabbitmq:3-management-alpine"
_SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
_USER = "graphschedule"


@dataclass(frozen=True)
class RabbitMQ(Service):
    """A RabbitMQ server, addressed by a vhost of it, with a user who may create others."""

    management: str
    """Address of the management API, `http://host:port`."""

    @contextlib.contextmanager
    def vhost(self) -> Iterator[Service]:
        """Give an empty vhost of its own, removed afterwards with its queues and connections."""
        name = f"test-{secrets.token_hex(6)}"
        self._manage("PUT", name)
        try:
            yield Service(urlsplit(self.url)._replace(path=f"/{name}").geturl())
        finally:
            self._manage("DELETE", name)

    def _manage(self, method: str, vhost: str) -> None:
        """Create or delete a vhost; whoever creates one may use it."""
        parts = urlsplit(self.url)
        credentials = f"{unquote(parts.username or 'guest')}:{unquote(parts.password or 'guest')}"
        request = urllib.request.Request(f"{self.management}/api/vhosts/{quote(vhost, safe='')}", method=method)
        request.add_header("Authorization", f"Basic {base64.b64encode(credentials.encode()).decode()}")
        urllib.request.urlopen(request).close()


@contextlib.contextmanager
def rabbitmq(name: str = "tests") -> Iterator[RabbitMQ]:
    """Give a RabbitMQ server for as long as the block lasts; NAME only tells people whose it is."""
    given = os.environ.get(GIVEN)
    if given:
        yield RabbitMQ(given, os.environ.get(GIVEN_MANAGEMENT) or f"http://{urlsplit(given).hostname}:15672")
        return
    with runs.folder(f"rabbitmq-{name}") as folder:
        yield _contained(folder) if containers.available() else _local(folder)


def _contained(folder: Path) -> RabbitMQ:
    password = secrets.token_urlsafe(16)
    environment = {"RABBITMQ_DEFAULT_USER": _USER, "RABBITMQ_DEFAULT_PASS": password}
    published = containers.start(folder, "rabbitmq", _IMAGE, env=environment, ports=[5672, 15672])
    return _ready(folder, password, published[5672], published[15672])


def _local(folder: Path) -> RabbitMQ:
    if not _SERVER.exists():
        packages.install("rabbitmq-server")
    user = "rabbitmq" if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    password = secrets.token_urlsafe(16)
    amqp, management, distribution, names = ports.free(4)
    _configure(folder, password, amqp, management)
    # The daemon that maps node names to ports: without one of our own, Erlang starts one that outlives us.
    processes.start(folder, "epmd", ["epmd", "-address", "127.0.0.1", "-port", str(names)], user=user)
    until_it_answers(folder, lambda: socket.create_connection(("127.0.0.1", names)).close(), OSError)
    # Its data goes with it, so it need not take its six seconds to put them in order.
    environment = _environment(folder, distribution, names)
    processes.start(folder, "rabbitmq", [str(_SERVER)], env=environment, user=user, ask=signal.SIGKILL)
    return _ready(folder, password, amqp, management)


def _configure(folder: Path, password: str, amqp: int, management: int) -> None:
    (folder / "rabbitmq.conf").write_text(
        f"listeners.tcp.1 = 0.0.0.0:{amqp}\n"
        f"management.tcp.port = {management}\n"
        "management.tcp.ip = 127.0.0.1\n"
        f"default_user = {_USER}\n"
        f"default_pass = {password}\n"
        "disk_free_limit.absolute = 50MB\n"
        "log.console = true\n"
        "log.file = false\n"
    )
    (folder / "enabled_plugins").write_text("[rabbitmq_management].\n")


def _environment(folder: Path, distribution: int, names: int) -> dict[str, str]:
    return {
        "HOME": str(folder),
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": f"{folder.name}@localhost",
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder),
    }


def _ready(folder: Path, password: str, amqp: int, management: int) -> RabbitMQ:
    server = RabbitMQ(f"amqp://{_USER}:{password}@127.0.0.1:{amqp}/%2F", f"http://127.0.0.1:{management}")

    def attempt() -> None:
        with server.vhost():
            pass

    until_it_answers(folder, attempt, OSError)
    return server
