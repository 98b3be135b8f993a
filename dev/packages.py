"""Programs of the operating system that the harness needs, installed where they are missing."""

from __future__ import annotations

import os
import shutil
import subprocess

from dev.progress import step


def install(*names: str) -> None:
    """Install Debian packages.

    Raises `RuntimeError` saying what to do where that is impossible, or what the installer said where it failed.
    """
    wanted = " ".join(names)
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise RuntimeError(f"Missing on this machine: {wanted}. Install them, or start a Docker engine, and try again.")
    with step(f"Installing {wanted}"):
        _apt_get("update")
        _apt_get("install", "--yes", "--no-install-recommends", *names)


def _apt_get(*arguments: str) -> None:
    # In runlevel 1 a package's installation starts no service: the harness starts its own.
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    command = ["apt-get", "--quiet", "-o", "DPkg::Lock::Timeout=600", *arguments]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"apt-get {arguments[0]} failed:\n" + "\n".join(done.stdout.splitlines()[-10:]))
