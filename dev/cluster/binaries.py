"""Programs of clusters and test servers, built from pinned Go modules: once per version, then found in the cache."""

from __future__ import annotations

import json
import platform
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev import cache
from dev.cluster.cluster import ClusterError, run
from dev.progress import step

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Module:
    """A Go module at a version; `stamps` are values the linker writes into its packages' variables."""

    path: str
    version: str
    stamps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    """A command of a module; `cold` says how long its first build takes on two cores."""

    module: Module
    package: str
    cold: str


# Clients refuse a server that cannot tell its version.
_KUBERNETES = Module(
    "k8s.io/kubernetes",
    "v1.37.2",
    (
        "k8s.io/component-base/version.gitVersion=v1.37.2",
        "k8s.io/component-base/version.gitMajor=1",
        "k8s.io/component-base/version.gitMinor=37",
    ),
)
_ETCD = Module("go.etcd.io/etcd/server/v3", "v3.6.16")
_CONTAINERD = Module("github.com/containerd/containerd/v2", "v2.4.2")
_HELM = Module("helm.sh/helm/v4", "v4.3.1")
_KIND = Module("sigs.k8s.io/kind", "v0.33.0")
_VERSITYGW = Module("github.com/versity/versitygw", "v1.8.0")
_FAKE_GCS = Module("github.com/fsouza/fake-gcs-server", "v1.52.3")

COMMANDS = {
    "kubectl": Command(_KUBERNETES, "cmd/kubectl", "1 minute"),
    "helm": Command(_HELM, "cmd/helm", "2 minutes"),
    "etcd": Command(_ETCD, "", "30 seconds"),
    "kube-apiserver": Command(_KUBERNETES, "cmd/kube-apiserver", "4 minutes"),
    "kube-controller-manager": Command(_KUBERNETES, "cmd/kube-controller-manager", "1 minute"),
    "kube-scheduler": Command(_KUBERNETES, "cmd/kube-scheduler", "30 seconds"),
    "kube-proxy": Command(_KUBERNETES, "cmd/kube-proxy", "15 seconds"),
    "kubelet": Command(_KUBERNETES, "cmd/kubelet", "1 minute"),
    "containerd": Command(_CONTAINERD, "cmd/containerd", "1 minute"),
    "containerd-shim-runc-v2": Command(_CONTAINERD, "cmd/containerd-shim-runc-v2", "15 seconds"),
    "ctr": Command(_CONTAINERD, "cmd/ctr", "15 seconds"),
    "kind": Command(_KIND, "", "30 seconds"),
    "versitygw": Command(_VERSITYGW, "cmd/versitygw", "1 minute"),
    "fake-gcs-server": Command(_FAKE_GCS, "", "1 minute"),
}
TOOLS = ("kubectl", "helm")
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager")
NODE = ("kube-scheduler", "kube-proxy", "kubelet", "containerd", "containerd-shim-runc-v2", "ctr")


def path(name: str) -> Path:
    """Return the program of that name, built if it is not in the cache.

    Raises:
        ClusterError: Go is not installed, or the build failed.

    """
    command = COMMANDS[name]
    identity = cache.key(repr(command.module), command.package, platform.machine(), platform.system())
    return cache.entry("bin", f"{name}-{identity}", lambda folder: _build(name, command, folder)) / name


def gather(names: Iterable[str], folder: Path) -> None:
    """Link the programs into one folder, to be put on a PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).symlink_to(path(name))


def build_flags(module: Module) -> list[str]:
    """Return the flags that make a small program with no path of this machine in it."""
    return ["-mod=mod", "-trimpath", "-ldflags", " ".join(["-s -w", *(f"-X {stamp}" for stamp in module.stamps)])]


def replacements(go_mod: str) -> list[str]:
    """Return Kubernetes' own staging modules, which its `go.mod` replaces by folders of its repository."""
    return sorted({line.split()[-3] for line in go_mod.splitlines() if " => ./staging/" in line})


def _build(name: str, command: Command, folder: Path) -> None:
    if shutil.which("go") is None:
        raise ClusterError(f"go is not installed, and {name} is built from its Go module: install Go 1.26 or newer")
    module = command.module
    source = folder / "module"
    source.mkdir()
    package = f"{module.path}/{command.package}".rstrip("/")
    with step(f"Building {name} {module.version}, once, about {command.cold}"):
        _go(source, "mod", "init", "graphschedule.io/cluster")
        _go(source, "mod", "edit", f"-require={module.path}@{module.version}")
        if module is _KUBERNETES:
            _replace_staging(source, module)
        _go(source, "build", *build_flags(module), "-o", str(folder / name), package)
    shutil.rmtree(source)


def _replace_staging(source: Path, module: Module) -> None:
    described = json.loads(_go(source, "mod", "download", "-json", f"{module.path}@{module.version}"))
    version = module.version.replace("v1.", "v0.")
    edits = [f"-replace={name}={name}@{version}" for name in replacements(Path(described["GoMod"]).read_text())]
    _go(source, "mod", "edit", *edits)


def _go(source: Path, *args: str) -> str:
    return run(["go", "-C", str(source), *args])
