"""The one node of a local cluster: containerd, CNI, kubelet, kube-proxy, and the scheduler that fills it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from dev import cache, ports
from dev.cluster import programs
from dev.cluster.cluster import ClusterError, run

if TYPE_CHECKING:
    from dev.cluster.network import Network
    from dev.cluster.pki import Authority

PODS = "10.244.0.0/16"
_PAUSE = "localhost/pause:1"
_RUNTIME_SECONDS = 30.0


def start(folder: Path, network: Network, authority: Authority, tag: str) -> None:
    """Start the node's programs; the node is ready some seconds later.

    Raises:
        ClusterError: containerd did not start, or refused the pause image.

    """
    server = yaml.safe_load((folder / "kubeconfig").read_text())["clusters"][0]["cluster"]["server"]
    _identities(authority, network, server, folder, tag)
    _scheduler(folder, network)
    _container_runtime(folder, network, tag)
    _kubelet(folder, network, tag)
    _proxy(folder, network, tag)


def runtime_folder(tag: str) -> str:
    """Return the folder of containerd's socket and mounts: a short path, because a socket's may have 107 bytes."""
    return f"/run/{tag}"


def containers(tag: str) -> list[str]:
    """Return the ids of the containers that containerd has begun and not removed, also after it crashed."""
    bundles = Path(runtime_folder(tag)) / "containerd" / "io.containerd.runtime.v2.task" / "k8s.io"
    return [bundle.name for bundle in bundles.glob("*")]


def load_image(folder: Path, tag: str, archive: Path) -> None:
    """Import the images of an archive into containerd, where the kubelet finds them."""
    socket = f"{runtime_folder(tag)}/containerd.sock"
    run([str(folder / "bin" / "ctr"), "--address", socket, "--namespace", "k8s.io", "images", "import", str(archive)])


def _identities(authority: Authority, network: Network, server: str, folder: Path, node: str) -> None:
    authority.issue("kubelet", f"system:node:{node}", group="system:nodes", hosts=(node, network.address))
    authority.issue("scheduler", "system:kube-scheduler")
    authority.issue("proxy", "system:kube-proxy")
    for name in ("kubelet", "scheduler", "proxy"):
        authority.kubeconfig(folder / f"{name}.kubeconfig", server, name)


def _scheduler(folder: Path, network: Network) -> None:
    kubeconfig = folder / "scheduler.kubeconfig"
    flags = [f"--{use}kubeconfig={kubeconfig}" for use in ("", "authentication-", "authorization-")]
    programs.start(
        folder,
        network,
        "kube-scheduler",
        *flags,
        "--bind-address=127.0.0.1",
        f"--secure-port={ports.free(1)[0]}",
        "--leader-elect=false",
    )


def _container_runtime(folder: Path, network: Network, tag: str) -> None:
    (folder / "cni").mkdir()
    (folder / "cni" / "10-pods.conflist").write_text(json.dumps(cni_config()))
    config = folder / "containerd.toml"
    config.write_text(containerd_config(folder, runtime_folder(tag)))
    programs.start(folder, network, "containerd", "--config", str(config))
    answers = [str(folder / "bin" / "ctr"), "--address", f"{runtime_folder(tag)}/containerd.sock", "version"]
    programs.wait_until(folder, "containerd answers", lambda: _succeeds(answers), seconds=_RUNTIME_SECONDS)
    load_image(folder, tag, pause_archive())


def _kubelet(folder: Path, network: Network, tag: str) -> None:
    config = folder / "kubelet.yaml"
    config.write_text(yaml.safe_dump(kubelet_config(folder, runtime_folder(tag))))
    programs.start(
        folder,
        network,
        "kubelet",
        f"--config={config}",
        f"--kubeconfig={folder / 'kubelet.kubeconfig'}",
        f"--root-dir={folder / 'kubelet'}",
        f"--hostname-override={tag}",
        f"--node-ip={network.address}",
    )


def _proxy(folder: Path, network: Network, tag: str) -> None:
    config = folder / "proxy.yaml"
    config.write_text(yaml.safe_dump(proxy_config(folder, tag)))
    programs.start(folder, network, "kube-proxy", f"--config={config}")


def cni_config() -> dict[str, object]:
    """Return the pods' network: one link per pod, addresses from the node's range."""
    addresses = {"type": "host-local", "ranges": [[{"subnet": PODS}]], "routes": [{"dst": "0.0.0.0/0"}]}
    return {"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": addresses}]}


def containerd_config(folder: Path, state: str) -> str:
    """Return containerd's configuration, with every path and socket in the cluster's folders."""
    return f"""\
version = 3
root = "{folder / "containerd"}"
state = "{state}/containerd"
# These two would use paths that all containerds of a machine share.
disabled_plugins = ["io.containerd.internal.v1.opt", "io.containerd.nri.v1.nri"]

[grpc]
address = "{state}/containerd.sock"

[plugins.'io.containerd.shim.v1.manager']
socket_dir = "{state}/shims"

[plugins.'io.containerd.cri.v1.images'.pinned_images]
sandbox = "{_PAUSE}"

[plugins.'io.containerd.cri.v1.runtime']
# A machine without CAP_SYS_RESOURCE starts no sandbox otherwise.
restrict_oom_score_adj = true
netns_mounts_under_state_dir = true

[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
options = {{ Root = "{state}/runc" }}

[plugins.'io.containerd.cri.v1.runtime'.cni]
bin_dirs = ["/usr/lib/cni", "/opt/cni/bin"]
conf_dir = "{folder / "cni"}"
"""


def kubelet_config(folder: Path, state: str) -> dict[str, object]:
    """Return the kubelet's configuration, made for a machine shared with others and either version of cgroups."""
    pki = folder / "pki"
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(pki / "kubelet.key"),
        "containerRuntimeEndpoint": f"unix://{state}/containerd.sock",
        "podLogsDir": str(folder / "pods"),
        "volumePluginDir": str(folder / "volume-plugins"),
        "cgroupDriver": "cgroupfs",
        "cgroupsPerQOS": False,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "evictionHard": {"nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 99,
        "imageGCLowThresholdPercent": 98,
        "maxPods": 250,
        "kubeAPIQPS": 200,
        "kubeAPIBurst": 400,
    }


def proxy_config(folder: Path, node: str) -> dict[str, object]:
    """Return kube-proxy's configuration; connection tracking keeps the machine's limits."""
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(folder / "proxy.kubeconfig")},
        "clusterCIDR": PODS,
        "hostnameOverride": node,
        "conntrack": {"maxPerCore": 0},
    }


def pause_archive() -> Path:
    """Return an archive of the image that holds a pod's namespaces: one static program that sleeps."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise ClusterError("the pause image is made of a static busybox: install busybox-static")
    content = Path(busybox).read_bytes()
    return cache.entry("pause", cache.key(content), lambda folder: _build_pause(folder, busybox)) / "pause.tar"


def _build_pause(folder: Path, busybox: str) -> None:
    storage = folder / "storage"
    buildah = ["buildah", "--storage-driver=vfs", f"--root={storage}", f"--runroot={storage}"]
    container = run([*buildah, "from", "scratch"]).strip()
    run([*buildah, "copy", container, busybox, "/bin/busybox"])
    run([*buildah, "config", "--entrypoint", json.dumps(["/bin/busybox", "sleep", "2147483647"]), container])
    run([*buildah, "commit", container, _PAUSE])
    run([*buildah, "push", _PAUSE, f"oci-archive:{folder / 'pause.tar'}:{_PAUSE}"])
    shutil.rmtree(storage)


def _succeeds(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
