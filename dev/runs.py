"""Folders of running servers: each held by the process that made it, and swept by the next one if that process died."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from dev import containers, processes

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def folder(name: str) -> Iterator[Path]:
    """Give an empty folder, world-traversable, that lasts as long as the block.

    What was started in it (`dev.processes`, `dev.containers`) ends with it. Folders whose holder is gone, however it
    went, are cleaned first. They lie in the system's temporary folder, where servers run as other users reach them.
    """
    root = Path(tempfile.gettempdir()) / f"graphschedule-{os.getuid()}"
    root.mkdir(mode=0o711, exist_ok=True)
    with _locked(root):
        _sweep(root)
        path = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root))
        path.chmod(0o711)
        held = _lock(path)
    try:
        yield path
    finally:
        _clean(path)
        os.close(held)


def _sweep(root: Path) -> None:
    for path in root.iterdir():
        # Held by a live process, or just now removed by one.
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _locked(path, wait=False):
            _clean(path)


def _clean(path: Path) -> None:
    processes.stop_all(path)
    containers.remove_all(path)
    shutil.rmtree(path)


@contextlib.contextmanager
def _locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    descriptor = _lock(path, wait=wait)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path, *, wait: bool = True) -> int:
    """Lock a folder until the returned descriptor is closed, at the latest when this process ends."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor
