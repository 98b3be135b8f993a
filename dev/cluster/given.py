"""The provider of a cluster that exists already: named by a variable of its own, never by `KUBECONFIG`."""

from __future__ import annotations

import os
import shlex
import socket
from pathlib import Path
from urllib.parse import urlsplit

import yaml

from dev import cache
from dev.cluster import binaries
from dev.cluster.cluster import Cluster, ClusterError, run

VARIABLE = "GRAPHSCHEDULE_KUBECONFIG"
_LOADER = "GRAPHSCHEDULE_LOAD_IMAGE"
_ADDRESS = "GRAPHSCHEDULE_NODE_ADDRESS"


def build() -> None:
    """Build the tools that speak to the cluster."""
    for name in binaries.TOOLS:
        binaries.path(name)


def cluster() -> Cluster:
    """Return the cluster that `$GRAPHSCHEDULE_KUBECONFIG` names.

    Raises:
        ClusterError: the file is not there, or the cluster does not answer.

    """
    kubeconfig = Path(os.environ[VARIABLE]).absolute()
    if not kubeconfig.is_file():
        raise ClusterError(f"{VARIABLE}: there is no file {kubeconfig}: name a kubeconfig, or unset the variable")
    address = os.environ.get(_ADDRESS) or address_towards(yaml.safe_load(kubeconfig.read_text()))
    found = Cluster(kubeconfig.stem, kubeconfig, address, _tools(), load_image, _restart_api_server)
    found.kubectl("get", "--raw", "/readyz")
    return found


def load_image(archive: Path) -> None:
    """Run `$GRAPHSCHEDULE_LOAD_IMAGE` with the archive's path as its last argument.

    Raises:
        ClusterError: the variable is not set, or the command failed.

    """
    command = os.environ.get(_LOADER)
    if not command:
        raise ClusterError(
            f"{_LOADER} is not set: give the command that loads an image archive into your cluster's nodes,"
            " as in 'minikube image load' or 'k3s ctr images import'"
        )
    run([*shlex.split(command), str(archive)])


def address_towards(kubeconfig: dict[str, list[dict[str, dict[str, str]]]]) -> str:
    """Return this machine's address on the way to the API server; no packet is sent."""
    server = urlsplit(kubeconfig["clusters"][0]["cluster"]["server"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((server.hostname, server.port or 443))
        return str(probe.getsockname()[0])


def _restart_api_server() -> None:
    raise ClusterError(f"the cluster of {VARIABLE} is not ours to restart: unset it, and one of our own is started")


def _tools() -> Path:
    programs = cache.key(*(str(binaries.path(name)) for name in binaries.TOOLS))
    return cache.entry("tools", programs, lambda folder: binaries.gather(binaries.TOOLS, folder / "bin")) / "bin"
