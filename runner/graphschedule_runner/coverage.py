"""Who makes embeddings and deletes those of what is gone (C §4.8): the platform's database manager, or we.

The manager does it for blocks too, which only the platform knows. We do it for the store's listings and for the
documentation, with any OpenAI-compatible endpoint, on the platform's tables.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from graphschedule_platform import embeddings
from graphschedule_platform.errors import DependencyError

from graphschedule_runner import rpc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from graphschedule_platform.embeddings import Content
    from sqlalchemy import Connection, Engine

    from graphschedule_runner.embedder import Embedder

BATCH = 100


class Batch(NamedTuple):
    """What became of a batch."""

    success: int
    failed: int
    fault: str | None = None
    """Why none of it succeeded."""


class Coverage(Protocol):
    """Who does it."""

    def is_complete(self) -> bool:
        """Return whether nothing is missing."""

    def embed_batch(self) -> Batch:
        """Embed up to `BATCH` of what is missing."""

    def delete_orphans(self) -> int:
        """Delete the embeddings of what is gone; return how many."""


@dataclass(frozen=True, slots=True)
class ByManager(Coverage):
    """The database manager. Its methods raise `DependencyError` where it does not do its part."""

    service: rpc.Service
    patience: rpc.Patience

    def is_complete(self) -> bool:
        """See `Coverage`."""
        stats = self._call("get_embedding_stats")
        if error := stats.get("error"):
            raise DependencyError(f"get_embedding_stats of the {self.service} failed: {error}")
        return self._number(stats, "without_embeddings") == 0

    def embed_batch(self) -> Batch:
        """See `Coverage`."""
        done = self._call("backfill_missing_embeddings", batch_size=BATCH)
        success, failed = self._number(done, "success"), self._number(done, "failed")
        fault = f"the {self.service} could embed none of {failed}; its log says why"
        return Batch(success, failed, fault if failed and not success else None)

    def delete_orphans(self) -> int:
        """See `Coverage`."""
        return self._number(self._call("cleanup_orphaned_embeddings"), "deleted")

    def _call(self, method: str, **arguments: object) -> dict[str, Any]:
        body = rpc.call(self.service, self.patience, method, **arguments)
        if not isinstance(body, dict):
            raise DependencyError(f"{method} of the {self.service} answered no object")
        return body

    def _number(self, body: dict[str, Any], name: str) -> int:
        """Return a count of an answer; most answers have it among their totals over all types."""
        number = body.get("totals", body).get(name)
        if not isinstance(number, int):
            raise DependencyError(f"the {self.service} answered without a number called {name}")
        return number


@dataclass(slots=True)
class ByEndpoint(Coverage):
    """We, with an endpoint. Embeddings of blocks are left alone."""

    engine: Engine
    embedder: Embedder
    docs: Sequence[Content] | None
    """All sections of the documentation; None means that there is none, and embeddings of it are left alone."""
    clock: Callable[[], datetime]
    _refused: set[str] = field(default_factory=set, init=False)
    """The ids of what the endpoint does not take: they are not tried twice."""

    def is_complete(self) -> bool:
        """See `Coverage`."""
        with self.engine.connect() as connection:
            return not self._missing(connection, 1)

    def embed_batch(self) -> Batch:
        """See `Coverage`."""
        with self.engine.connect() as connection:
            contents = self._missing(connection, BATCH)
        try:
            vectors = self.embedder.embed([content.text for content in contents]) if contents else []
        except DependencyError as error:
            return Batch(0, len(contents), str(error))
        return self._saved(list(zip(contents, vectors, strict=True)))

    def delete_orphans(self) -> int:
        """See `Coverage`."""
        with self.engine.begin() as connection:
            deleted = embeddings.delete_orphaned_listings(connection)
            if self.docs is not None:
                present = {section.id for section in self.docs}
                deleted += embeddings.delete_all_but(connection, embeddings.DOCUMENTATION, present)
        return deleted

    def _missing(self, connection: Connection, limit: int) -> list[Content]:
        """Return up to `limit` of what has no embedding, listings first."""
        listings = embeddings.missing_listings(connection, limit, self._refused)
        sections = embeddings.missing(connection, self.docs or ())
        return [*listings, *(section for section in sections if section.id not in self._refused)][:limit]

    def _saved(self, answers: Sequence[tuple[Content, str | None]]) -> Batch:
        made = [(content, vector) for content, vector in answers if vector]
        with self.engine.begin() as connection:
            embeddings.save(connection, made, self.clock())
        refused = {content.id for content, vector in answers if not vector}
        self._refused |= refused
        fault = f"{self.embedder} takes none of {len(refused)} texts"
        return Batch(len(made), len(refused), fault if refused and not made else None)
