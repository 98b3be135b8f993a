"""A proxy in front of a real API server that misbehaves on request: what it lets through is the server's own."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
from aiohttp import hdrs, web
from kubernetes import client, config

from dev import ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PATIENCE_SECONDS = 60.0
NOT_PASSED_ON = {hdrs.HOST, hdrs.CONTENT_LENGTH, hdrs.TRANSFER_ENCODING, hdrs.AUTHORIZATION}
EXPIRED = 410


class Request(NamedTuple):
    """A request that came: the moment by the monotonic clock, and what was asked for."""

    at: float
    method: str
    path: str

    @property
    def watches(self) -> bool:
        """Tell whether it opens a watch."""
        return "watch=true" in self.path

    def concerns(self, method: str, part: str) -> bool:
        """Tell whether it is of a method and has a part in its path or query."""
        return self.method == method and part in self.path


@dataclass
class Fault:
    """What becomes of the next `times` requests of a method that have a part in their path or query.

    They are refused with a status; or, without one, passed on to the server, whose answer is then lost.
    """

    method: str
    part: str
    times: int
    status: int | None = None
    retry_after: int | None = None


@dataclass(eq=False)
class Watch:
    """An open watch; a muted one takes what the server says, and passes nothing on."""

    request: web.Request
    muted: bool = False


class ApiProxy:
    """The proxy. Its methods may be called from any thread; those that wait do so by being told."""

    def __init__(self, upstream: client.Configuration, folder: Path) -> None:
        self._upstream = upstream
        (self._port,) = ports.free(1)
        self._requests: list[Request] = []
        self._faults: list[Fault] = []
        self._news = threading.Condition()
        self._watches: set[Watch] = set()
        self._failed: set[str] = set()
        self._open, self._end = asyncio.Event(), asyncio.Event()
        self._open.set()
        self.kubeconfig = folder / "proxy.kubeconfig"
        self.kubeconfig.write_text(json.dumps(self._kubeconfig()))

    def fail(self, method: str, part: str, *, times: int, status: int, retry_after: int | None = None) -> Fault:
        """Refuse the next requests of a kind."""
        return self._add(Fault(method, part, times, status, retry_after))

    def lose(self, method: str, part: str, *, times: int) -> Fault:
        """Pass the next requests of a kind on, and drop the connection instead of answering."""
        return self._add(Fault(method, part, times))

    def mute(self) -> None:
        """Let no open watch tell anything any more, though its connection stays; new ones are as usual."""
        self._loop.call_soon_threadsafe(self._mute)

    @contextmanager
    def gap(self, status: int = EXPIRED) -> Iterator[None]:
        """Cut all watches, allow new ones only after the block, and have the first of each kind tell an error."""
        self._error = status
        self._loop.call_soon_threadsafe(self._cut)
        yield
        self._loop.call_soon_threadsafe(self._open.set)

    def until(self, holds: Callable[[list[Request]], object]) -> list[Request]:
        """Wait until something holds of the requests that came, and return them."""
        with self._news:
            assert self._news.wait_for(lambda: holds(self._requests), PATIENCE_SECONDS), self._requests[-20:]
            return list(self._requests)

    def until_spent(self, fault: Fault) -> None:
        """Wait until a fault has met all the requests that it is for."""
        self.until(lambda _: fault.times == 0)

    @contextmanager
    def running(self) -> Iterator[ApiProxy]:
        """Serve during the block, from a thread."""
        begun = threading.Event()
        thread = threading.Thread(target=asyncio.run, args=[self._serve(begun)])
        thread.start()
        begun.wait()
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._end.set)
            thread.join()

    def _add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def _mute(self) -> None:
        for watch in self._watches:
            watch.muted = True

    def _cut(self) -> None:
        self._open.clear()
        for watch in self._watches:
            self._failed.add(watch.request.path)
            _drop(watch.request)

    async def _serve(self, begun: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        tls = ssl.create_default_context(cafile=self._upstream.ssl_ca_cert)
        if self._upstream.cert_file:
            tls.load_cert_chain(self._upstream.cert_file, self._upstream.key_file)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=tls),
            headers=self._upstream.api_key,
            timeout=aiohttp.ClientTimeout(total=None),
            auto_decompress=False,
        ) as self._session:
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            begun.set()
            await self._end.wait()
            await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        seen = Request(time.monotonic(), request.method, request.path_qs)
        fault = self._fault_for(seen)
        with self._news:
            self._requests.append(seen)
            self._news.notify_all()
        if fault is not None and fault.status is not None:
            return _refusal(fault.status, fault.retry_after)
        if seen.watches:
            return await self._watch(request)
        body = await request.read()
        async with self._ask(request, body or None) as answer:
            content = await answer.read()
            if fault is not None:
                _drop(request)
            return web.Response(status=answer.status, headers=_passed_on(answer.headers), body=content)

    def _fault_for(self, request: Request) -> Fault | None:
        for fault in self._faults:
            if fault.times and request.concerns(fault.method, fault.part):
                fault.times -= 1
                return fault
        return None

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        await self._open.wait()
        if request.path in self._failed:
            self._failed.discard(request.path)
            return web.Response(
                text=json.dumps({"type": "ERROR", "object": _status(self._error)}) + "\n",
                content_type="application/json",
            )
        watch = Watch(request)
        self._watches.add(watch)
        try:
            async with self._ask(request) as answer:
                told = web.StreamResponse(status=answer.status, headers=_passed_on(answer.headers))
                await told.prepare(request)
                async for piece in answer.content.iter_any():
                    if not watch.muted:
                        await told.write(piece)
                return told
        finally:
            self._watches.discard(watch)

    def _ask(self, request: web.Request, body: bytes | None = None) -> Any:  # noqa: ANN401 (aiohttp gives its type no public name)
        url = f"{self._upstream.host}{request.path_qs}"
        return self._session.request(request.method, url, data=body, headers=_passed_on(request.headers))

    def _kubeconfig(self) -> dict[str, Any]:
        return {
            "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
            "clusters": [{"name": "proxy", "cluster": {"server": f"http://127.0.0.1:{self._port}"}}],
            "users": [{"name": "proxy", "user": {"token": "none"}}],
        }


@contextmanager
def proxied(kubeconfig: Path, folder: Path) -> Iterator[ApiProxy]:
    """Give a proxy before the API server of a kubeconfig; clients reach it by the kubeconfig it leaves in a folder."""
    upstream = client.Configuration()
    config.load_kube_config(str(kubeconfig), client_configuration=upstream)  # type: ignore[no-untyped-call] # has no types
    with ApiProxy(upstream, folder).running() as proxy:
        yield proxy


def _passed_on(headers: Any) -> dict[str, str]:  # noqa: ANN401 (of a request or an answer)
    return {name: value for name, value in headers.items() if name not in NOT_PASSED_ON}


def _status(code: int) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": "on purpose"}


def _refusal(status: int, retry_after: int | None) -> web.Response:
    headers = None if retry_after is None else {hdrs.RETRY_AFTER: str(retry_after)}
    return web.json_response(_status(status), status=status, headers=headers)


def _drop(request: web.Request) -> None:
    """Cut a client's connection."""
    with suppress(AttributeError):
        request.transport.abort()  # type: ignore[union-attr] # None if it has gone already
