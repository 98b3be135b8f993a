"""Programs the harness starts: each in a session of its own, with a log, and ended by id even after a crash.

A program NAME of a folder leaves `NAME.log` and `NAME.pid` there. The pid file also holds the moment the kernel
started the process, so that an id taken over by a stranger is never mistaken for ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import signal
import subprocess
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

# The kernel counts from boot; what that is in wall time shifts when the clock is corrected. In seconds.
_CLOCK_DRIFT = 5.0

# Popen objects of this interpreter's children: one that is forgotten while its process runs warns about it.
_children: list[subprocess.Popen[bytes]] = []


def start(
    folder: Path, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, user: str | None = None
) -> None:
    """Start `argv` as NAME, optionally as another user; the environment is the caller's plus `env`."""
    with log(folder, name).open("ab") as output:
        child = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, **(env or {})},
            start_new_session=True,
            user=user,
            group=None if user is None else pwd.getpwnam(user).pw_gid,
            extra_groups=None if user is None else [],
        )
    _children.append(child)
    identity = {"pid": child.pid, "created": psutil.Process(child.pid).create_time()}
    _pid_file(folder, name).write_text(json.dumps(identity))


def log(folder: Path, name: str) -> Path:
    """Return the file that takes the program's output."""
    return folder / f"{name}.log"


def alive(folder: Path, name: str) -> bool:
    """Tell whether the program still runs."""
    process = find(folder, name)
    return process is not None and process.status() != psutil.STATUS_ZOMBIE


def find(folder: Path, name: str) -> psutil.Process | None:
    """Return the program's process, or None if it has ended or was never started."""
    file = _pid_file(folder, name)
    if not file.exists():
        return None
    identity = json.loads(file.read_text())
    try:
        process = psutil.Process(identity["pid"])
        return process if abs(process.create_time() - identity["created"]) < _CLOCK_DRIFT else None
    except psutil.NoSuchProcess:
        return None


def stop(folder: Path, name: str, *, ask: signal.Signals = signal.SIGTERM, patience: float = 10.0) -> None:
    """End the program and all it started: ask, wait `patience` seconds, then insist."""
    process = find(folder, name)
    if process is not None:
        family = [process, *process.children(recursive=True)]
        process.send_signal(ask)
        psutil.wait_procs(family, timeout=patience)
        _kill(family)
    _pid_file(folder, name).unlink(missing_ok=True)


def stop_all(folder: Path, *, patience: float = 10.0) -> None:
    """End every program of the folder, the latest started first."""
    for file in sorted(folder.glob("*.pid"), key=lambda file: file.stat().st_mtime_ns, reverse=True):
        stop(folder, file.stem, patience=patience)


def _pid_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.pid"


def _kill(processes: Iterable[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
            process.wait(timeout=10)
