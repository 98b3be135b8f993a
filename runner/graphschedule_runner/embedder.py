"""Vectors from any endpoint that speaks OpenAI's protocol: `POST /embeddings` with a model and texts."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from graphschedule.errors import InvalidValueError
from graphschedule_platform.embeddings import DIMENSIONS
from graphschedule_platform.errors import DependencyError
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from graphschedule_runner.rpc import cause

if TYPE_CHECKING:
    from collections.abc import Sequence

OPENAI_URL = "https://api.openai.com/v1"

LONG = 24_000
"""Characters of a text that are embedded: in most texts about 6,000 tokens, of the 8,191 that the models take."""

SURELY_SHORT = 8191
"""Bytes of UTF-8 that are embedded if more is refused: no tokenizer makes more tokens than there are bytes."""

TIMEOUT = 60
"""Seconds to wait for an answer."""

_BUSY = (429, 500, 502, 503, 504)
_REFUSED = (400, 413, 422)

_RETRY = Retry(
    total=3,
    backoff_factor=1,
    status_forcelist=_BUSY,
    allowed_methods={"POST"},
    raise_on_status=False,
    retry_after_max=60,
)

_log = logging.getLogger(__name__)


class _RefusedError(Exception):
    """The endpoint does not take these texts."""


@dataclass(frozen=True, slots=True)
class Embedder:
    """An endpoint and one of its models."""

    url: str
    """The base of its paths, such as `https://api.openai.com/v1`."""
    model: str
    key: str | None = field(repr=False)

    def embed(self, texts: Sequence[str]) -> list[str | None]:
        """Return the vector of each text in pgvector's form; None for a text that the endpoint does not take.

        Raises:
            InvalidValueError: the endpoint's URL or key cannot be used.
            DependencyError: the endpoint is down, refuses us, or is no such endpoint.

        """
        self._check()
        try:
            return list(self._vectors([text[:LONG] for text in texts]))
        except _RefusedError:
            return [self._alone(text) for text in texts]

    def _check(self) -> None:
        if urlsplit(self.url).scheme not in {"http", "https"}:
            raise InvalidValueError("EMBEDDING_URL", urlsplit(self.url).scheme, "write an http or https URL")
        if self.url == OPENAI_URL and not self.key:
            remedy = "set it, or EMBEDDING_URL to an endpoint that needs none"
            raise InvalidValueError("OPENAI_INTERNAL_API_KEY", None, remedy)

    def _alone(self, text: str) -> str | None:
        try:
            (vector,) = self._vectors([text.encode()[:SURELY_SHORT].decode(errors="ignore")])
        except _RefusedError as error:
            _log.warning("a text of %d characters has no embedding: %s", len(text), error)
            return None
        return vector

    def _vectors(self, texts: Sequence[str]) -> list[str]:
        response = self._post(texts)
        if response.status_code in _REFUSED:
            raise _RefusedError(f"{self} refuses it with {response.status_code}")
        if not response.ok:
            raise DependencyError(f"{self} answered {response.status_code}{_REMEDIES.get(response.status_code, '')}")
        try:
            answers = sorted(response.json()["data"], key=lambda answer: answer["index"])
            vectors = [[float(number) for number in answer["embedding"]] for answer in answers]
        except (ValueError, KeyError, TypeError) as error:
            raise DependencyError(f"{self} answered without embeddings") from error
        if [len(vector) for vector in vectors] != [DIMENSIONS] * len(texts):
            sizes = sorted({len(vector) for vector in vectors})
            wanted = f"{len(texts)} vectors of {DIMENSIONS} numbers, which the platform's table takes"
            raise DependencyError(f"{self} gave {len(vectors)} vectors of {sizes} numbers instead of {wanted}")
        return [f"[{','.join(map(str, vector))}]" for vector in vectors]

    def _post(self, texts: Sequence[str]) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        with requests.Session() as session:
            session.mount("http://", HTTPAdapter(max_retries=_RETRY))
            session.mount("https://", HTTPAdapter(max_retries=_RETRY))
            try:
                return session.post(
                    f"{self.url.rstrip('/')}/embeddings",
                    json={"model": self.model, "input": texts},
                    headers=headers,
                    timeout=TIMEOUT,
                )
            except requests.RequestException as error:
                raise DependencyError(f"{self} cannot be asked: {cause(error)}") from error

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return f"the embeddings endpoint {parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}"


_REMEDIES = {
    401: "; check OPENAI_INTERNAL_API_KEY",
    403: "; check OPENAI_INTERNAL_API_KEY",
    404: "; check EMBEDDING_URL and STORE_EMBEDDING_MODEL",
}
