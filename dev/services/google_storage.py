"""Google Cloud Storage: fake-gcs-server, an emulator built from its Go module, with buckets in memory."""

from __future__ import annotations

import contextlib
import json
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests

from dev import ports, processes, runs
from dev.cluster import binaries
from dev.services.service import until_it_answers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

_TIMEOUT = 10


@dataclass(frozen=True)
class GoogleStorage:
    """The emulator."""

    endpoint: str
    """Its address, `http://host:port`."""
    account: Path
    """The key file of an account that needs no login there."""

    @property
    def environment(self) -> dict[str, str]:
        """Where and who, by the name that clients read."""
        return {"GOOGLE_SERVICE_ACCOUNT": str(self.account)}

    def bucket(self) -> str:
        """Return the name of a new bucket."""
        name = f"test{secrets.token_hex(6)}"
        self._post("storage/v1/b", json.dumps({"name": name}), "application/json")
        return name

    def upload(self, bucket: str, paths: Iterable[str], metadata: Mapping[str, str]) -> None:
        """Write small objects with the same metadata, as Google's own client does it."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda path: self._upload(bucket, path, metadata), paths))

    def _upload(self, bucket: str, path: str, metadata: Mapping[str, str]) -> None:
        parts = (
            ("application/json", json.dumps({"name": path, "metadata": metadata})),
            ("text/plain", "content"),
        )
        body = "".join(f"--part\r\nContent-Type: {kind}\r\n\r\n{text}\r\n" for kind, text in parts)
        kind = "multipart/related; boundary=part"
        self._post(f"upload/storage/v1/b/{bucket}/o?uploadType=multipart", f"{body}--part--\r\n", kind)

    def _post(self, path: str, body: str, kind: str) -> None:
        headers = {"Content-Type": kind}
        requests.post(f"{self.endpoint}/{path}", body, headers=headers, timeout=_TIMEOUT).raise_for_status()


@contextlib.contextmanager
def google_storage(name: str = "tests") -> Iterator[GoogleStorage]:
    """Give the emulator for as long as the block lasts; NAME only tells people whose it is."""
    emulator = binaries.path("fake-gcs-server")
    with runs.folder(f"gcs-{name}") as folder:
        (port,) = ports.free(1)
        storage = GoogleStorage(f"http://localhost:{port}", folder / "account.json")
        key = {"gcs_base_url": storage.endpoint, "disable_oauth": True}
        storage.account.write_text(
            json.dumps(key | dict.fromkeys(("client_email", "private_key", "private_key_id"), ""))
        )
        where = ("-scheme", "http", "-host", "127.0.0.1", "-port", str(port), "-public-host", f"localhost:{port}")
        processes.start(folder, "gcs", [str(emulator), *where, "-backend", "memory"])
        until_it_answers(folder, lambda: requests.get(storage.endpoint, timeout=_TIMEOUT), requests.ConnectionError)
        yield storage
