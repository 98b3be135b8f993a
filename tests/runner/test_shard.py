"""A shard: one slot of many schedules, enqueued by one run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import shards
from graphschedule.outcomes import SlotState
from graphschedule.payload import InputSource
from graphschedule.slots import Slot
from graphschedule_platform import tables
from graphschedule_runner.shard import BATCH
from sqlalchemy import select

from tests.runner.commands import SLOT, command, environment_of, refused, run
from tests.runner.monitor import SECRET, monitor
from tests.support import builders
from tests.support.platforms import NOON, fire, on_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from graphschedule.payload import RunPayload

    from tests.support.platforms import Platform


RUN_AND_TELL_MEMORY = """
import sys
from graphschedule_runner.__main__ import main
code = main(sys.argv[1:])
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")))
sys.exit(code)
"""
"""A script: the runner, and then the most KiB of memory that it has had."""


def members(payload: RunPayload, count: int) -> list[RunPayload]:
    """Return the payloads of as many schedules of one shard."""
    return [
        payload._replace(schedule_uid=builders.new_id(), name=f"member-{number}", cronjob="shard")
        for number in range(count)
    ]


def written(payloads: Iterable[RunPayload], folder: Path, *more: str) -> Path:
    """Write a shard as the pod finds it, perhaps with more lines; return the file."""
    path = folder / shards.FILE
    path.write_bytes(shards.encode([*(payload.encode() for payload in payloads), *more]))
    return path


def execute(platform: Platform, shard: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return run(environment_of(platform), "execute", "--shard", shard, *(arguments or ("--slot", SLOT)))


def states(platform: Platform, payloads: Sequence[RunPayload]) -> list[SlotState | None]:
    """Return the state of each member's slot, None for one that is not on record."""
    rows = platform.slots()
    return [rows[fire(one).id].state if fire(one).id in rows else None for one in payloads]


def test_every_member_is_enqueued_once_however_often_the_shard_runs(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    all_ = members(payload, 50)
    file, last_words = written(all_, tmp_path), tmp_path / "termination-log"
    last_words.touch()
    done = execute(platform, file, "--slot", SLOT, "--termination-log", last_words)
    assert (done.returncode, done.stdout.split(" in ")[0]) == (0, f"Enqueued 50 members of slot {SLOT}"), done.stderr
    told = json.loads(last_words.read_text())
    assert (told["reason"], told["slot"], told["counts"]) == ("Enqueued", SLOT, {"Enqueued": 50})
    assert execute(platform, file).stdout.strip().endswith("50 AlreadyEnqueued")
    assert platform.statuses() == {fire(one).id: "QUEUED" for one in all_}
    assert states(platform, all_) == [SlotState.ENQUEUED] * 50
    if platform.publisher:
        sent = Counter(message["graph_exec_id"] for message in platform.messages())
        assert sent == Counter(fire(one).id for one in all_)


def test_each_members_outcome_is_logged_with_its_execution_and_time(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    good, lost = members(payload, 2)
    lost = lost._replace(graph_id=builders.new_id())
    records = [json.loads(line) for line in execute(platform, written([good, lost], tmp_path)).stderr.splitlines()]
    (passed,) = (record for record in records if record.get("executionIds") == {"agents/member-0": fire(good).id})
    (failed,) = (record for record in records if record.get("executionId") == fire(lost).id)
    assert (passed["level"], passed["reason"], passed["slot"]) == ("INFO", "Enqueued", SLOT)
    assert (failed["level"], failed["reason"], failed["schedule"]) == ("ERROR", "GraphNotFound", "agents/member-1")
    assert passed["elapsedSeconds"] > 0
    assert failed["elapsedSeconds"] > 0


def test_members_that_fail_for_good_harm_no_other_and_do_not_fail_the_job(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    good, absent, poisoned = members(payload, 3)
    absent, poisoned = absent._replace(graph_id=builders.new_id()), poisoned._replace(inputs={"text": float("nan")})
    done = execute(platform, written([good, absent, poisoned], tmp_path))
    assert done.returncode == 0, done.stderr
    assert "1 GraphError" in done.stdout
    assert "first failure: agents/member-" in done.stdout
    assert states(platform, [good, absent, poisoned]) == [SlotState.ENQUEUED, SlotState.FAILED, SlotState.FAILED]


def test_a_line_that_is_no_payload_costs_no_other_its_slot_and_fails_the_job_for_good(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    all_ = members(payload, 3)
    done = execute(platform, written(all_, tmp_path, '{"format": 99}'))
    refused(done, 64, "3 Enqueued", "format 1")
    assert states(platform, all_) == [SlotState.ENQUEUED] * 3


@pytest.mark.parametrize("content", [b"plain text", b"\x1f\x8b\x08cut"])
def test_a_file_that_is_no_shard_is_refused(platform: Platform, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / shards.FILE
    file.write_bytes(content)
    refused(execute(platform, file), 64, "gzip")


def test_a_member_younger_than_the_slot_is_passed_over_without_a_trace(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    older, born, younger = members(payload, 3)
    older = older._replace(not_before="2026-05-04T11:59:59Z")
    born = born._replace(not_before="2026-05-04T12:00:00Z")
    younger = younger._replace(not_before="2026-05-04T12:00:01Z")
    done = execute(platform, written([older, born, younger], tmp_path))
    assert states(platform, [older, born, younger]) == [SlotState.ENQUEUED, SlotState.ENQUEUED, None]
    assert "Enqueued 2 members" in done.stdout


def test_a_job_made_by_hand_runs_all_members_in_a_slot_of_its_own(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    all_ = [one._replace(not_before="2090-01-01T00:00:00Z") for one in members(payload, 3)]
    uid, minutes = builders.new_id(), int(NOON.timestamp()) // 60
    file = written(all_, tmp_path)
    assert execute(platform, file, "--job-name", "try-it", "--job-uid", uid).returncode == 0
    assert platform.statuses().keys() == {Slot.manual(one.schedule_uid, uid).execution_id for one in all_}
    done = execute(platform, file, "--job-name", f"shard-{minutes}", "--job-uid", uid)
    assert "none was due" in done.stdout


def test_members_share_the_volumes_of_their_sources_and_fail_alone_where_one_is_missing(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    plain, keyed, lacking = members(payload, 3)
    secret = InputSource("Secret", "keys", key="text")
    keyed = keyed._replace(inputs_from=(secret,))
    lacking = lacking._replace(inputs_from=(secret._replace(key="absent"),))
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "text").write_text("from the Secret")
    done = execute(platform, written([plain, keyed, lacking], tmp_path), "--slot", SLOT, "--inputs", tmp_path)
    assert done.returncode == 0, done.stderr
    assert states(platform, [plain, keyed, lacking]) == [SlotState.ENQUEUED, SlotState.ENQUEUED, SlotState.FAILED]
    assert "Secret keys, key absent" in platform.slots()[fire(lacking).id].message
    execution = tables.agent_graph_execution.c
    with platform.engine.connect() as connection:
        inputs = {row.id: row.inputs for row in connection.execute(select(execution.id, execution.inputs))}
    assert inputs == {fire(plain).id: {"text": "hello"}, fire(keyed).id: {"text": "from the Secret"}}


def test_each_members_monitor_is_told_of_its_own_outcome(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    good, absent, silent = members(payload, 3)
    with monitor() as watch:
        good = good._replace(heartbeat_url=watch.url)
        absent = absent._replace(heartbeat_url=watch.url, graph_id=builders.new_id())
        silent = silent._replace(heartbeat_url=f"http://127.0.0.1:1/{SECRET}")
        done = execute(platform, written([good, absent, silent], tmp_path))
        assert sorted(watch.calls) == sorted([f"/{SECRET}/?token={SECRET}", f"/{SECRET}/fail?token={SECRET}"])
    assert done.returncode == 0
    assert SECRET not in done.stdout + done.stderr


@on_postgresql
@pytest.mark.parametrize(
    "change",
    [
        {"DATABASE_URL": "postgresql://user:secret@127.0.0.1:1/platform"},
        {"RABBITMQ_URL": "amqp://user:secret@127.0.0.1:1/"},
    ],
)
def test_what_cannot_be_reached_is_left_to_the_next_pod(
    platform: Platform, payload: RunPayload, tmp_path: Path, change: dict[str, str]
) -> None:
    all_ = members(payload, 3)
    file = written(all_, tmp_path)
    refused(run(environment_of(platform) | change, "execute", "--shard", file, "--slot", SLOT), 75, "3 Transient")
    assert execute(platform, file).returncode == 0
    assert states(platform, all_) == [SlotState.ENQUEUED] * 3


@on_postgresql
def test_a_pod_that_is_told_to_stop_finishes_what_it_has_in_hand_and_the_next_one_the_rest(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    """A lock holds the runner in the middle of its first batches; there it is told to stop."""
    all_ = members(payload, 4 * BATCH)
    file = written(all_, tmp_path)
    started = subprocess.Popen(
        command("execute", "--shard", file, "--slot", SLOT),
        env=os.environ | environment_of(platform),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with platform.engine.begin() as lock, platform.engine.connect() as watch:
        lock.exec_driver_sql('LOCK TABLE platform."AgentGraphExecution" IN ACCESS EXCLUSIVE MODE')
        while not watch.exec_driver_sql(waits).scalar():
            assert started.poll() is None
            watch.rollback()
        started.send_signal(signal.SIGTERM)
    said, _ = started.communicate(timeout=60)
    enqueued = platform.count(tables.agent_graph_execution)
    assert (started.returncode, said.split()[0]) == (75, "Transient")
    assert 0 < enqueued < len(all_)
    assert execute(platform, file).returncode == 0
    assert states(platform, all_) == [SlotState.ENQUEUED] * len(all_)
    sent: list[dict[str, Any]] = platform.messages()
    assert Counter(message["graph_exec_id"] for message in sent) == Counter(fire(one).id for one in all_)


@on_postgresql
def test_it_keeps_within_the_memory_of_the_pod_however_large_the_members_are(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    """The chart's limit is 256 MiB; these members alone take 60 MB as texts."""
    large = [
        one._replace(inputs={"text": f"{number}" + "large " * 25_000})
        for number, one in enumerate(members(payload, 400))
    ]
    shard = written(large, tmp_path)
    watched = [sys.executable, "-c", RUN_AND_TELL_MEMORY, "execute", "--shard", str(shard), "--slot", SLOT]
    done = subprocess.run(
        watched, env=os.environ | environment_of(platform), check=True, capture_output=True, text=True
    )
    assert int(done.stdout.split()[-2]) < 200 * 1024
    assert states(platform, large) == [SlotState.ENQUEUED] * len(large)
