"""`cleanup-expired-files` (M20): delete expired uploads from an object store: GCS, S3, Azure, or a folder."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import obstore
from graphschedule.errors import InvalidValueError
from graphschedule_platform.errors import DependencyError
from graphschedule_platform.uploads import PREFIX, Upload, has_expired
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from graphschedule_runner.tasks.task import TaskResult

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from obstore import ObjectMeta
    from obstore.store import ObjectStore

    from graphschedule_runner.tasks.task import TaskContext

PAGE = 1000
"""Objects that are looked at, and deleted, together: as many as S3 lists and deletes with one request."""

PARALLEL = 10
"""Notes that are read at once, as on the platform (C §4.4): a listing has none."""

_NO_STORE = "no object store is set: CLOUD_STORAGE_URL and MEDIA_GCS_BUCKET_NAME are empty"
_FAULTS = (BaseError, OSError)

_log = logging.getLogger(__name__)


def run(context: TaskContext) -> TaskResult:
    """Delete what has expired; a file that cannot be looked at or deleted does not stop the others.

    Without a store there is nothing to do, as on the platform.

    Raises:
        InvalidValueError: the store's URL cannot be used.
        DependencyError: the store cannot be listed.

    """
    url = context.settings.cloud_storage_url
    if url is None:
        _log.warning(_NO_STORE)
        return TaskResult(_NO_STORE, _Cleaning().counts)
    place, store, done = _place(url), _open(url), _Cleaning()
    with ThreadPoolExecutor(PARALLEL) as pool:
        for page in _pages(store, place):
            if context.stopping():
                break
            done.looked += len(page)
            uploads = pool.map(lambda listed: _upload(store, listed, done), page)
            _delete(store, [one.path for one in uploads if one and has_expired(one, context.clock())], done)
    said = f"{done.deleted} of {done.looked} files deleted from {place}"
    return TaskResult("; ".join([said, *done.faults[:1]]), done.counts)


@dataclass
class _Cleaning:
    """What has been done so far."""

    looked: int = 0
    deleted: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int | str]:
        counts: dict[str, int | str] = {
            "looked_at": self.looked,
            "deleted": self.deleted,
            "failed": len(self.faults),
        }
        return counts | ({"error": self.faults[0]} if self.faults else {})


def _open(url: str) -> ObjectStore:
    """Return the store; credentials, regions and the like come from the environment, by each cloud's own names."""
    try:
        return from_url(url)
    except (ValueError, *_FAULTS) as error:
        cause = f" ({_cause(error)})" if url == _place(url) else ""  # which quotes the URL
        remedy = f"write gs://BUCKET, s3://BUCKET, az://CONTAINER or file:///FOLDER{cause}"
        raise InvalidValueError("CLOUD_STORAGE_URL", _place(url), remedy) from error


def _place(url: str) -> str:
    """Return the URL without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{parts.path}"


def _pages(store: ObjectStore, place: str) -> Iterator[Sequence[ObjectMeta]]:
    try:
        yield from obstore.list(store, PREFIX, chunk_size=PAGE)
    except _FAULTS as error:
        raise DependencyError(f"the object store {place} cannot be listed: {_cause(error)}") from error


def _upload(store: ObjectStore, listed: ObjectMeta, done: _Cleaning) -> Upload | None:
    """Return an object with its notes, None if it is gone or cannot be read."""
    path = listed["path"]
    if isinstance(store, LocalStore):
        return Upload(path, listed["last_modified"], None)
    try:
        notes = obstore.get(store, path, options={"head": True}).attributes
    except FileNotFoundError:
        return None
    except _FAULTS as error:
        done.faults.append(f"{path} cannot be read: {_cause(error)}")
        return None
    return Upload(path, listed["last_modified"], {str(name): value for name, value in notes.items()})


def _delete(store: ObjectStore, paths: list[str], done: _Cleaning) -> None:
    """Delete objects together; if that fails, one by one, for the store does not say which of them it has deleted."""
    try:
        if paths:
            obstore.delete(store, paths)
        done.deleted += len(paths)
    except _FAULTS:
        for path in paths:
            _delete_one(store, path, done)


def _delete_one(store: ObjectStore, path: str, done: _Cleaning) -> None:
    try:
        with suppress(FileNotFoundError):  # S3 does not tell what it deleted from what was gone, and so neither do we
            obstore.delete(store, path)
        done.deleted += 1
    except _FAULTS as error:
        done.faults.append(f"{path} cannot be deleted: {_cause(error)}")


def _cause(error: Exception) -> str:
    """Return the library's first line: what follows is for its authors."""
    return str(error).split("\n", 1)[0]
