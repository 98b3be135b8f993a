"""Kills runners in the middle of their work, as a machine does that runs out of memory."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from bench.nine_o_clock.stage import NAMESPACE

if TYPE_CHECKING:
    from bench.nine_o_clock.depth import Curve
    from dev.cluster import Cluster

RUNNER = "graphschedule-r"
"""The runner's name as the kernel cuts it."""

LOOK_SECONDS = 0.01
PATIENCE_SECONDS = 60


def kill_halfway(cluster: Cluster, count: int, curve: Curve) -> None:
    """Wait until half of the schedules due are queued, and kill every runner that is still at work.

    Raises:
        RuntimeError: nothing is queued, or no runner was left.

    """
    _until(curve, 1)
    runners = _runners(cluster)
    _until(curve, count // 2)
    killed = sum(map(_kill, runners))
    print(f"killed {killed} of {len(runners)} runners when {curve.depth} of {count} schedules were queued")
    if not killed:
        raise RuntimeError("no runner was left to kill halfway: measure more schedules")


def _until(curve: Curve, depth: int) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while curve.depth < depth:
        if time.monotonic() > deadline:
            raise RuntimeError(f"only {curve.depth} schedules are queued: nothing to kill halfway")
        time.sleep(LOOK_SECONDS)


def _runners(cluster: Cluster) -> list[psutil.Process]:
    """Return the processes of the cluster's own runner pods, and of no other cluster's on this machine."""
    listed = json.loads(cluster.kubectl("get", "pods", "--namespace", NAMESPACE, "--output=json"))
    uids = [pod["metadata"]["uid"] for pod in listed["items"]]
    return [process for process in psutil.process_iter() if _is_runner(process, uids)]


def _is_runner(process: psutil.Process, uids: list[str]) -> bool:
    """Tell whether a process is a runner of one of these pods: a pod's control group bears its uid."""
    try:
        group = Path(f"/proc/{process.pid}/cgroup").read_text().replace("_", "-")
        return process.name().startswith(RUNNER) and any(uid in group for uid in uids)
    except (OSError, psutil.NoSuchProcess):
        return False


def _kill(process: psutil.Process) -> bool:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True
