"""Embeddings of the store's listings and of the documentation: what lacks one, and what has one for nothing (C §4.8).

What counts as present is one rule for both questions. On the platform they differ: a version of a deleted listing is
missing to one and an orphan to the other, so it is embedded and deleted again on every run.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, exists, inspect, select

from graphschedule_platform import database
from graphschedule_platform.dialects import insert
from graphschedule_platform.standalone_tables import store_listing, unified_content_embedding
from graphschedule_platform.tables import store_listing_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from sqlalchemy import Connection, Select

STORE_AGENT = "STORE_AGENT"
DOCUMENTATION = "DOCUMENTATION"

DIMENSIONS = 1536
"""Numbers in a vector, as the platform's column takes them."""

_CHUNK = 1000
"""Ids in one statement."""

_embedding, _version = unified_content_embedding.c, store_listing_version.c


class Content(NamedTuple):
    """Something that can be searched for by its meaning."""

    type: str
    id: str
    text: str
    metadata: dict[str, Any]


def can_be_kept(connection: Connection) -> bool:
    """Return whether there is a table for them: a standalone database without pgvector has none."""
    return inspect(connection).has_table(unified_content_embedding.name, schema=database.schema_of(connection))


def missing_listings(connection: Connection, limit: int, except_ids: Collection[str] = ()) -> list[Content]:
    """Return up to `limit` versions of listings in the store that have no embedding."""
    embedded = exists().where(_embedding.content_type == STORE_AGENT, _embedding.content_id == _version.id)
    query = _in_store().where(~embedded, _version.id.not_in(except_ids)).order_by(_version.id).limit(limit)
    columns = (_version.id, _version.name, _version.sub_heading, _version.description, _version.categories)
    return [_listing(*row) for row in connection.execute(query.with_only_columns(*columns))]


def missing(connection: Connection, contents: Iterable[Content]) -> list[Content]:
    """Return those of some contents, all of one type, that have no embedding."""
    present = list(contents)
    embedded = embedded_ids(connection, present[0].type) if present else set()
    return [content for content in present if content.id not in embedded]


def save(connection: Connection, vectors: Iterable[tuple[Content, str]], now: datetime) -> None:
    """Write embeddings, each vector as text; what was embedded by somebody else meanwhile stays as it is."""
    rows = [
        {
            "id": str(uuid.uuid4()),
            "updated_at": now,
            "content_type": content.type,
            "content_id": content.id,
            "embedding": vector,
            "searchable_text": content.text,
            "metadata": content.metadata,
        }
        for content, vector in vectors
    ]
    if rows:
        connection.execute(insert(connection, unified_content_embedding).on_conflict_do_nothing(), rows)


def delete_orphaned_listings(connection: Connection) -> int:
    """Delete the embeddings of what is not in the store any more; return how many."""
    present = _in_store().where(_version.id == _embedding.content_id)
    orphans = delete(unified_content_embedding).where(_embedding.content_type == STORE_AGENT, ~present.exists())
    return connection.execute(orphans).rowcount


def delete_all_but(connection: Connection, type_: str, ids: Collection[str]) -> int:
    """Delete the embeddings of a type whose contents are not among `ids`; return how many."""
    orphans = sorted(embedded_ids(connection, type_) - set(ids))
    for start in range(0, len(orphans), _CHUNK):
        chunk = _embedding.content_id.in_(orphans[start : start + _CHUNK])
        connection.execute(delete(unified_content_embedding).where(_embedding.content_type == type_, chunk))
    return len(orphans)


def embedded_ids(connection: Connection, type_: str) -> set[str]:
    """Return what has an embedding, of one type."""
    return set(connection.scalars(select(_embedding.content_id).where(_embedding.content_type == type_)))


def _in_store() -> Select[Any]:
    """Return the query of the listings' versions that the store shows."""
    return (
        select(_version.id)
        .join_from(store_listing_version, store_listing, _version.store_listing_id == store_listing.c.id)
        .where(_version.submission_status == "APPROVED", _version.is_deleted.is_(False))
        .where(store_listing.c.is_deleted.is_(False))
    )


def _listing(id_: str, name: str, sub_heading: str, description: str, categories: list[str]) -> Content:
    words = " ".join(filter(None, [name, sub_heading, description, *categories]))
    return Content(STORE_AGENT, id_, words, {"name": name, "categories": categories})
