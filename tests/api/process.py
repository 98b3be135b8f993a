"""The API as a process, and a client that knows nothing but the paths and bodies of C §5."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx

from dev import ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS = 60


class Api:
    """A running API."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self.address = address
        self.http = httpx.Client(base_url=address, timeout=PATIENCE_SECONDS)
        self._log: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read_log)
        self._reader.start()

    def call(self, method: str, **members: object) -> httpx.Response:
        """Call a method of the RPC."""
        return self.http.post(f"/{method}", json=members)

    def result(self, method: str, **members: object) -> Any:  # noqa: ANN401 - any JSON value
        """Call a method of the RPC, which must succeed, and return its result."""
        answer = self.call(method, **members)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def error(self, method: str, **members: object) -> tuple[int, dict[str, Any]]:
        """Call a method of the RPC; return the status and the body of its refusal."""
        answer = self.call(method, **members)
        return answer.status_code, answer.json()

    def metric(self, name: str) -> float:
        """Return the sum of a metric's samples whose name and labels begin with `name`."""
        lines = self.http.get("/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and return its exit code once it has ended."""
        self.process.send_signal(how)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def until_logged(self, word: str) -> dict[str, Any]:
        """Read its log up to a line whose message begins with a word, and return that line."""
        while line := self._log.get(timeout=PATIENCE_SECONDS):
            record: dict[str, Any] = json.loads(line)
            if record["message"].startswith(word):
                return record
        raise AssertionError(f"the API ended without saying {word!r}")

    def close(self) -> None:
        """End it, if it runs."""
        self.http.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()

    def _read_log(self) -> None:
        """Take the log as it comes, or a full pipe would hold the process up."""
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self._log.put(line)
        self._log.put("")


@contextmanager
def running(
    kubeconfig: Path, namespace: str, database_url: str, *, until: str = "ready", **settings: str
) -> Iterator[Api]:
    """Run the API for a namespace, up to a line of its log at the start of the block, and gone after it."""
    (port,) = ports.free(1)
    environment = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig),
        "GRAPHSCHEDULE_NAMESPACES": json.dumps([namespace]),
        "GRAPHSCHEDULE_NAMESPACE": namespace,
        "GRAPHSCHEDULE_TASK_NAMESPACE": namespace,
        "GRAPHSCHEDULE_DATABASE_URL": database_url,
        "GRAPHSCHEDULE_HOST": "127.0.0.1",
        "GRAPHSCHEDULE_PORT": str(port),
        "GRAPHSCHEDULE_LINGER_SECONDS": "0",
        **{f"GRAPHSCHEDULE_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "graphschedule_api", "serve"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    api = Api(process, f"http://127.0.0.1:{port}")
    try:
        api.until_logged(until)
        yield api
    finally:
        api.close()
