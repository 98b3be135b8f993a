"""The client against a server that misbehaves on purpose."""

from __future__ import annotations

import json
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from graphschedule_operator import kube
from graphschedule_operator.cache import Key

from dev import ports

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

SCHEDULE = Key("team", "daily")


class Server:
    """A stand-in for the API server that gives its answers in turn, the last one for ever."""

    def __init__(self, folder: Path, *answers: dict[str, Any]) -> None:
        (self.port,) = ports.free(1)
        self.requests: list[web.Request] = []
        self.kubeconfig = folder / "kubeconfig"
        self._answers = list(answers)
        self.write_kubeconfig("first")

    def write_kubeconfig(self, token: str) -> None:
        """Have clients log in with a token from now on."""
        written = {
            "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
            "users": [{"name": "u", "user": {"token": token}}],
        }
        self.kubeconfig.write_text(json.dumps(written))

    async def answer(self, request: web.Request) -> web.Response:
        """Give the next answer."""
        self.requests.append(request)
        return web.json_response(**self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])


def answer(status: int = 200, *, headers: dict[str, str] | None = None, **members: object) -> dict[str, Any]:
    return {"data": {"metadata": {"resourceVersion": "1"}} | members, "status": status, "headers": headers}


@asynccontextmanager
async def connected(server: Server, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[kube.Kube]:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", server.port).start()
    try:
        async with kube.Kube.connect(connections=4, timeout_seconds=2) as client:
            yield client
    finally:
        await runner.cleanup()


async def test_too_many_requests_are_repeated_after_the_time_the_server_asks_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server(tmp_path, answer(429, headers={"Retry-After": "1"}), answer(kind="GraphSchedule"))
    async with connected(server, monkeypatch) as client:
        begun = time.monotonic()
        assert (await client.get(kube.SCHEDULES, SCHEDULE))["kind"] == "GraphSchedule"
        assert time.monotonic() - begun >= 1
    assert len(server.requests) == 2


async def test_a_server_that_stays_too_busy_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path, answer(429, headers={"Retry-After": "0"}, message="too busy"))
    async with connected(server, monkeypatch) as client:
        with pytest.raises(kube.UnavailableError, match="too busy"):
            await client.get(kube.SCHEDULES, SCHEDULE)


async def test_an_expired_token_is_replaced_by_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path, answer(401), answer())
    async with connected(server, monkeypatch) as client:
        server.write_kubeconfig("second")
        await client.get(kube.SCHEDULES, SCHEDULE)
    assert [request.headers["Authorization"] for request in server.requests] == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (404, kube.NotFoundError),
        (409, kube.ConflictError),
        (422, kube.ApiError),
        (403, kube.ApiError),
        (500, kube.UnavailableError),
        (503, kube.UnavailableError),
    ],
)
async def test_a_refusal_carries_the_servers_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, kind: type[kube.ApiError]
) -> None:
    server = Server(tmp_path, answer(status, message="because"))
    async with connected(server, monkeypatch) as client:
        with pytest.raises(kube.ApiError, match="because") as refused:
            await client.get(kube.SCHEDULES, SCHEDULE)
    assert type(refused.value) is kind
    assert refused.value.status == status


async def test_a_server_that_cannot_be_reached_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(tmp_path, answer())
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig))
    async with kube.Kube.connect(connections=1, timeout_seconds=2) as client:
        with pytest.raises(kube.UnavailableError, match="graphschedules/daily"):
            await client.get(kube.SCHEDULES, SCHEDULE)


async def test_a_list_is_read_page_by_page_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def page(*names: str, following: str = "") -> dict[str, Any]:
        metadata = {"resourceVersion": "7", "continue": following}
        return answer(metadata=metadata, items=[{"metadata": {"name": name}} for name in names])

    server = Server(tmp_path, page("a", "b", following="more"), page("c"))
    read: list[tuple[list[Any], int]] = []
    async with connected(server, monkeypatch) as client:
        async for items, version in client.list(kube.CRONJOBS, None, selector="ours", chunk=2):
            read.append((items, version))
    assert [[item["metadata"]["name"] for item in items] for items, _ in read] == [["a", "b"], ["c"]]
    assert {(item["apiVersion"], item["kind"]) for items, _ in read for item in items} == {("batch/v1", "CronJob")}
    assert {version for _, version in read} == {7}
    assert [request.query.get("continue") for request in server.requests] == [None, "more"]
    assert {request.query["labelSelector"] for request in server.requests} == {"ours"}
