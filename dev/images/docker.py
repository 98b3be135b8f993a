"""Images built by a Docker engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dev.commands import run

if TYPE_CHECKING:
    from pathlib import Path


def build(context: Path, dockerfile: Path, ref: str, archive: Path) -> None:
    """Build an image and save it as an archive."""
    run("docker", "build", "--file", str(dockerfile), "--tag", ref, str(context))
    run("docker", "save", "--output", str(archive), ref)
