"""The runs of system tasks as the operator's metrics, from a real record."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_operator.platform import Platform
from graphschedule_operator.task_runs import TaskRuns
from graphschedule_platform import task_runs
from graphschedule_platform.task_runs import RunState, Start

from tests.support.builders import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
TOOK = timedelta(seconds=2)
CLEAN_UP = "cleanup-oauth-tokens"


@pytest.fixture
def platform(platform_db: Engine) -> Iterator[Platform]:
    made = Platform(platform_db)
    yield made
    made.close()


def run(engine: Engine, task: str, at: datetime, state: RunState) -> None:
    start = Start(new_id(), task, job=None, tick=None)
    with engine.begin() as connection:
        assert task_runs.begin(connection, start, at, at + HOUR)
        if state is not RunState.RUNNING:
            task_runs.finish(connection, start, state, "", {}, at + TOOK)


def samples(runs: TaskRuns) -> dict[tuple[str, str], float]:
    """Return the values by metric and task."""
    prefix = "graphschedule_task_"
    return {
        (sample.name.removeprefix(prefix), sample.labels["task"]): sample.value
        for family in runs.collect()
        for sample in family.samples
    }


async def test_a_success_a_failure_after_it_and_a_run_that_goes_on(platform: Platform) -> None:
    run(platform.engine, CLEAN_UP, NOON, RunState.SUCCEEDED)
    runs = TaskRuns(platform)
    await runs.look()
    ended = (NOON + TOOK).timestamp()
    healthy = {
        ("last_run_timestamp_seconds", CLEAN_UP): ended,
        ("last_run_duration_seconds", CLEAN_UP): TOOK.total_seconds(),
        ("last_run_failed", CLEAN_UP): 0,
        ("last_success_timestamp_seconds", CLEAN_UP): ended,
    }
    assert samples(runs) == healthy
    run(platform.engine, CLEAN_UP, NOON + HOUR, RunState.FAILED)
    run(platform.engine, CLEAN_UP, NOON + 2 * HOUR, RunState.RUNNING)
    await runs.look()
    failing = {"last_run_timestamp_seconds": ended + HOUR.total_seconds(), "last_run_failed": 1}
    assert samples(runs) == healthy | {(name, CLEAN_UP): value for name, value in failing.items()}


async def test_a_task_that_never_succeeded_has_no_time_of_it_and_one_that_never_ended_has_nothing(
    platform: Platform,
) -> None:
    run(platform.engine, CLEAN_UP, NOON, RunState.FAILED)
    run(platform.engine, "cleanup-expired-files", NOON, RunState.RUNNING)
    runs = TaskRuns(platform)
    await runs.look()
    assert {*samples(runs)} == {
        (f"last_run_{what}", CLEAN_UP) for what in ("timestamp_seconds", "duration_seconds", "failed")
    }


async def test_while_the_record_cannot_be_read_what_is_known_stands(
    platform: Platform, caplog: pytest.LogCaptureFixture
) -> None:
    run(platform.engine, CLEAN_UP, NOON, RunState.SUCCEEDED)
    runs = TaskRuns(platform)
    await runs.look()
    known = samples(runs)
    with platform.engine.begin() as connection:
        task_runs.task_run_table.drop(connection)
    for _ in range(2):
        await runs.look()
    assert samples(runs) == known
    assert caplog.text.count("the runs of system tasks cannot be read") == 1
