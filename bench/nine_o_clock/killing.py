"""Kills runners in the middle of their work, as a machine does that runs out of memory."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.nine_o_clock.stage import NAMESPACE, OURS

if TYPE_CHECKING:
    from bench.nine_o_clock.depth import Curve
    from dev.cluster import Cluster

RUNNER = "graphschedule-r"
"""The runner's name as the kernel cuts it."""

PATIENCE_SECONDS = 60


def kill_halfway(cluster: Cluster, count: int, curve: Curve) -> None:
    """Wait until half of the schedules due are queued, and kill every runner that is still at work.

    Raises:
        RuntimeError: nothing is queued, or no runner was left.

    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    pods: list[str] = []
    runners: list[psutil.Process] = []
    while curve.depth < count / 2:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {curve.depth} schedules are queued: nothing to kill halfway")
        if curve.depth == 0:
            pods = _pods(cluster)  # takes too long to ask once they are at work
        runners = [process for process in psutil.process_iter() if _is_runner(process, pods)]
    killed = sum(map(_kill, runners))
    print(f"killed {killed} of {len(runners)} runners when {curve.depth} of {count} schedules were queued")
    if not killed:
        raise RuntimeError("no runner was left to kill halfway: measure more schedules")


def _pods(cluster: Cluster) -> list[str]:
    """Return the uids of the cluster's own runner pods: other clusters on this machine may have some too."""
    uids = "--output=jsonpath={.items[*].metadata.uid}"
    return cluster.kubectl("get", "pods", "--namespace", NAMESPACE, f"--selector={OURS}", uids).split()


def _is_runner(process: psutil.Process, pods: list[str]) -> bool:
    """Tell whether a process is a runner of one of these pods: the folder of a pod's mounts bears its uid."""
    try:
        if not process.name().startswith(RUNNER):
            return False
        mounts = Path(f"/proc/{process.pid}/mountinfo").read_text()
    except (OSError, psutil.NoSuchProcess):
        return False
    return any(uid in mounts for uid in pods)


def _kill(process: psutil.Process) -> bool:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True
