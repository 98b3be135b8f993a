"""A network namespace for each cluster with a node, joined to this machine by one link.

kube-proxy and the kubelet take fixed ports and one nftables table, so that two of them cannot share a network
stack. In a namespace of its own a cluster has its ports, its pod and its service addresses to itself, and whatever it
left behind in the kernel goes with the namespace.
"""

from __future__ import annotations

import ipaddress
import subprocess
from dataclasses import dataclass
from pathlib import Path

from dev.cluster.cluster import ClusterError, run

# Set aside for benchmarks of networks (RFC 2544), so that no machine's real network is hidden by a link.
LINKS = ipaddress.ip_network("198.18.0.0/15")
_UPLINK = "uplink"


@dataclass(frozen=True)
class Network:
    """Where a cluster's programs run and at which addresses they and this machine meet.

    `enter` is put before a command to run it inside; `address` is the cluster's, `host` this machine's seen from it.
    """

    address: str
    host: str
    enter: tuple[str, ...] = ()


LOOPBACK = Network("127.0.0.1", "127.0.0.1")


def planned(tag: str) -> Network:
    """Return the network of the cluster with that tag: a /30 link chosen by the tag's digits."""
    links = LINKS.num_addresses // 4
    base = LINKS.network_address + int(tag.rpartition("-")[2], 16) % links * 4
    return Network(str(base + 2), str(base + 1), ("nsenter", f"--net=/run/netns/{tag}"))


def create(tag: str) -> Network:
    """Make the namespace and its link; pods reach this machine, and through it what this machine reaches.

    Raises:
        ClusterError: the kernel or the user's rights do not allow it.

    """
    network = planned(tag)
    try:
        _ip("netns", "add", tag)
    except ClusterError as error:
        raise ClusterError(f"{error}\nPods need a root who may make network namespaces, or a Docker engine") from None
    _ip("link", "add", tag, "type", "veth", "peer", "name", _UPLINK, "netns", tag)
    _ip("address", "add", f"{network.host}/30", "dev", tag)
    _ip("link", "set", tag, "up")
    _ip("-n", tag, "address", "add", f"{network.address}/30", "dev", _UPLINK)
    _ip("-n", tag, "link", "set", "lo", "up")
    _ip("-n", tag, "link", "set", _UPLINK, "up")
    _ip("-n", tag, "route", "add", "default", "via", network.host)
    # Pods' addresses mean nothing outside the namespace, and the link's mean nothing outside this machine.
    run([*network.enter, "nft", "-f", "-"], text=_masquerade(tag, f'oifname "{_UPLINK}"'))
    run(["nft", "-f", "-"], text=_masquerade(tag, f"ip saddr {network.address}"))
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    return network


def remove(tag: str) -> None:
    """Remove what `create` made, as far as it is there."""
    for command in (
        ["ip", "netns", "delete", tag],
        ["ip", "link", "delete", tag],
        ["nft", "delete", "table", "ip", tag],
    ):
        subprocess.run(command, check=False, capture_output=True)


def _masquerade(tag: str, match: str) -> str:
    return f"""\
table ip {tag} {{
  chain out {{
    type nat hook postrouting priority srcnat
    {match} masquerade
  }}
}}
"""


def _ip(*args: str) -> None:
    run(["ip", *args])
