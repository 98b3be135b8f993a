"""Runners killed at every step, over and over: `python -m bench.kill [--count N]` prints what came of it."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.servers import platform


def main() -> int:
    """Kill on real servers; return 1 if anything is lost or doubled."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="slots; each sees one kill or more")
    count: int = parser.parse_args().count
    with platform("kill") as made, tempfile.TemporaryDirectory() as folder:
        payload = Path(folder) / "run.json"
        payload.write_text(made.payload().encode())
        command = [sys.executable, "-m", "tests.faults.kill", "--count", str(count), "--payload", str(payload)]
        return subprocess.run(command, env=os.environ | made.environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
