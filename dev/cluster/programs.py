"""The programs of one local cluster: started in its network, watched while the cluster starts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dev import processes
from dev.cluster.cluster import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dev.cluster.network import Network

_POLL_SECONDS = 0.05
_LOG_LINES = 8


def records(folder: Path) -> Path:
    """Return where the cluster's logs and process ids are kept."""
    return folder / "run"


def start(folder: Path, network: Network, name: str, *args: str) -> None:
    """Start a program of the cluster's `bin` folder in the cluster's network."""
    records(folder).mkdir(exist_ok=True)
    program = str(folder / "bin" / name)
    # containerd finds its shim, and the kubelet its helpers, on the PATH.
    path = f"{folder / 'bin'}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    processes.start(records(folder), name, [*network.enter, program, *args], env={"PATH": path})


def wait_until(folder: Path, what: str, ready: Callable[[], bool], *, seconds: float) -> None:
    """Wait for a program that offers no event of its own.

    Raises:
        ClusterError: a program of the cluster ended, or the time is over; with the last lines of the log.

    """
    deadline = time.monotonic() + seconds
    while not ready():
        check(folder)
        if time.monotonic() > deadline:
            raise ClusterError(f"waited {seconds:.0f} s until {what}, in vain; logs are in {records(folder)}")
        time.sleep(_POLL_SECONDS)


def check(folder: Path) -> None:
    """Raise `ClusterError` if a program of the cluster has ended."""
    for name in names(folder):
        if not processes.alive(records(folder), name):
            log = processes.log(records(folder), name)
            lines = "\n".join(log.read_text(errors="replace").splitlines()[-_LOG_LINES:])
            raise ClusterError(f"{name} ended; the last lines of {log}:\n{lines}")


def names(folder: Path) -> list[str]:
    """Return the names of the programs that were started and not stopped."""
    return sorted(file.stem for file in records(folder).glob("*.pid"))
