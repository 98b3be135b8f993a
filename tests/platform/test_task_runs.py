"""Runs of system tasks: one of a task at a time, each on record."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform import task_runs
from graphschedule_platform.errors import PlatformUnsupportedError
from graphschedule_platform.task_runs import RunState, Start
from sqlalchemy import text

from tests.support.builders import new_id

if TYPE_CHECKING:
    from sqlalchemy import Engine

NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)
LEASE = timedelta(seconds=60)
TASK = "cleanup-oauth-tokens"


def a_start(task: str = TASK) -> Start:
    return Start(new_id(), task, f"{task}-29710000", NOW)


def begin(engine: Engine, start: Start, now: datetime = NOW) -> bool:
    with engine.begin() as connection:
        return task_runs.begin(connection, start, now, now + LEASE)


def finish(engine: Engine, start: Start, now: datetime, state: RunState = RunState.SUCCEEDED) -> None:
    with engine.begin() as connection:
        task_runs.finish(connection, start, state, "done\0", {"deleted": 3}, now)


def newest(engine: Engine, task: str = TASK) -> list[task_runs.TaskRun]:
    with engine.connect() as connection:
        return task_runs.newest(connection, task, limit=100)


def test_a_run_is_on_record_from_its_beginning_to_its_end(platform_db: Engine) -> None:
    start = a_start()
    assert begin(platform_db, start)
    (run,) = newest(platform_db)
    assert (run.id, run.job, run.tick, run.state) == (start.id, start.job, NOW, RunState.RUNNING)
    finish(platform_db, start, NOW + timedelta(seconds=2))
    (run,) = newest(platform_db)
    assert (run.state, run.message, run.counts) == (RunState.SUCCEEDED, "done", {"deleted": 3})
    assert run.finished_at == NOW + timedelta(seconds=2)


def test_no_run_begins_while_another_one_of_its_task_is_under_way(platform_db: Engine) -> None:
    first, other = a_start(), a_start("cleanup-expired-files")
    assert begin(platform_db, first)
    assert not begin(platform_db, a_start(), NOW + LEASE)
    assert begin(platform_db, other)
    with platform_db.connect() as connection:
        under_way = task_runs.under_way(connection, TASK)
    assert under_way is not None
    assert under_way.id == first.id
    finish(platform_db, first, NOW, RunState.FAILED)
    assert begin(platform_db, a_start())


def test_of_runs_that_begin_at_once_one_does(platform_db: Engine) -> None:
    starts, together = [a_start() for _ in range(4)], threading.Barrier(4)

    def try_it(start: Start) -> bool:
        together.wait()
        return begin(platform_db, start)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(try_it, starts)) == [False, False, False, True]
    assert len(newest(platform_db)) == 1


def test_a_run_that_is_not_renewed_is_lost_and_the_next_one_begins(platform_db: Engine) -> None:
    killed, following = a_start(), a_start()
    begin(platform_db, killed)
    with platform_db.begin() as connection:
        assert task_runs.renew(connection, killed.id, NOW + 2 * LEASE)
    assert not begin(platform_db, following, NOW + LEASE + timedelta(seconds=1))
    late = NOW + 2 * LEASE + timedelta(seconds=1)
    assert begin(platform_db, following, late)
    lost = next(run for run in newest(platform_db) if run.id == killed.id)
    assert (lost.state, lost.message, lost.finished_at) == (RunState.FAILED, task_runs.LOST, late)
    with platform_db.begin() as connection:
        assert not task_runs.renew(connection, killed.id, late + LEASE)


def test_the_newest_run_of_each_task_is_found(platform_db: Engine) -> None:
    for minute in range(3):
        for task in (TASK, "cleanup-expired-files"):
            start, now = a_start(task), NOW + timedelta(minutes=minute)
            begin(platform_db, start, now)
            finish(platform_db, start, now)
    with platform_db.connect() as connection:
        found = task_runs.newest_of_each(connection)
    assert {task: run.started_at for task, run in found.items()} == dict.fromkeys(
        (TASK, "cleanup-expired-files"), NOW + timedelta(minutes=2)
    )


def test_only_so_many_runs_of_a_task_are_kept(platform_db: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_runs, "KEPT", 3)
    other = a_start("cleanup-expired-files")
    begin(platform_db, other)
    finish(platform_db, other, NOW)
    for minute in range(5):
        start, now = a_start(), NOW + timedelta(minutes=minute)
        begin(platform_db, start, now)
        finish(platform_db, start, now)
    assert [run.started_at.minute for run in newest(platform_db)] == [4, 3, 2]
    assert len(newest(platform_db, other.task)) == 1


def test_a_database_of_an_older_version_is_refused_with_the_remedy(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        task_runs.require(connection)
        ours = "graphschedule." if platform_db.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP TABLE {ours}task_run"))
    with platform_db.connect() as connection, pytest.raises(PlatformUnsupportedError, match="db upgrade"):
        task_runs.require(connection)
