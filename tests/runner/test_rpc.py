"""Calls to the platform's services: what is sent, what is made of answers, and what is tried again."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.errors import DependencyError
from graphschedule_runner import rpc

from tests.support.json_peer import Answer, JsonPeer, json_peer

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = rpc.Patience(connect_seconds=2, retries=0, max_wait_seconds=1, call_seconds=5)


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as made:
        yield made


def service(port: int) -> rpc.Service:
    return rpc.Service("notification service", "127.0.0.1", port)


def test_arguments_go_as_one_json_object_and_the_result_comes_back(peer: JsonPeer) -> None:
    peer.answer = lambda _: Answer({"deleted": 3})
    assert rpc.call(service(peer.port), PATIENCE, "clean_up", older_than=5, kinds=["a"]) == {"deleted": 3}
    assert rpc.call(service(peer.port), PATIENCE, "ping") == {"deleted": 3}
    assert peer.asked == [("/clean_up", {"older_than": 5, "kinds": ["a"]}), ("/ping", {})]


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (Answer({"type": "ValueError", "args": ["no such type"], "extras": None}, 400), "ValueError", "no such type"),
        (Answer({"type": "RuntimeError", "args": []}, 500), "RuntimeError", "500 RuntimeError"),
        (Answer({"detail": [{"loc": ["body", "x"], "msg": "Field required"}]}, 422), None, "Field required"),
        (Answer("down", 503), None, "503: down"),
    ],
)
def test_errors_name_service_method_and_what_it_said(
    peer: JsonPeer, answer: Answer, kind: str | None, said: str
) -> None:
    peer.answer = lambda _: answer
    with pytest.raises(
        rpc.RemoteError, match=rf"^queue of the notification service at 127.0.0.1:{peer.port}"
    ) as raised:
        rpc.call(service(peer.port), PATIENCE, "queue")
    assert raised.value.kind == kind
    assert said in str(raised.value)


def test_an_answer_that_is_no_json_is_a_fault_of_the_service() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n<ht>")

        threading.Thread(target=answer, daemon=True).start()
        with pytest.raises(DependencyError, match="200 and no JSON"):
            rpc.call(service(server.getsockname()[1]), PATIENCE, "queue")


def test_a_service_that_is_not_there_is_named_with_the_cause() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(DependencyError, match=rf"notification service at 127.0.0.1:{port}.*Connection refused"):
        rpc.call(service(port), PATIENCE, "queue")


def test_connecting_is_tried_again_until_the_service_is_there() -> None:
    with socket.socket() as late:
        late.bind(("127.0.0.1", 0))
        patience = replace(PATIENCE, retries=5)
        refused = threading.Event()

        def answer() -> None:
            refused.wait(0.5)  # long enough for a first try
            late.listen()
            connection, _ = late.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull")

        threading.Thread(target=answer, daemon=True).start()
        assert rpc.call(service(late.getsockname()[1]), patience, "queue") is None


def test_what_was_sent_is_not_sent_again(peer: JsonPeer) -> None:
    never = threading.Event()

    def answer(_: object) -> Answer:
        never.wait(3)
        return Answer()

    peer.answer = answer
    patience = rpc.Patience(connect_seconds=2, retries=5, max_wait_seconds=1, call_seconds=0.3)
    with pytest.raises(DependencyError, match="timed out"):
        rpc.call(service(peer.port), patience, "queue_weekly_summary")
    never.set()
    assert len(peer.calls) == 1


def test_proxies_of_the_environment_are_not_asked(peer: JsonPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert rpc.call(service(peer.port), PATIENCE, "ping") is None
