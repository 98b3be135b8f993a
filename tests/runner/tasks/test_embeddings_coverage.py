"""The embeddings' task: on a real pgvector with an endpoint, and with the platform's database manager as a peer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform import tables
from graphschedule_platform.embeddings import Content, save
from graphschedule_platform.errors import DependencyError
from graphschedule_platform.standalone_tables import store_listing, unified_content_embedding
from graphschedule_runner import embedder
from graphschedule_runner.coverage import BATCH, Batch, Coverage
from graphschedule_runner.tasks import ensure_embeddings_coverage
from sqlalchemy import select, text, update

from tests.runner.embeddings_endpoint import Endpoint, embeddings_endpoint, vector
from tests.runner.tasks.contexts import NOW, context
from tests.support import builders
from tests.support.json_peer import Answer, Call, JsonPeer, json_peer
from tests.support.platforms import on_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection, Engine


NOTHING = {"backfill": {"processed": 0, "success": 0, "failed": 0}, "cleanup": {"deleted": 0}}


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with embeddings_endpoint() as running:
        yield running


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensure_embeddings_coverage, "PAUSE", 0)
    monkeypatch.setattr(embedder._RETRY, "backoff_factor", 0)


def run(engine: Engine, endpoint: Endpoint, docs: Path | None = None) -> dict[str, Any]:
    folder: dict[str, str | int] = {"DOCS_FOLDER": str(docs)} if docs else {}
    return dict(ensure_embeddings_coverage.run(context(engine, endpoint.environment | folder)).counts)


def counts(success: int, failed: int = 0, deleted: int = 0) -> dict[str, Any]:
    backfill = {"processed": success + failed, "success": success, "failed": failed}
    return {"backfill": backfill, "cleanup": {"deleted": deleted}}


def publish(engine: Engine, *, status: str = "APPROVED", is_deleted: bool = False) -> str:
    """Put a graph of a new user into the store; return the id of the listing's version."""
    with engine.begin() as connection:
        graph = builders.make_graph(connection, builders.make_user(connection))
        return builders.make_store_version(connection, graph, status=status, is_deleted=is_deleted)


def withdraw(engine: Engine, version_id: str) -> None:
    """Delete a version's listing."""
    version = tables.store_listing_version.c
    listing_id = select(version.store_listing_id).where(version.id == version_id).scalar_subquery()
    with engine.begin() as connection:
        connection.execute(update(store_listing).values(is_deleted=True).where(store_listing.c.id == listing_id))


def write_sections(folder: Path, count: int) -> None:
    (folder / "guide.md").write_text("".join(f"## Part {number}\nWords.\n" for number in range(count)), "utf-8")


def embedded(engine: Engine) -> set[tuple[str, str]]:
    """Return type and id of all that has an embedding."""
    columns = unified_content_embedding.c
    with engine.connect() as connection:
        return {(row[0], row[1]) for row in connection.execute(select(columns.content_type, columns.content_id))}


def embed(connection: Connection, type_: str, id_: str) -> None:
    save(connection, [(Content(type_, id_, "words", {}), str(vector("words")))], NOW)


def test_what_is_in_the_store_gets_its_embedding_once(vectors_db: Engine, endpoint: Endpoint) -> None:
    version_id = publish(vectors_db)
    with vectors_db.begin() as connection:
        values = {"name": "Poet", "sub_heading": "Rhymes", "description": "Writes.", "categories": ["art", "fun"]}
        connection.execute(update(tables.store_listing_version).values(values))
    assert run(vectors_db, endpoint) == counts(1)
    assert endpoint.batches == [["Poet Rhymes Writes. art fun"]]
    found = text("""
        SELECT "contentId", "contentType", "userId", "searchableText", metadata, platform.vector_dims(embedding) AS size
        FROM platform."UnifiedContentEmbedding"
        ORDER BY embedding OPERATOR(platform.<=>) CAST(:near AS platform.vector)
    """)
    with vectors_db.connect() as connection:
        (row,) = connection.execute(found, {"near": str(vector("Poet"))}).mappings()
    assert row == {
        "contentId": version_id,
        "contentType": "STORE_AGENT",
        "userId": None,
        "searchableText": "Poet Rhymes Writes. art fun",
        "metadata": {"name": "Poet", "categories": ["art", "fun"]},
        "size": 1536,
    }
    assert run(vectors_db, endpoint) == NOTHING
    assert len(endpoint.batches) == 1


def test_what_the_store_does_not_show_is_neither_made_nor_kept(vectors_db: Engine, endpoint: Endpoint) -> None:
    shown = publish(vectors_db)
    hidden = [publish(vectors_db, status="PENDING"), publish(vectors_db, is_deleted=True), publish(vectors_db)]
    withdraw(vectors_db, hidden[2])
    assert run(vectors_db, endpoint) == counts(1)
    with vectors_db.begin() as connection:
        for id_ in (*hidden, builders.new_id()):
            embed(connection, "STORE_AGENT", id_)
    assert run(vectors_db, endpoint) == counts(0, deleted=4)
    assert run(vectors_db, endpoint) == NOTHING
    assert embedded(vectors_db) == {("STORE_AGENT", shown)}


def test_the_documentations_sections_come_and_go_with_their_files(
    vectors_db: Engine, endpoint: Endpoint, tmp_path: Path
) -> None:
    write_sections(tmp_path, 3)
    assert run(vectors_db, endpoint, tmp_path) == counts(3)
    write_sections(tmp_path, 1)
    (tmp_path / "more.mdx").write_text("More.", "utf-8")
    assert run(vectors_db, endpoint, tmp_path) == counts(1, deleted=2)
    assert embedded(vectors_db) == {("DOCUMENTATION", "guide.md::0"), ("DOCUMENTATION", "more.mdx::0")}
    assert run(vectors_db, endpoint) == NOTHING, "without a folder the documentation's embeddings are left alone"


def test_a_folder_that_is_not_mounted_costs_no_embedding(
    vectors_db: Engine, endpoint: Endpoint, tmp_path: Path
) -> None:
    write_sections(tmp_path, 1)
    run(vectors_db, endpoint, tmp_path)
    (tmp_path / "guide.md").unlink()
    with pytest.raises(InvalidValueError, match="DOCS_FOLDER"):
        run(vectors_db, endpoint, tmp_path)
    assert embedded(vectors_db) == {("DOCUMENTATION", "guide.md::0")}


def test_embeddings_of_blocks_and_of_users_are_left_alone(
    vectors_db: Engine, endpoint: Endpoint, tmp_path: Path
) -> None:
    write_sections(tmp_path, 1)
    with vectors_db.begin() as connection:
        embed(connection, "BLOCK", builders.new_id())
        embed(connection, "LIBRARY_AGENT", builders.new_id())
    assert run(vectors_db, endpoint, tmp_path) == counts(1)
    assert len(embedded(vectors_db)) == 3


def test_batches_of_a_hundred_are_made_until_none_is_left(
    vectors_db: Engine, endpoint: Endpoint, tmp_path: Path
) -> None:
    publish(vectors_db)
    write_sections(tmp_path, 2 * BATCH)
    assert run(vectors_db, endpoint, tmp_path) == counts(2 * BATCH + 1)
    assert [len(batch) for batch in endpoint.batches] == [100, 100, 1]


def test_what_the_endpoint_refuses_is_counted_and_tried_again_by_the_next_run_only(
    vectors_db: Engine, endpoint: Endpoint, tmp_path: Path
) -> None:
    write_sections(tmp_path, BATCH + 1)
    endpoint.refuses = lambda words: "Part 7\n" in words
    assert run(vectors_db, endpoint, tmp_path) == counts(BATCH, 1)
    assert len(embedded(vectors_db)) == BATCH
    fault = f"the embeddings endpoint {endpoint.peer.url} takes none of 1 texts"
    assert run(vectors_db, endpoint, tmp_path) == counts(0, 1) | {"error": fault}
    endpoint.refuses = lambda _: False
    assert run(vectors_db, endpoint, tmp_path) == counts(1)


def test_an_endpoint_that_fails_stops_the_run_after_one_batch_but_not_the_clean_up(
    vectors_db: Engine, endpoint: Endpoint, tmp_path: Path
) -> None:
    write_sections(tmp_path, BATCH + 1)
    with vectors_db.begin() as connection:
        embed(connection, "STORE_AGENT", builders.new_id())
    endpoint.instead = [Answer({}, 401)]
    fault = f"the embeddings endpoint {endpoint.peer.url} answered 401; check OPENAI_INTERNAL_API_KEY"
    assert run(vectors_db, endpoint, tmp_path) == counts(0, BATCH, deleted=1) | {"error": fault}
    assert len(endpoint.batches) == 1
    assert run(vectors_db, endpoint, tmp_path) == counts(BATCH + 1)


def test_a_key_is_asked_for_only_where_something_is_missing(vectors_db: Engine) -> None:
    assert ensure_embeddings_coverage.run(context(vectors_db, {})).counts == NOTHING
    publish(vectors_db)
    with pytest.raises(InvalidValueError, match="OPENAI_INTERNAL_API_KEY"):
        ensure_embeddings_coverage.run(context(vectors_db, {}))


class Scripted(Coverage):
    """A coverage whose batches are known beforehand."""

    def __init__(self, *batches: Batch) -> None:
        self.batches = list(batches)
        self.cleaned = False

    def is_complete(self) -> bool:
        return not self.batches

    def embed_batch(self) -> Batch:
        assert not self.cleaned
        return self.batches.pop(0)

    def delete_orphans(self) -> int:
        self.cleaned = True
        return 2


@pytest.mark.parametrize(
    ("batches", "naps", "expected"),
    [
        ([], 0, counts(0, deleted=2)),
        ([Batch(100, 0), Batch(0, 0)], 1, counts(100, deleted=2)),
        ([Batch(1, 99), Batch(0, 100, "down"), Batch(1, 0)], 1, counts(1, 199, deleted=2) | {"error": "down"}),
    ],
)
def test_a_second_passes_between_batches_and_the_orphans_go_last(
    monkeypatch: pytest.MonkeyPatch, batches: list[Batch], naps: int, expected: dict[str, Any]
) -> None:
    monkeypatch.undo()
    slept: list[float] = []
    result = ensure_embeddings_coverage.cover(Scripted(*batches), lambda: False, slept.append)
    assert (result.counts, slept) == (expected, [1.0] * naps)


def test_a_run_that_is_told_to_stop_begins_no_further_step() -> None:
    coverage = Scripted(Batch(1, 0), Batch(1, 0))
    result = ensure_embeddings_coverage.cover(coverage, lambda: len(coverage.batches) < 2, lambda _: None)
    assert (result.counts, coverage.cleaned) == (counts(1), False)


@pytest.fixture
def manager() -> Iterator[JsonPeer]:
    with json_peer() as peer:
        yield peer


def by_manager(engine: Engine, manager: JsonPeer) -> dict[str, Any]:
    at_hand: dict[str, str | int] = {"DATABASEMANAGER_HOST": "127.0.0.1", "DATABASE_API_PORT": manager.port}
    return dict(ensure_embeddings_coverage.run(context(engine, at_hand)).counts)


def answers(*batches: dict[str, int], missing: int) -> Any:  # noqa: ANN401 - a peer's answer
    """Return what a database manager answers."""
    left = list(batches)

    def answer(call: Call) -> Answer:
        match call.path:
            case "/get_embedding_stats":
                return Answer({"by_type": {}, "totals": {"total": 150, "without_embeddings": missing}})
            case "/backfill_missing_embeddings":
                return Answer(left.pop(0) | {"message": "done"})
            case _:
                return Answer({"by_type": {}, "totals": {"deleted": 3}})

    return answer


@on_postgresql
def test_a_database_without_vectors_needs_no_embeddings(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        connection.execute(text('DROP TABLE IF EXISTS platform."UnifiedContentEmbedding"'))
    result = ensure_embeddings_coverage.run(context(platform_db, {}))
    assert (result.counts, result.text) == (NOTHING, "the database keeps no embeddings, for it lacks pgvector")


def test_the_platforms_database_manager_does_it_where_there_is_one(platform_db: Engine, manager: JsonPeer) -> None:
    done = {"processed": 100, "success": 98, "failed": 2}
    manager.answer = answers(done, {"processed": 2, "success": 0, "failed": 2}, missing=100)
    fault = f"the database manager at 127.0.0.1:{manager.port} could embed none of 2; its log says why"
    assert by_manager(platform_db, manager) == counts(98, 4, deleted=3) | {"error": fault}
    assert manager.asked == [
        ("/get_embedding_stats", {}),
        ("/backfill_missing_embeddings", {"batch_size": 100}),
        ("/backfill_missing_embeddings", {"batch_size": 100}),
        ("/cleanup_orphaned_embeddings", {}),
    ]


def test_a_database_manager_to_which_nothing_is_missing_only_cleans_up(platform_db: Engine, manager: JsonPeer) -> None:
    manager.answer = answers(missing=0)
    assert by_manager(platform_db, manager) == counts(0, deleted=3)


@pytest.mark.parametrize(
    ("answer", "part"),
    [
        (Answer({"by_type": {}, "totals": {}, "error": "no table"}), "failed: no table"),
        (Answer({"type": "RuntimeError", "args": ["no pool"]}, 500), "no pool"),
        (Answer([]), "no object"),
        (Answer({"totals": {}}), "without a number called without_embeddings"),
    ],
)
def test_a_database_manager_that_fails_is_named_and_the_next_run_recovers(
    platform_db: Engine, manager: JsonPeer, answer: Answer, part: str
) -> None:
    manager.answer = lambda _: answer
    with pytest.raises(DependencyError, match=rf"database manager at 127\.0\.0\.1:{manager.port}.*{part}"):
        by_manager(platform_db, manager)
    manager.answer = answers(missing=0)
    assert by_manager(platform_db, manager) == counts(0, deleted=3)
