"""The provider for machines where a Docker engine answers: kind, built from its pinned module."""

from __future__ import annotations

import json
import platform
from functools import partial
from typing import TYPE_CHECKING

from dev import containers
from dev.cluster import binaries
from dev.cluster.cluster import Cluster, run
from dev.progress import step

if TYPE_CHECKING:
    from pathlib import Path

# The node image that kind v0.33.0 was released with; another build need not fit it.
NODE_IMAGE = "kindest/node:v1.37.0@sha256:a1ed56cfb0e7b93589bdf97c8cd566405a265939e3620fc4f5de89adff580ae5"
_PREFIX = "graphschedule-"


def build() -> None:
    """Build the tools and fetch the node image."""
    for name in (*binaries.TOOLS, "kind"):
        binaries.path(name)
    with step(f"Fetching {NODE_IMAGE.partition('@')[0]}, once"):
        run(["docker", "pull", "--quiet", NODE_IMAGE])


def start(name: str, folder: Path, *, kubelet: bool) -> Cluster:
    """Start a cluster of one container, and keep pods off its node if they are not wanted.

    Raises:
        ClusterError: kind failed; the message holds its words.

    """
    binaries.gather((*binaries.TOOLS, "kind"), folder / "bin")
    stop(name)
    with step(f"Starting the cluster {name} in Docker"):
        run(create_command(name, folder))
    cluster = opened(name, folder)
    if not kubelet:
        cluster.kubectl("cordon", f"{_PREFIX}{name}-control-plane")
    return cluster


def stop(name: str) -> None:
    """Remove the cluster's container, if its engine answers."""
    if containers.available():
        run([str(binaries.path("kind")), "delete", "cluster", "--name", f"{_PREFIX}{name}"])


def running(name: str) -> bool:
    """Tell whether the cluster's container is there."""
    return containers.available() and f"{_PREFIX}{name}" in run([str(binaries.path("kind")), "get", "clusters"]).split()


def opened(name: str, folder: Path) -> Cluster:
    """Return the cluster whose kubeconfig lies in the folder."""
    address = host_address(platform.system(), run(["docker", "network", "inspect", "kind"]))
    loader, restarter = partial(_load, name, folder), partial(_restart_api_server, name)
    return Cluster(name, folder / "kubeconfig", address, folder / "bin", loader, restarter)


def create_command(name: str, folder: Path) -> list[str]:
    """Return the command that makes the cluster and writes its kubeconfig, away from the user's own."""
    kind = str(folder / "bin" / "kind")
    options = [f"--image={NODE_IMAGE}", f"--kubeconfig={folder / 'kubeconfig'}", "--wait=120s"]
    return [kind, "create", "cluster", f"--name={_PREFIX}{name}", *options]


def load_command(name: str, folder: Path, archive: Path) -> list[str]:
    """Return the command that gives an archive's images to the cluster's node."""
    return [str(folder / "bin" / "kind"), "load", "image-archive", str(archive), f"--name={_PREFIX}{name}"]


def host_address(system: str, networks: str) -> str:
    """Return this machine's address seen from kind's containers, by `docker network inspect kind`.

    On Linux it is the bridge's; elsewhere Docker runs in a virtual machine and gives the host a name.
    """
    if system != "Linux":
        return "host.docker.internal"
    gateways: list[str] = [
        config["Gateway"] for config in json.loads(networks)[0]["IPAM"]["Config"] if "Gateway" in config
    ]
    return next(gateway for gateway in gateways if ":" not in gateway)


def _restart_api_server(name: str) -> None:
    """End the API server's container; the node's kubelet starts another."""
    inside = ["docker", "exec", f"{_PREFIX}{name}-control-plane", "crictl"]
    run([*inside, "stop", run([*inside, "ps", "--quiet", "--name=kube-apiserver"]).strip()])


def _load(name: str, folder: Path, archive: Path) -> None:
    run(load_command(name, folder, archive))
