"""Which provider runs a cluster, who holds it meanwhile, and what becomes of what a crash left."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack, contextmanager
from itertools import chain, count
from typing import TYPE_CHECKING, Literal

from dev import cache, containers
from dev.cluster import given, kind, local
from dev.cluster.cluster import Cluster, ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Provider = Literal["given", "kind", "local"]
_WISH = "GRAPHSCHEDULE_CLUSTER"


def choice(kubeconfig: str | None, wish: str | None, *, docker: bool) -> Provider:
    """Return the provider: a cluster named on purpose, else kind where Docker answers, else programs of our own.

    `wish` takes one of the last two, if the machine has it.

    Raises:
        ClusterError: the wish cannot be granted.

    """
    if kubeconfig:
        return "given"
    if not wish:
        return "kind" if docker else "local"
    if wish not in {"kind", "local"}:
        raise ClusterError(f"{_WISH}: {wish!r} is not valid: say 'kind' or 'local', or unset it")
    if wish == "local":
        return "local"
    if not docker:
        raise ClusterError(f"{_WISH}: 'kind' needs a Docker engine, and none answers: start one, or say 'local'")
    return "kind"


@contextmanager
def up(name: str = "test", *, kubelet: bool = True) -> Iterator[Cluster]:
    """Give a cluster for the length of the block.

    It is called `name`, or `name-2`, `name-3`, … while others hold that; what a crashed run left under the name is
    removed first. Without `kubelet`, objects are accepted and controllers work, but no pod is ever scheduled.

    Raises:
        ClusterError: no cluster can be had; the message tells why and what to do.

    """
    if _chosen() == "given":
        yield given.cluster()
        return
    candidates = chain([name], (f"{name}-{number}" for number in count(2)))
    with ExitStack() as held:
        mine = next(candidate for candidate in candidates if _taken(held, candidate))
        held.callback(_stop, mine)
        yield _start(mine, kubelet=kubelet)


def keep_up(name: str, *, kubelet: bool = True) -> Cluster:
    """Return the cluster of that name, started if it does not run; it runs on until `down`.

    Raises:
        ClusterError: no cluster can be had, or another program holds the name.

    """
    if _chosen() == "given":
        return given.cluster()
    with _held(name):
        mode = "node" if kubelet else "control plane"
        if _kept(name) == mode and _running(name):
            return opened(name)
        cluster = _start(name, kubelet=kubelet)
        (folder(name) / "kept").write_text(mode)
        return cluster


def down(name: str) -> None:
    """Stop the cluster of that name and remove what it left, whatever is there.

    Raises:
        ClusterError: another program holds the name.

    """
    with _held(name):
        _stop(name)


def build(*, kubelet: bool = True) -> None:
    """Make all that a cluster will need, so that starting one takes seconds."""
    provider = _chosen()
    if provider == "local":
        local.build(kubelet=kubelet)
    else:
        kind.build() if provider == "kind" else given.build()


def names() -> dict[str, bool]:
    """Return the names of the clusters that were started and not stopped, and whether each runs."""
    return {file.parent.name: _running(file.parent.name) for file in sorted(_root().glob("*/provider"))}


def folder(name: str) -> Path:
    """Return the folder of a cluster's state; `run` in it holds the logs, which outlive the cluster."""
    return _root() / name


def opened(name: str) -> Cluster:
    """Return the running cluster of that name.

    Raises:
        ClusterError: there is none.

    """
    if not _running(name):
        raise ClusterError(f"no cluster {name} runs; start it with: python -m dev.cluster up --name {name}")
    return kind.opened(name, folder(name)) if _provider(name) == "kind" else local.opened(name, folder(name))


def _root() -> Path:
    return cache.root() / "clusters"


def _chosen() -> Provider:
    return choice(os.environ.get(given.VARIABLE), os.environ.get(_WISH), docker=containers.available())


def _provider(name: str) -> str | None:
    return _note(name, "provider")


def _running(name: str) -> bool:
    provider = _provider(name)
    if provider is None:
        return False
    return kind.running(name) if provider == "kind" else local.running(folder(name))


def _kept(name: str) -> str | None:
    """Return how a cluster was left running on purpose, if it was."""
    return _note(name, "kept")


def _note(name: str, about: str) -> str | None:
    file = folder(name) / about
    return file.read_text() if file.exists() else None


def _taken(held: ExitStack, name: str) -> bool:
    """Take a name for as long as `held` lasts, unless another program holds it or it was left running on purpose."""
    if _kept(name):
        return False
    try:
        held.enter_context(cache.locked(folder(name), wait=False))
    except BlockingIOError:
        return False
    return True


@contextmanager
def _held(name: str) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            stack.enter_context(cache.locked(folder(name), wait=False))
        except BlockingIOError:
            raise ClusterError(
                f"another program holds the cluster {name}: wait for it, or use another --name"
            ) from None
        yield


def _start(name: str, *, kubelet: bool) -> Cluster:
    _stop(name)
    shutil.rmtree(folder(name), ignore_errors=True)
    folder(name).mkdir(parents=True)
    provider = _chosen()
    (folder(name) / "provider").write_text(provider)
    start = kind.start if provider == "kind" else local.start
    try:
        return start(name, folder(name), kubelet=kubelet)
    except BaseException:
        _stop(name)
        raise


def _stop(name: str) -> None:
    if _provider(name) == "kind":
        kind.stop(name)
    else:
        local.stop(folder(name))
    for path in folder(name).glob("*"):
        if path.name != "run":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
