"""A running cluster, as its users see it: the same whichever provider runs it."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


_READY_SECONDS = 60.0
_POLL_SECONDS = 0.1


class ClusterError(RuntimeError):
    """A cluster cannot be had, or refused a command; `str()` of it tells a person what to do about it."""


@dataclass(frozen=True)
class Cluster:
    """A cluster that answers.

    `kubeconfig` makes its bearer an administrator. `node_address` is the address at which pods reach programs of
    this machine that listen on all addresses. `binaries` is a folder with `kubectl` and `helm`.
    """

    name: str
    kubeconfig: Path
    node_address: str
    binaries: Path
    loader: Callable[[Path], None]
    restarter: Callable[[], None]

    def kubectl(self, *args: str, input: str | None = None) -> str:  # noqa: A002 (as in subprocess.run)
        """Run kubectl and return its output.

        Raises:
            ClusterError: kubectl failed; the message holds its words.

        """
        return self._run("kubectl", args, input)

    def helm(self, *args: str) -> str:
        """Run Helm and return its output.

        Raises:
            ClusterError: Helm failed; the message holds its words.

        """
        return self._run("helm", args, None)

    def load_image(self, archive: Path) -> None:
        """Give the node the images of an OCI or Docker archive; pods find them under the names inside it."""
        self.loader(archive)

    def restart_api_server(self) -> None:
        """Stop the API server, start it again as it was, and wait until it is ready: every connection is lost.

        Raises:
            ClusterError: this cluster's API server is not ours to restart, or it did not become ready.

        """
        self.restarter()
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                self.kubectl("get", "--raw", "/readyz")
            except ClusterError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(_POLL_SECONDS)
            else:
                return

    def environment(self) -> dict[str, str]:
        """Return the caller's environment, made to speak to this cluster, directly and with fresh knowledge of it."""
        no_proxy = ",".join(filter(None, [os.environ.get("NO_PROXY"), "127.0.0.1,198.18.0.0/15"]))
        path = f"{self.binaries}{os.pathsep}{os.environ.get('PATH', '')}"
        return {
            **os.environ,
            "PATH": path,
            "KUBECONFIG": str(self.kubeconfig),
            # kubectl remembers an address's kinds for hours, and the next cluster may get the same address.
            "KUBECACHEDIR": str(self.binaries.with_name("discovery")),
            "NO_PROXY": no_proxy,
            "no_proxy": no_proxy,
        }

    def _run(self, program: str, args: tuple[str, ...], text: str | None) -> str:
        command = [str(self.binaries / program), *args]
        return run(command, env=self.environment(), text=text)


def run(command: list[str], *, env: dict[str, str] | None = None, text: str | None = None) -> str:
    """Run a command to its end and return its output.

    Raises:
        ClusterError: it failed, or its program is not installed.

    """
    try:
        done = subprocess.run(command, env=env, input=text, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise ClusterError(f"{command[0]} is not installed, and the local cluster needs it") from None
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip()
        raise ClusterError(f"{' '.join(command)} failed with exit code {error.returncode}: {words}") from None
    return done.stdout
