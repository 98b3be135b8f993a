"""S3: a Versity gateway over a folder, built from its Go module. A store here is a bucket.

It is a server of its own make, so clients' pages, batches and signatures meet somebody who checks them.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dev import ports, processes, runs
from dev.cluster import binaries
from dev.services.service import until_it_answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REGION = "us-east-1"
_USER = "graphschedule"


@dataclass(frozen=True)
class ObjectStores:
    """An S3 server, with one user who may do all."""

    endpoint: str
    """Its address, `http://host:port`."""
    password: str
    folder: Path
    """What is in it, a folder for each bucket."""

    @property
    def environment(self) -> dict[str, str]:
        """Where and who, by the names that S3 clients read."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": _REGION,
            "AWS_ACCESS_KEY_ID": _USER,
            "AWS_SECRET_ACCESS_KEY": self.password,
        }

    def bucket(self) -> str:
        """Return the name of a new bucket, which lasts as long as the server."""
        name = f"test-{secrets.token_hex(6)}"
        (self.folder / name).mkdir()
        return name


@contextlib.contextmanager
def object_stores(name: str = "tests") -> Iterator[ObjectStores]:
    """Give an S3 server for as long as the block lasts; NAME only tells people whose it is."""
    gateway = binaries.path("versitygw")
    with runs.folder(f"s3-{name}") as folder:
        buckets, notes = folder / "buckets", folder / "notes"
        buckets.mkdir()
        notes.mkdir()
        (port,) = ports.free(1)
        stores = ObjectStores(f"http://127.0.0.1:{port}", secrets.token_urlsafe(16), buckets)
        user = {"ROOT_ACCESS_KEY_ID": _USER, "ROOT_SECRET_ACCESS_KEY": stores.password}
        where = ("--region", _REGION, "--port", f"127.0.0.1:{port}")
        # The temporary folder may be of a kind without extended attributes, where it would keep objects' metadata.
        processes.start(
            folder, "s3", [str(gateway), *where, "--quiet", "posix", "--sidecar", str(notes), str(buckets)], env=user
        )
        until_it_answers(folder, lambda: socket.create_connection(("127.0.0.1", port)).close(), OSError)
        yield stores
