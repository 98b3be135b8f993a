"""etcd, the API server and the controller manager of a local cluster."""

from __future__ import annotations

import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

from dev import ports, processes
from dev.cluster import programs
from dev.cluster.cluster import ClusterError
from dev.cluster.pki import Authority, new_key

if TYPE_CHECKING:
    from pathlib import Path

    from dev.cluster.network import Network

SERVICES = "10.96.0.0/16"
_API_SERVICE = "10.96.0.1"
_READY_SECONDS = 60.0
# The controller manager asks for some hundred tokens when it starts, at 20 a second. Where pods run and their times
# are measured that rate stays, because real clusters have it.
_HURRIED = ["--kube-api-qps=200", "--kube-api-burst=400"]


def start(folder: Path, network: Network) -> Authority:
    """Start the three programs and wait until the API server is ready; write `kubeconfig` for an administrator.

    Raises:
        ClusterError: one of them ended, or the API server did not become ready.

    """
    etcd_port, peer_port, api_port, manager_port = ports.free(4)
    authority = _identities(folder, network)
    server = f"https://{network.address}:{api_port}"
    authority.kubeconfig(folder / "kubeconfig", server, "admin")
    authority.kubeconfig(folder / "controller-manager.kubeconfig", server, "controller-manager")
    programs.start(folder, network, "etcd", *_etcd(folder, etcd_port, peer_port))
    programs.start(folder, network, "kube-apiserver", *_api_server(folder, network, etcd_port, api_port))
    manager = _controller_manager(folder, manager_port) + ([] if network.enter else _HURRIED)
    programs.start(folder, network, "kube-controller-manager", *manager)
    programs.wait_until(
        folder, "the API server is ready", lambda: _ready(server, authority.folder), seconds=_READY_SECONDS
    )
    return authority


def restart_api_server(folder: Path, network: Network) -> None:
    """End the API server and start it again with the same arguments."""
    records = programs.records(folder)
    running = processes.find(records, "kube-apiserver")
    if running is None:
        raise ClusterError(f"the API server does not run; its log is {processes.log(records, 'kube-apiserver')}")
    arguments = running.cmdline()[1:]
    processes.stop(records, "kube-apiserver")
    programs.start(folder, network, "kube-apiserver", *arguments)


def _identities(folder: Path, network: Network) -> Authority:
    authority = Authority(folder / "pki")
    names = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
    authority.issue("apiserver", "kube-apiserver", hosts=(*names, "127.0.0.1", _API_SERVICE, network.address))
    authority.issue("admin", "admin", group="system:masters")
    # As one of the masters it need not wait until the API server has written its default roles.
    authority.issue("controller-manager", "system:kube-controller-manager", group="system:masters")
    new_key(authority.folder / "service-accounts.key")
    return authority


def _etcd(folder: Path, client_port: int, peer_port: int) -> list[str]:
    clients, peers = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={clients}",
        f"--advertise-client-urls={clients}",
        f"--listen-peer-urls={peers}",
        f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=default={peers}",
        # Its data never outlives the cluster.
        "--unsafe-no-fsync",
    ]


def _api_server(folder: Path, network: Network, etcd_port: int, port: int) -> list[str]:
    pki = folder / "pki"
    flags = [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--secure-port={port}",
        f"--bind-address={network.address}",
        f"--advertise-address={network.address}",
        f"--tls-cert-file={pki / 'apiserver.crt'}",
        f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--service-account-key-file={pki / 'service-accounts.key'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={SERVICES}",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}",
        f"--kubelet-client-certificate={pki / 'admin.crt'}",
        f"--kubelet-client-key={pki / 'admin.key'}",
        # The node's name resolves nowhere.
        "--kubelet-preferred-address-types=InternalIP",
    ]
    if not network.enter:
        # A loopback address is refused as an endpoint, and without pods nobody asks for one.
        flags.append("--endpoint-reconciler-type=none")
    return flags


def _controller_manager(folder: Path, port: int) -> list[str]:
    kubeconfig = folder / "controller-manager.kubeconfig"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={folder / 'pki' / 'service-accounts.key'}",
        f"--root-ca-file={folder / 'pki' / 'ca.crt'}",
        "--use-service-account-credentials",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        "--leader-elect=false",
    ]


def _ready(server: str, pki: Path) -> bool:
    context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "admin.crt", pki / "admin.key")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(f"{server}/readyz", timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False
