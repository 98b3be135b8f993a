"""A runner killed anywhere loses nothing and doubles nothing (M10)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from graphschedule import shards

from tests.support import builders

if TYPE_CHECKING:
    from pathlib import Path

    from graphschedule.payload import RunPayload

    from tests.support.platforms import Platform

SLOTS = 100
SHARD_SLOTS = 20
MEMBERS = 23
"""Of the shard: five batches of the killed runner's."""


def kill(platform: Platform, count: int, *what: str | Path) -> dict[str, Any]:
    """Kill runners of so many slots; return what came of it."""
    environment = {name: value for name, value in os.environ.items() if name != "RABBITMQ_URL"}
    environment |= {"DATABASE_URL": platform.url} | (
        {"RABBITMQ_URL": platform.broker_url} if platform.broker_url else {}
    )
    command = [sys.executable, "-m", "tests.faults.kill", "--count", str(count), "--seed", "1", *map(str, what)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_runners_killed_at_every_step_lose_nothing_and_double_nothing(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    file = tmp_path / "run.json"
    file.write_text(payload.encode())
    report = kill(platform, SLOTS, "--payload", file)
    assert report["steps"] <= SLOTS <= report["kills"]
    assert (report["lost"], report["doubled"], report["without_row"]) == (0, 0, 0), report


def test_a_shards_runners_killed_at_random_two_at_a_time_lose_and_double_no_member(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    members = [payload._replace(schedule_uid=builders.new_id(), name=f"member-{number}") for number in range(MEMBERS)]
    file = tmp_path / shards.FILE
    file.write_bytes(shards.encode(member.encode() for member in members))
    report = kill(platform, SHARD_SLOTS, "--shard", file)
    assert report["members"] == MEMBERS
    assert report["kills"] >= SHARD_SLOTS
    assert (report["lost"], report["doubled"], report["without_row"]) == (0, 0, 0), report
