"""Leases: two runs of a task never overlap, and a run that was killed does not stand in the way for long."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from graphschedule_platform import task_runs
from graphschedule_platform.errors import DatabaseUnavailableError
from graphschedule_platform.task_runs import RunState, Start
from graphschedule_runner import lease

from tests.support.builders import new_id

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

LASTS = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make leases short."""
    monkeypatch.setattr(lease, "LASTS", LASTS)
    monkeypatch.setattr(lease, "RENEW_AFTER", LASTS / 4)


def now() -> datetime:
    return datetime.now(UTC)


def a_start() -> Start:
    return Start(new_id(), "ensure-embeddings-coverage", None, None)


def take(engine: Engine, start: Start, stopping: threading.Event | None = None) -> bool:
    return lease.take(engine, start, now, stopping or threading.Event())


def states(engine: Engine) -> dict[str, RunState]:
    with engine.connect() as connection:
        return {run.id: run.state for run in task_runs.newest(connection, "ensure-embeddings-coverage", 10)}


def test_a_second_run_gives_way_to_one_that_lives(platform_db: Engine) -> None:
    first, second = a_start(), a_start()
    assert take(platform_db, first)
    with lease.renewed(platform_db, first.id, now) as lost:
        assert not take(platform_db, second)
        assert not lost()
    assert states(platform_db) == {first.id: RunState.RUNNING}


def test_a_run_waits_for_the_lease_of_one_that_was_killed(platform_db: Engine) -> None:
    killed, following = a_start(), a_start()
    assert take(platform_db, killed)
    began = now()
    assert take(platform_db, following)
    assert now() - began >= LASTS / 2
    assert states(platform_db) == {killed.id: RunState.FAILED, following.id: RunState.RUNNING}


def test_a_run_that_waits_ends_when_it_is_asked_to(platform_db: Engine) -> None:
    assert take(platform_db, a_start())
    stopping = threading.Event()
    stopping.set()
    began = now()
    assert not take(platform_db, a_start(), stopping)
    assert now() - began < LASTS


def test_a_run_that_was_taken_for_lost_learns_it(platform_db: Engine) -> None:
    first = a_start()
    assert take(platform_db, first)
    with lease.renewed(platform_db, first.id, now) as lost:
        with platform_db.begin() as connection:
            task_runs.finish(connection, first, RunState.FAILED, task_runs.LOST, {}, now())
        assert wait_until(lost)


def test_a_run_that_cannot_renew_stops_before_another_one_may_begin(platform_db: Engine) -> None:
    first = a_start()
    assert take(platform_db, first)
    began = now()
    down = mock.Mock()
    down.begin.side_effect = DatabaseUnavailableError("database is not available")
    with lease.renewed(down, first.id, now) as lost:
        assert wait_until(lost)
        assert now() - began < LASTS


def wait_until(lost: Callable[[], bool]) -> bool:
    end = now() + 2 * LASTS
    never = threading.Event()
    while not lost() and now() < end:
        never.wait(0.01)
    return lost()
