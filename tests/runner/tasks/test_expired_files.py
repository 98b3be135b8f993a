"""The task that deletes expired uploads: on a real S3 server with several pages, an emulator of GCS, a folder."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

import obstore
import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform import database
from graphschedule_platform.errors import DependencyError
from graphschedule_runner.tasks import cleanup_expired_files
from obstore.store import from_url

from tests.runner.tasks.contexts import NOW, context
from tests.support.object_proxy import object_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from graphschedule_runner.tasks.task import TaskResult

    from dev.services.google_storage import GoogleStorage
    from dev.services.object_store import ObjectStores

YESTERDAY = (NOW - timedelta(days=1)).isoformat()
TOMORROW = (NOW + timedelta(days=1)).isoformat()


def clean(url: str | None, stopping: Callable[[], bool] = lambda: False) -> TaskResult:
    """Run the task, which has no use for a database."""
    engine = database.engine("sqlite:////nowhere.db")
    return cleanup_expired_files.run(context(engine, {"CLOUD_STORAGE_URL": url} if url else {}, stopping=stopping))


@pytest.fixture
def bucket(s3_server: ObjectStores, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{s3_server.bucket()}"


def notes(expires_at: str) -> dict[str, str]:
    return {"expires_at": expires_at, "expiration_hours": "48"}


def upload(url: str, paths: Iterable[str], expires_at: str | None = YESTERDAY) -> None:
    store = from_url(url)
    attributes = {} if expires_at is None else notes(expires_at)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda path: obstore.put(store, path, b"content", attributes=attributes), paths))


def left(url: str) -> set[str]:
    return {listed["path"] for page in obstore.list(from_url(url)) for listed in page}


def test_every_page_of_the_listing_is_cleaned(bucket: str) -> None:
    kept = [f"uploads/users/u/{number:04}/kept" for number in range(0, 1200, 50)]
    upload(bucket, [f"uploads/users/u/{number:04}/gone" for number in range(1200)])
    upload(bucket, kept, TOMORROW)
    result = clean(bucket)
    assert result.counts == {"looked_at": 1224, "deleted": 1200, "failed": 0}
    assert result.text == f"1200 of 1224 files deleted from {bucket}"
    assert left(bucket) == set(kept)
    assert clean(bucket).counts == {"looked_at": 24, "deleted": 0, "failed": 0}


def test_the_platforms_own_store_is_cleaned(gcs_server: GoogleStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in gcs_server.environment.items():
        monkeypatch.setenv(name, value)
    bucket = gcs_server.bucket()
    gcs_server.upload(bucket, [f"uploads/executions/e/{number}/gone" for number in range(1100)], notes(YESTERDAY))
    gcs_server.upload(bucket, ["uploads/system/1/kept"], notes(TOMORROW))
    gcs_server.upload(bucket, ["uploads/system/2/unnoted"], {})
    url = f"gs://{bucket}"
    assert clean(url).counts == {"looked_at": 1102, "deleted": 1100, "failed": 0}
    assert left(url) == {"uploads/system/1/kept", "uploads/system/2/unnoted"}


def test_files_without_a_time_in_their_notes_and_files_elsewhere_are_kept(bucket: str) -> None:
    kept = ["uploads/system/1/unnoted", "uploads/system/2/odd", "workspaces/w/1/file"]
    upload(bucket, kept[:1], None)
    upload(bucket, kept[1:2], "next week")
    upload(bucket, kept[2:])
    upload(bucket, ["uploads/executions/e/1/out.csv"])
    assert clean(bucket).counts["deleted"] == 1
    assert left(bucket) == set(kept)


def test_a_file_that_cannot_be_read_or_deleted_does_not_stop_the_others(
    bucket: str, s3_server: ObjectStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(bucket, [f"uploads/system/{number}/file" for number in range(5)])
    with object_proxy(s3_server.endpoint) as proxy:

        def denies(method: str, path: str) -> bool:
            """Deny to read one, to delete the others together, and to delete the first of them alone."""
            deletions = sum(method == "POST" for method, _ in proxy.requests)
            return (method == "HEAD" and "/1/" in path) or (method == "POST" and deletions <= 2)

        proxy.denies = denies
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        result = clean(bucket)
    assert (result.counts["deleted"], result.counts["failed"]) == (3, 2)
    assert str(result.counts["error"]).startswith("uploads/system/1/file cannot be read: ")
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server.endpoint)
    assert left(bucket) == {"uploads/system/0/file", "uploads/system/1/file"}


def test_a_store_that_cannot_be_listed_is_named_and_the_next_run_recovers(
    bucket: str, s3_server: ObjectStores, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload(bucket, ["uploads/system/1/file"])
    with object_proxy(s3_server.endpoint) as proxy:
        proxy.denies = lambda *_: True
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        with pytest.raises(DependencyError, match=f"the object store {bucket} cannot be listed: .*403") as caught:
            clean(bucket)
        assert "\n" not in str(caught.value)
        proxy.denies = lambda *_: False
        assert clean(bucket).counts["deleted"] == 1


def test_a_run_that_is_told_to_stop_begins_no_further_page(bucket: str) -> None:
    upload(bucket, ["uploads/system/1/file"])
    assert clean(bucket, stopping=lambda: True).counts == {"looked_at": 0, "deleted": 0, "failed": 0}


def test_in_a_folder_files_go_by_their_age_and_their_place(tmp_path: Path) -> None:
    files = {
        "uploads/users/u/1/old": timedelta(hours=49),
        "uploads/users/u/1/young": timedelta(hours=47),
        "uploads/README": timedelta(days=365),
        "other/users/u/1/old": timedelta(days=365),
    }
    for path, age in files.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("content")
        time = (NOW - age).timestamp()
        os.utime(file, (time, time))
    assert clean(tmp_path.as_uri()).counts == {"looked_at": 3, "deleted": 1, "failed": 0}
    assert left(tmp_path.as_uri()) == files.keys() - {"uploads/users/u/1/old"}


def test_a_folder_without_uploads_is_clean(tmp_path: Path) -> None:
    assert clean(tmp_path.as_uri()).counts == {"looked_at": 0, "deleted": 0, "failed": 0}


def test_without_a_store_nothing_is_done_and_the_settings_are_named() -> None:
    result = clean(None)
    assert result.text is not None
    assert "CLOUD_STORAGE_URL" in result.text
    assert result.counts == {"looked_at": 0, "deleted": 0, "failed": 0}


@pytest.mark.parametrize("url", ["ftp://user:secret@host/files", "nonsense", "file:///no/such/folder"])
def test_a_url_that_is_no_store_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(InvalidValueError, match="CLOUD_STORAGE_URL") as caught:
        clean(url)
    assert "secret" not in str(caught.value)
