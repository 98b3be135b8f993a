"""Uploaded files in the platform's object store, and when one has expired (C §4.4)."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "uploads/"
"""Where they lie. The files of workspaces lie elsewhere, and do not expire."""

LONGEST_LIFE = timedelta(hours=48)
"""The longest time, and the default, that the platform gives a file."""

_LAYOUT = re.compile(r"uploads/(?:(?:users|executions)/[^/]+|system)/[^/]+/[^/]+")


class Upload(NamedTuple):
    """An object as its store describes it."""

    path: str
    modified: datetime
    metadata: Mapping[str, str] | None
    """What the platform noted at the upload; None if the store keeps no notes, as folders do not."""


def has_expired(upload: Upload, now: datetime) -> bool:
    """Return whether a file may be deleted.

    With notes, once the time in them has passed; a file whose notes name none is kept. Without, once it is older than
    any file gets, if it lies where the platform puts uploads.
    """
    if upload.metadata is not None:
        expires = _instant(upload.metadata.get("expires_at"))
        return expires is not None and expires < now
    return bool(_LAYOUT.fullmatch(upload.path)) and upload.modified + LONGEST_LIFE < now


def _instant(text: str | None) -> datetime | None:
    """Return the time in a text, None unless it says which instant is meant."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time if time.tzinfo else None
