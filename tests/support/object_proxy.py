"""A proxy in front of an object store, to refuse or lose some of its requests."""

from __future__ import annotations

import http.client
import threading
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Answer = tuple[int, bytes, dict[str, str]]

DENIED: Answer = (403, b"", {})


@dataclass
class ObjectProxy:
    """The proxy. It answers 403 to the requests that `denies` says, by method and path; `requests` has them already."""

    port: int
    denies: Callable[[str, str], bool] = lambda *_: False
    requests: list[tuple[str, str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def object_proxy(store: str) -> Iterator[ObjectProxy]:
    """Run a proxy to a store's address on a free port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def __getattr__(self, name: str) -> Callable[[], None]:
            """Take every method the same way."""
            if name.startswith("do_"):
                return self.pass_on
            raise AttributeError(name)

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            proxy.requests.append((self.command, self.path))
            denied = proxy.denies(self.command, self.path)
            status, content, headers = DENIED if denied else _ask(store, self, body)
            self.send_response_only(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        proxy = ObjectProxy(server.server_port)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield proxy
        server.shutdown()


def _ask(store: str, asked: BaseHTTPRequestHandler, body: bytes) -> Answer:
    """Pass a request on with all its headers: they are signed, the host's name too."""
    place = urlsplit(store)
    with closing(http.client.HTTPConnection(place.hostname or "", place.port)) as connection:
        connection.putrequest(asked.command, asked.path, skip_host=True, skip_accept_encoding=True)
        for name, value in asked.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        headers = {name: value for name, value in answer.getheaders() if name.lower() != "transfer-encoding"}
        return answer.status, answer.read(), headers
