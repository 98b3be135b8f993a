"""Where the harness keeps what is dear to make: outside the tree, so that a fresh clone finds it again.

An entry is named by a key over all that decides its content, so a changed recipe never finds an old result.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def root() -> Path:
    """Return the cache's root: `$GRAPHSCHEDULE_CACHE`, else `graphschedule` in the user's XDG cache folder."""
    given = os.environ.get("GRAPHSCHEDULE_CACHE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphschedule"


def key(*parts: str | bytes) -> str:
    """Return 16 hexadecimal digits that change when any part, or the border between two parts, changes."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


def entry(kind: str, name: str, build: Callable[[Path], object]) -> Path:
    """Return the folder `KIND/NAME` of the cache, made by `build(folder)` if it is not there yet.

    Two processes never build the same entry: the second waits and finds it. A build that fails or is killed
    leaves no entry, because the folder gets its name only when it is complete.
    """
    folder = root() / kind / name
    if folder.exists():
        return folder
    with locked(folder):
        if not folder.exists():
            partial = folder.with_name(f"{name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            build(partial)
            partial.rename(folder)
    return folder


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock beside `path` (`PATH.lock`); the kernel frees it when this process ends, however it ends.

    Raises:
        BlockingIOError: another process holds it, and `wait` is false.

    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
