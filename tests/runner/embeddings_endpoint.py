"""An endpoint that speaks OpenAI's protocol, and gives a vector that says how long a text is."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from graphschedule_platform.embeddings import DIMENSIONS

from tests.support.json_peer import Answer, Call, JsonPeer, json_peer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REFUSAL = Answer({"error": {"message": "no", "type": "invalid_request_error"}}, 400)


@dataclass
class Endpoint:
    """The endpoint. It refuses requests with a text that `refuses` says, as a whole."""

    peer: JsonPeer
    refuses: Callable[[str], bool] = lambda _: False
    instead: list[Answer] = field(default_factory=list)
    """What to answer to the next requests in place of vectors."""

    @property
    def environment(self) -> dict[str, str | int]:
        """The variables that lead to it."""
        return {"EMBEDDING_URL": f"{self.peer.url}/v1", "STORE_EMBEDDING_MODEL": "small"}

    @property
    def batches(self) -> list[list[str]]:
        """The texts of each request."""
        return [call.body["input"] for call in self.peer.calls]

    def answer(self, call: Call) -> Answer:
        """Answer one request, the vectors in another order than asked for."""
        if self.instead:
            return self.instead.pop(0)
        texts = call.body["input"]
        if any(map(self.refuses, texts)):
            return REFUSAL
        vectors = [{"index": index, "embedding": vector(text)} for index, text in enumerate(texts)]
        return Answer({"object": "list", "model": call.body["model"], "data": vectors[::-1]})


def vector(text: str) -> list[float]:
    """Return the vector of a text."""
    return [float(len(text)), 0.5, *[0.0] * (DIMENSIONS - 2)]


@contextmanager
def embeddings_endpoint() -> Iterator[Endpoint]:
    """Run an endpoint on a free port."""
    with json_peer() as peer:
        endpoint = Endpoint(peer)
        peer.answer = endpoint.answer
        yield endpoint
