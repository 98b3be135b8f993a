"""Commands the harness runs to their end."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LINES = 15


class CommandError(RuntimeError):
    """A command failed; the message names it and ends with its last lines of output."""


def run(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a command and return its standard output.

    Raises:
        CommandError: it failed.

    """
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        output = (done.stdout + done.stderr).splitlines()[-_LINES:]
        raise CommandError("\n".join([f"{' '.join(command)[:200]} failed:", *output]))
    return done.stdout
