"""`python -m graphschedule next`, as a program: what it prints, and where."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime

import pytest


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graphschedule", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_next_prints_a_json_list_of_utc_instants() -> None:
    done = run("next", "0 9 * * 1", "--time-zone", "Europe/Berlin", "--from", "2026-05-04T07:00:00Z", "--count", "2")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == ["2026-05-11T07:00:00Z", "2026-05-18T07:00:00Z"]


def test_the_defaults_are_five_times_from_now_in_utc() -> None:
    before = datetime.now(UTC)
    times = [datetime.fromisoformat(text) for text in json.loads(run("next", "0 12 * * *").stdout)]
    assert len(times) == 5
    assert times[0] > before
    assert {time.hour for time in times} == {12}


def test_the_list_is_shorter_when_no_further_time_comes() -> None:
    assert json.loads(run("next", "0 0 29 2 *", "--from", "2096-03-01T00:00:00Z").stdout) == []


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["next", "61 * * * *"], "spec.cron: '61 * * * *' is not valid: minute: 61 is out of range; write 0 to 59"),
        (["next", "@every 5m"], "spec.cron: '@every 5m' is not valid: @every is not supported; write a step"),
        (["next", "-1 * * * *"], "spec.cron: '-1 * * * *' is not valid: minute: '-1' is not understood"),
        (["next", "0 9 * * *", "--time-zone", "Mars/Olympus"], "spec.timeZone: 'Mars/Olympus' is not valid"),
        (["next", "0 9 * * *", "--from", "tomorrow"], "--from: 'tomorrow' is not valid: write an RFC 3339 time"),
        (["next", "0 9 * * *", "--count", "0"], "--count: '0' is not valid: write a whole number from 1 to"),
        (["next", "0 9 * * *", "--count", "many"], "--count: 'many' is not valid: write a whole number"),
        (["next"], "the following arguments are required: EXPR"),
        (["next", "0", "9", "*"], "unrecognized arguments: 9 *"),
        (["next", "0 9 * * *", "--zone\nUTC"], "unrecognized arguments: --zone UTC"),
        (["previous"], "argument command: invalid choice: 'previous'"),
        ([], "the following arguments are required: command"),
    ],
)
def test_a_bad_argument_gives_one_line_on_stderr_and_nothing_else(arguments: list[str], line: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr.startswith(line)
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("\n")
