"""Programs the harness starts: each in a session of its own, with a log, and ended by id even after a crash.

A program NAME of a folder leaves `NAME.log` and `NAME.pid` there. The pid file also holds the moment the kernel
started the process, so that an id taken over by a stranger is never mistaken for ours.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import select
import signal
import subprocess
import time
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
    folder: Path,
    name: str,
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    ask: signal.Signals = signal.SIGTERM,
) -> None:
    """Start `argv` as NAME, optionally as another user; the environment is the caller's plus `env`.

    `ask` is the signal that will ask it to end; with SIGKILL nothing is asked.
    """
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
    facts = {"pid": child.pid, "created": psutil.Process(child.pid).create_time(), "ask": ask}
    _pid_file(folder, name).write_text(json.dumps(facts))


def log(folder: Path, name: str) -> Path:
    """Return the file that takes the program's output."""
    return folder / f"{name}.log"


def alive(folder: Path, name: str) -> bool:
    """Tell whether the program still runs."""
    process = find(folder, name)
    return process is not None and process.status() != psutil.STATUS_ZOMBIE


def all_alive(folder: Path) -> bool:
    """Tell whether every program that was started in the folder still runs."""
    return all(alive(folder, file.stem) for file in folder.glob("*.pid"))


def find(folder: Path, name: str) -> psutil.Process | None:
    """Return the program's process, or None if it has ended or was never started."""
    file = _pid_file(folder, name)
    if not file.exists():
        return None
    facts = json.loads(file.read_text())
    try:
        process = psutil.Process(facts["pid"])
        return process if abs(process.create_time() - facts["created"]) < _CLOCK_DRIFT else None
    except psutil.NoSuchProcess:
        return None


def stop(folder: Path, name: str, *, patience: float = 10.0) -> None:
    """End the program and all it started: ask, wait `patience` seconds, then insist."""
    process = find(folder, name)
    if process is not None:
        family = [process, *process.children(recursive=True)]
        ask = json.loads(_pid_file(folder, name).read_text())["ask"]
        if ask != signal.SIGKILL:
            process.send_signal(ask)
            _wait(family, patience)
        for member in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        _wait(family, patience)
    _pid_file(folder, name).unlink(missing_ok=True)
    _children[:] = [child for child in _children if child.poll() is None]


def stop_all(folder: Path, *, patience: float = 10.0) -> None:
    """End every program of the folder, the latest started first."""
    for file in sorted(folder.glob("*.pid"), key=lambda file: file.stat().st_mtime_ns, reverse=True):
        stop(folder, file.stem, patience=patience)


def _pid_file(folder: Path, name: str) -> Path:
    return folder / f"{name}.pid"


def _wait(family: Iterable[psutil.Process], seconds: float) -> None:
    """Wait until all have ended, reaped or not: in a container nobody may ever reap an orphan."""
    deadline = time.monotonic() + seconds
    for process in family:
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(process.pid)
            select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
            os.close(descriptor)
