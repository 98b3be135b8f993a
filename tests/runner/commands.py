"""The runner's commands, run as programs."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from graphschedule.payload import RunPayload

    from tests.support.platforms import Platform

SLOT = "2026-05-04T12:00:00Z"
"""The slot of `tests.support.platforms.fire`."""


def command(*arguments: str | Path) -> list[str]:
    """Return the words that start the runner."""
    return [sys.executable, "-m", "graphschedule_runner", *map(str, arguments)]


def run(environment: dict[str, str], *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in an environment that holds no other database or broker."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ", "DATABASE"))}
    return subprocess.run(
        command(*arguments), env=clean | environment, check=False, capture_output=True, text=True, timeout=120
    )


def environment_of(platform: Platform) -> dict[str, str]:
    """Return the variables that lead to a platform."""
    broker = {"RABBITMQ_URL": platform.broker_url} if platform.broker_url else {}
    return {"DATABASE_URL": platform.url} | broker


def written(payload: RunPayload, folder: Path) -> Path:
    """Write a run payload as the pod finds it; return the file."""
    path = folder / "run.json"
    path.write_text(payload.encode())
    return path


def refused(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    """Assert that a command refused with one message that holds all parts, and no traceback."""
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    assert "Traceback" not in said
    for part in parts:
        assert part in said
