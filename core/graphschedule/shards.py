"""Shards: the arguments of many schedules in one file, for a runner that enqueues them all (M34).

A shard is a gzip file of run payloads, one a line. Equal members in any order make equal bytes, so that a shard can be
named after its content. Standard library only, for it is on the runner's cold-start path.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILE = "members.gz"
"""The key of the Secret, and so the name of the file."""

MAX_BYTES = 900_000
"""Limit of a shard's file: a Secret may hold 1 MiB."""

_LEVEL = 6


def weight(line: str) -> int:
    """Return the bytes that a payload takes in a shard, at most: what it takes when it is compressed alone."""
    return len(zlib.compress(line.encode(), _LEVEL))


def encode(payloads: Iterable[str]) -> bytes:
    """Return the file of encoded payloads. They lie in their order, so those of one graph lie together as a rule."""
    text = "\n".join(sorted(payloads))
    return gzip.compress(text.encode(), _LEVEL, mtime=0)


def digest(content: bytes) -> str:
    """Return ten hexadecimal digits that stand for a file."""
    return hashlib.sha256(content).hexdigest()[:10]


def lines(path: Path) -> Iterator[str]:
    """Yield the encoded payloads of a file as they are read: a shard need not fit into memory.

    Raises:
        InvalidValueError: the file cannot be read to its end, or is no gzip file of UTF-8 text.

    """
    try:
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as text:
            for line in text:
                yield line.rstrip("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InvalidValueError("shard", str(path), f"name a readable gzip file of run payloads ({error})") from error
