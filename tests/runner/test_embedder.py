"""Vectors from an OpenAI-compatible endpoint, and how one that does not do its part is told of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform.errors import DependencyError
from graphschedule_runner import embedder
from graphschedule_runner.embedder import Embedder

from tests.runner.embeddings_endpoint import Endpoint, embeddings_endpoint, vector
from tests.support.json_peer import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with embeddings_endpoint() as running:
        yield running


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedder._RETRY, "backoff_factor", 0)


def of(endpoint: Endpoint, key: str | None = None) -> Embedder:
    return Embedder(f"{endpoint.peer.url}/v1", "small", key)


def test_each_text_has_its_own_vector_whatever_the_order_of_the_answer(endpoint: Endpoint) -> None:
    given = [json.loads(text or "") for text in of(endpoint, "s3cret").embed(["a", "bbb"])]
    assert given == [vector("a"), vector("bbb")]
    (call,) = endpoint.peer.calls
    assert (call.path, call.body) == ("/v1/embeddings", {"model": "small", "input": ["a", "bbb"]})
    assert call.headers["Authorization"] == "Bearer s3cret"


def test_an_endpoint_that_needs_no_key_is_shown_none(endpoint: Endpoint) -> None:
    of(endpoint).embed(["a"])
    assert "Authorization" not in endpoint.peer.calls[0].headers


def test_a_text_that_is_refused_costs_only_itself(endpoint: Endpoint) -> None:
    endpoint.refuses = lambda text: "bad" in text
    good, bad, other = of(endpoint).embed(["good", "bad", "other"])
    assert good
    assert other
    assert bad is None
    assert endpoint.batches == [["good", "bad", "other"], ["good"], ["bad"], ["other"]]


def test_a_text_that_is_refused_for_its_length_is_embedded_as_far_as_surely_fits(endpoint: Endpoint) -> None:
    endpoint.refuses = lambda text: len(text.encode()) > embedder.SURELY_SHORT
    (given,) = of(endpoint).embed(["€" * 50_000])
    assert given
    assert [len(text) for (text,) in endpoint.batches] == [embedder.LONG, embedder.SURELY_SHORT // 3]


def test_a_busy_endpoint_is_asked_again(endpoint: Endpoint) -> None:
    endpoint.instead = [Answer({}, 429), Answer({}, 503)]
    assert of(endpoint).embed(["a"])[0]
    assert len(endpoint.batches) == 3


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (Answer({}, 401), "answered 401; check OPENAI_INTERNAL_API_KEY"),
        (Answer({}, 404), "answered 404; check EMBEDDING_URL and STORE_EMBEDDING_MODEL"),
        (Answer({}, 500), "answered 500"),
        (Answer([]), "answered without embeddings"),
        (Answer({"data": [{"index": 0}]}), "answered without embeddings"),
        (Answer({"data": [{"index": 0, "embedding": [None]}]}), "answered without embeddings"),
        (Answer({"data": []}), "gave 0 vectors"),
        (Answer({"data": [{"index": 0, "embedding": [0.5] * 768}]}), r"gave 1 vectors of \[768\] numbers"),
    ],
)
def test_an_endpoint_that_gives_no_vectors_is_named_without_its_key(
    endpoint: Endpoint, answer: Answer, part: str
) -> None:
    endpoint.instead = [answer] * 4
    with pytest.raises(DependencyError, match=f"the embeddings endpoint {endpoint.peer.url} {part}") as caught:
        of(endpoint, "s3cret").embed(["a"])
    assert "s3cret" not in str(caught.value)


def test_an_endpoint_that_is_down_is_named() -> None:
    with pytest.raises(DependencyError, match=r"http://127\.0\.0\.1:1 cannot be asked: .*refused") as caught:
        Embedder("http://user:s3cret@127.0.0.1:1/v1", "small", None).embed(["a"])
    assert "s3cret" not in str(caught.value)


def test_without_a_key_openai_is_not_asked() -> None:
    with pytest.raises(InvalidValueError, match=r"OPENAI_INTERNAL_API_KEY.* EMBEDDING_URL"):
        Embedder(embedder.OPENAI_URL, "small", None).embed(["a"])


def test_a_url_of_another_kind_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="EMBEDDING_URL"):
        Embedder("ftp://host/v1", "small", None).embed(["a"])
