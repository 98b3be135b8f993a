"""What the machine and the API server were busy with."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from dev.cluster import Cluster

_REQUESTS = "apiserver_request_total{"
_KERNEL_THREADS = 2
"""The process that is the parent of the kernel's own (kthreadd)."""


@dataclass(frozen=True)
class Load:
    """Processor seconds and API requests, since the start or between two looks."""

    processor: float
    """Of the whole machine, its kernel included."""

    programs: dict[str, float]
    """Of processes that live on, by program; what is missing to the whole are pods that ended, and the kernel."""

    requests: int

    def since(self, earlier: Load) -> Load:
        """Return what was used from an earlier look to this one."""
        return Load(
            processor=self.processor - earlier.processor,
            programs={name: spent - earlier.programs.get(name, 0.0) for name, spent in self.programs.items()},
            requests=self.requests - earlier.requests,
        )


def look(cluster: Cluster) -> Load:
    """Return what was used since the start of the machine, and of the API server."""
    times = psutil.cpu_times()
    metrics = cluster.kubectl("get", "--raw", "/metrics").splitlines()
    requests = sum(float(line.rsplit(" ", 1)[1]) for line in metrics if line.startswith(_REQUESTS))
    return Load(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice, _programs(), int(requests))


def _programs() -> dict[str, float]:
    spent: dict[str, float] = defaultdict(float)
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.ppid() != _KERNEL_THREADS:
                times = process.cpu_times()
                spent[process.name()] += times.user + times.system
    return spent
