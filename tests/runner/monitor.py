"""A dead-man's switch on this machine: a web server that keeps what it is called by, and answers as it is told."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "9b3f-token"


@dataclass
class Monitor:
    """What was called, and how it answers: `answer` returns the status of each call, and may look or wait first."""

    port: int
    answer: Callable[[], int] = lambda: 200
    calls: list[str] = field(default_factory=list)
    called: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Its address, with a secret in path and query."""
        return f"http://127.0.0.1:{self.port}/{SECRET}/?token={SECRET}"


@contextmanager
def monitor() -> Iterator[Monitor]:
    """Run a monitor on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            watch.calls.append(self.path)
            watch.called.set()
            self.send_response(watch.answer())
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        watch = Monitor(server.server_port)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield watch
        server.shutdown()
