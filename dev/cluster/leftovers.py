"""What containers leave on the machine besides processes of ours, found by marks that only this cluster has."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

import psutil

from dev.cluster import network, node

_CGROUPS = Path("/sys/fs/cgroup")
_LOG_LINKS = Path("/var/log/containers")
_PATIENCE_SECONDS = 10.0


def remove(folder: Path, tag: str) -> None:
    """End the cluster's containers and their shims; undo its mounts, network, cgroups and links.

    The folder of the runtime is made first and removed last; in between, any part may be missing after a crash.
    """
    runtime = Path(node.runtime_folder(tag))
    if not runtime.exists():
        return
    _kill(_shims(runtime))
    _kill_containers(node.containers(tag))
    _unmount(folder)
    _unmount(runtime)
    network.remove(tag)
    for link in _LOG_LINKS.glob("*"):
        if link.is_symlink() and link.readlink().is_relative_to(folder):
            link.unlink()
    shutil.rmtree(runtime)


def mounts_under(folder: Path, table: str) -> list[str]:
    """Return the mount points at or below a folder, of a table like `/proc/mounts`, innermost first."""
    points = [line.split()[1] for line in table.splitlines()]
    return sorted((point for point in points if Path(point).is_relative_to(folder)), reverse=True)


def _shims(runtime: Path) -> list[psutil.Process]:
    """Return the shims that report to the containerd of that folder."""
    socket = str(runtime / "containerd.sock")
    return [
        process
        for process in psutil.process_iter(["name", "cmdline"])
        if process.info["name"].startswith("containerd-shim") and socket in (process.info["cmdline"] or [])
    ]


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=_PATIENCE_SECONDS)


def _kill_containers(ids: list[str]) -> None:
    """Kill every process in the containers' cgroups, in each hierarchy, and remove the cgroups."""
    cgroups = [path for name in ids for root in (_CGROUPS, *_CGROUPS.glob("*")) for path in root.glob(f"k8s.io/{name}")]
    members = {pid for cgroup in cgroups for pid in (cgroup / "cgroup.procs").read_text().split()}
    _kill([process for process in psutil.process_iter() if str(process.pid) in members])
    for cgroup in cgroups:
        _remove_cgroup(cgroup)


def _remove_cgroup(path: Path) -> None:
    """Remove an emptied cgroup; the kernel keeps it busy for a moment after its last process."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            path.rmdir()
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01)
        else:
            return


def _unmount(folder: Path) -> None:
    for point in mounts_under(folder, Path("/proc/mounts").read_text()):
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
