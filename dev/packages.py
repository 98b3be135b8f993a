"""Programs of the operating system that the harness needs, installed where they are missing."""

from __future__ import annotations

import os
import shutil

from dev.commands import run
from dev.progress import step


def install(*names: str) -> None:
    """Install Debian packages.

    Raises:
        RuntimeError: this machine cannot install any, and the message says what to do; or the installation failed.

    """
    wanted = " ".join(names)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise RuntimeError(f"Missing on this machine: {wanted}. Install them, or start a Docker engine, and try again.")
    with step(f"Installing {wanted}"):
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", *names)


def _apt_get(*arguments: str) -> None:
    # Runlevel 1 asks for no service to be started. One that starts all the same does no harm: ours have own ports.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    run("apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=600", *arguments, env=environment)
