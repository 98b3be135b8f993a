"""The provider that needs no engine: the cluster's own programs, run by this machine."""

from __future__ import annotations

import os
import platform
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dev import cache, packages, processes
from dev.cluster import binaries, control_plane, leftovers, network, node, programs, storage
from dev.cluster.cluster import Cluster, ClusterError
from dev.progress import step

if TYPE_CHECKING:
    from dev.cluster.network import Network

# A program that shows each Debian package to be installed.
_PACKAGES = {
    "/usr/lib/cni/ptp": "containernetworking-plugins",
    "runc": "runc",
    "busybox": "busybox-static",
    "buildah": "buildah",
    "nft": "nftables",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
}
# The kernel takes socket paths of up to 107 bytes (unix(7)).
_LONGEST_PATH = 107 - len("/kubelet/pod-resources/kubelet.sock")


def build(*, kubelet: bool) -> None:
    """Build and install all that `start` will need."""
    for name in _commands(kubelet=kubelet):
        binaries.path(name)
    if kubelet:
        check_machine(platform.system(), os.geteuid(), _cgroup_controllers())
        missing = [package for program, package in _PACKAGES.items() if shutil.which(program) is None]
        if missing:
            packages.install(*missing)
        node.pause_archive()


def start(name: str, folder: Path, *, kubelet: bool) -> Cluster:
    """Start a cluster in an empty folder and wait until it takes work.

    Raises:
        ClusterError: this machine cannot run it, or a program of it failed; the message says which and why.

    """
    if kubelet:
        check_path(folder)
    build(kubelet=kubelet)
    binaries.gather(_commands(kubelet=kubelet), folder / "bin")
    if kubelet:
        with step(f"Starting the cluster {name} with one node"):
            return _start_with_node(name, folder)
    with step(f"Starting the control plane {name}"):
        return _start_control_plane(name, folder)


def stop(folder: Path) -> None:
    """End all that `start` began, whatever is left of it, also after a crash; keep the logs."""
    processes.stop_all(programs.records(folder))
    leftovers.remove(folder, tag(folder))


def running(folder: Path) -> bool:
    """Tell whether all programs of the cluster are alive."""
    names = programs.names(folder)
    return bool(names) and all(processes.alive(programs.records(folder), name) for name in names)


def opened(name: str, folder: Path) -> Cluster:
    """Return the cluster that runs in a folder."""
    with_node = (folder / "kubelet.yaml").exists()
    net = network.planned(tag(folder)) if with_node else network.LOOPBACK
    return _cluster(name, folder, net)


def tag(folder: Path) -> str:
    """Return the mark of a cluster on this machine: its namespace, link, node and runtime folder bear it.

    It follows from the folder alone, so that a cluster's leftovers are found even when its records are lost.
    """
    return f"gs-{cache.key(str(folder))[:8]}"


def check_machine(system: str, user: int, controllers: set[str]) -> None:
    """Raise `ClusterError` with the remedy if this machine cannot run containers without an engine."""
    if system != "Linux":
        raise ClusterError(f"pods need Linux, and this is {system}: start a Docker engine, in which kind runs")
    if user != 0:
        raise ClusterError("pods without a container engine need root: run as root, or start a Docker engine")
    missing = {"cpu", "memory", "pids"} - controllers
    if missing:
        raise ClusterError(
            f"pods need the cgroup controllers {', '.join(sorted(missing))}: mount them on /sys/fs/cgroup"
        )


def check_path(folder: Path) -> None:
    """Raise `ClusterError` with the remedy if the kubelet's sockets have no room in this folder's path."""
    if len(str(folder)) > _LONGEST_PATH:
        raise ClusterError(f"{folder} is too long a path for sockets: set GRAPHSCHEDULE_CACHE to a shorter folder")


def _cgroup_controllers() -> set[str]:
    """Return the names of this machine's controllers: a list in version 2 of cgroups, folders in version 1."""
    root = Path("/sys/fs/cgroup")
    unified = root / "cgroup.controllers"
    return set(unified.read_text().split()) if unified.exists() else {path.name for path in root.glob("*")}


def _commands(*, kubelet: bool) -> tuple[str, ...]:
    return (*binaries.TOOLS, *binaries.CONTROL_PLANE, *(binaries.NODE if kubelet else ()))


def _start_control_plane(name: str, folder: Path) -> Cluster:
    control_plane.start(folder, network.LOOPBACK)
    cluster = _cluster(name, folder, network.LOOPBACK)
    _wait_for_default_account(cluster)
    return cluster


def _start_with_node(name: str, folder: Path) -> Cluster:
    mark = tag(folder)
    Path(node.runtime_folder(mark)).mkdir()
    net = network.create(mark)
    storage.create(folder)
    authority = control_plane.start(folder, net)
    node.start(folder, net, authority, mark)
    cluster = _cluster(name, folder, net)
    cluster.kubectl("create", "--validate=ignore", "-f", "-", input=storage.manifests(folder))
    cluster.kubectl("wait", "--for=create", f"node/{mark}", "--timeout=60s")
    cluster.kubectl("wait", "--for=condition=Ready", f"node/{mark}", "--timeout=60s")
    _wait_for_default_account(cluster)
    programs.check(folder)
    return cluster


def _wait_for_default_account(cluster: Cluster) -> None:
    """Wait until the controller manager has begun: pods are refused before it has made this account."""
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=60s")


def _cluster(name: str, folder: Path, net: Network) -> Cluster:
    return Cluster(
        name=name,
        kubeconfig=folder / "kubeconfig",
        node_address=net.host,
        binaries=folder / "bin",
        loader=partial(node.load_image, folder, tag(folder)),
        restarter=partial(control_plane.restart_api_server, folder, net),
    )
