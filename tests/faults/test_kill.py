"""A runner killed anywhere loses nothing and doubles nothing (M10)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from graphschedule.payload import RunPayload

    from tests.support.platforms import Platform

SLOTS = 100


def test_runners_killed_at_every_step_lose_nothing_and_double_nothing(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    file.write_text(payload.encode())
    environment = {name: value for name, value in os.environ.items() if name != "RABBITMQ_URL"}
    environment |= {"DATABASE_URL": platform.url} | (
        {"RABBITMQ_URL": platform.broker_url} if platform.broker_url else {}
    )
    command = [sys.executable, "-m", "tests.faults.kill", "--count", str(SLOTS), "--payload", str(file), "--seed", "1"]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["steps"] <= SLOTS <= report["kills"]
    assert (report["lost"], report["doubled"], report["without_row"]) == (0, 0, 0), report
