"""A service on this machine that speaks JSON over HTTP: it keeps what it was asked, and answers as a test says."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Call(NamedTuple):
    """What was asked."""

    path: str
    body: Any
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """What to say."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = {}


@dataclass
class JsonPeer:
    """The service. `answer` is called for each request, and may look at the world first."""

    port: int
    answer: Callable[[Call], Answer] = lambda _: Answer()
    calls: list[Call] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[tuple[str, Any]]:
        """Path and body of each call."""
        return [(call.path, call.body) for call in self.calls]


@contextmanager
def json_peer(host: str = "127.0.0.1") -> Iterator[JsonPeer]:
    """Run a peer on a free port; an empty host lets pods reach it too."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            call = Call(self.path, json.loads(self.rfile.read(length) or "null"), dict(self.headers))
            peer.calls.append(call)
            body, status, headers = peer.answer(call)
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", "Content-Length": len(content), **headers}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer((host, 0), Handler) as server:
        peer = JsonPeer(server.server_port)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield peer
        server.shutdown()
