"""Shards: many run payloads in one file."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from graphschedule import shards
from graphschedule.payload import RunPayload

if TYPE_CHECKING:
    from pathlib import Path


def member(number: int) -> RunPayload:
    return RunPayload(
        schedule_uid=f"00000000-0000-4000-8000-{number:012d}",
        namespace="team",
        name=f"schedule-{number}",
        cronjob="shard",
        graph_id="g",
        user_id="u",
        inputs={"text": "line\nbreak", "number": number},
    )


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    members = [member(number) for number in range(100)]
    file = tmp_path / shards.FILE
    file.write_bytes(shards.encode(one.encode() for one in members))
    read = map(RunPayload.decode, shards.lines(file))
    assert sorted(read, key=lambda one: one.schedule_uid) == members


def test_the_order_of_the_members_makes_no_difference() -> None:
    lines = [member(number).encode() for number in range(50)]
    shuffled = random.Random(1).sample(lines, len(lines))
    assert shards.encode(shuffled) == shards.encode(lines)
    assert shards.digest(shards.encode(shuffled)) == shards.digest(shards.encode(lines))
    assert shards.digest(shards.encode(lines[1:])) != shards.digest(shards.encode(lines))


def test_the_weights_of_the_members_are_more_than_the_file() -> None:
    lines = [member(number).encode() for number in range(500)]
    assert len(shards.encode(lines)) <= sum(map(shards.weight, lines))
