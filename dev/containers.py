"""Containers of a Docker engine, where one answers: known by id, and removed even after a crash."""

from __future__ import annotations

import functools
import shutil
import subprocess
from typing import TYPE_CHECKING

from dev.commands import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path


@functools.cache
def available() -> bool:
    """Tell whether a Docker engine answers."""
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def start(
    folder: Path, name: str, image: str, *, env: Mapping[str, str], ports: Sequence[int], command: Sequence[str] = ()
) -> dict[int, int]:
    """Start a container whose id is kept in the folder; return the host's port for each of the container's."""
    options = [f"--env={key}={value}" for key, value in env.items()] + [f"--publish={port}" for port in ports]
    id_file = folder / f"{name}.cid"
    run("docker", "run", "--detach", f"--cidfile={id_file}", *options, image, *command)
    container = id_file.read_text()
    return {port: int(run("docker", "port", container, str(port)).splitlines()[0].rpartition(":")[2]) for port in ports}


def remove_all(folder: Path) -> None:
    """Remove the containers that were started in the folder, with their data."""
    for id_file in folder.glob("*.cid"):
        run("docker", "rm", "--force", "--volumes", id_file.read_text())
        id_file.unlink()
