"""`task`: one run of one of the platform's housekeeping tasks."""

from __future__ import annotations

import gc
import os
import signal
import threading
import uuid
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import TYPE_CHECKING

from graphschedule import intervals
from graphschedule.slots import Slot
from graphschedule_platform import database, task_runs
from graphschedule_platform.enqueue import utc_now
from graphschedule_platform.errors import PlatformUnsupportedError, TransientError
from graphschedule_platform.probe import probe
from graphschedule_platform.task_runs import RunState, Start
from sqlalchemy.exc import ProgrammingError

from graphschedule_runner import lease, task_report
from graphschedule_runner.task_report import FAILED, SKIPPED, SUCCEEDED, Report
from graphschedule_runner.tasks import module_of
from graphschedule_runner.tasks.settings import TaskSettings
from graphschedule_runner.tasks.task import TaskContext, TaskResult

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from sqlalchemy import Engine

    from graphschedule_runner.settings import Settings
    from graphschedule_runner.tasks.task import Task

_NO_TABLES = "the platform is of a release that this task cannot work with, or keeps its tables from us"
_CUT_SHORT = "stopped before all was done: the pod was asked to end, or lost touch with the database"


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Run the task, unless its interval says that this is not the time; return 0.

    Raises:
        TransientError: something that the task needs is down, or it was told to stop; the next run does what was left.
        InvalidValueError: a setting cannot be used.
        PlatformUnsupportedError: the database lacks tables, or keeps them from us.

    """
    gc.enable()  # unlike a fire, this may last
    started_at, tick = utc_now(), _tick(options)
    if options.every and tick and not intervals.is_due(tick, options.every):
        task_report.tell(_skipped(options.name, started_at, "not due, for its interval has no multiple here"), options)
        return 0
    start = Start(str(uuid.uuid4()), options.name, options.job_name, tick)
    try:
        report = _attempt(start, settings, started_at)
    except Exception as error:
        _tell(Report(options.name, FAILED, started_at, utc_now(), str(error)), options)
        raise
    _tell(report, options)
    if report.state == FAILED:
        raise TransientError(report.text)
    return 0


def _tick(options: argparse.Namespace) -> datetime | None:
    """Return the time that the CronJob fired for, None for a run that a person made."""
    if not (options.cronjob and options.job_name):
        return None
    return Slot.of_job(options.name, options.cronjob, options.job_name, options.job_name).fire_time


def _attempt(start: Start, settings: Settings, started_at: datetime) -> Report:
    """Run the task under its lease."""
    task: Task = import_module(module_of(start.task))
    asked = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: asked.set())
    with _engine(settings, 1) as ours, _engine(settings, settings.pool_size) as engine:
        _require(ours)
        if not lease.take(ours, start, utc_now, asked):
            return _skipped(start.task, started_at, "another run of it was under way")
        with lease.renewed(ours, start.id, utc_now) as lost:
            result = _recorded(ours, start, lambda: _whole(task, engine, lambda: asked.is_set() or lost()))
    state = FAILED if result.error else SUCCEEDED
    return Report(start.task, state, started_at, utc_now(), result.text, result.counts)


@contextmanager
def _engine(settings: Settings, pool_size: int | None) -> Iterator[Engine]:
    """Give an engine. The lease has one of its own, for a task may keep all connections of another."""
    made = database.engine(settings.database_url, pool_size=pool_size)
    try:
        yield made
    finally:
        made.dispose()


def _require(engine: Engine) -> None:
    with engine.connect() as connection:
        probe(connection)
        task_runs.require(connection)


def _whole(task: Task, engine: Engine, shall_stop: Callable[[], bool]) -> TaskResult:
    """Run the task; that it was told to stop, and did, is an error of its result."""
    told = False

    def stopping() -> bool:
        nonlocal told
        told = told or shall_stop()
        return told

    try:
        result = task.run(TaskContext(TaskSettings.from_environment(os.environ), engine, utc_now, stopping))
    except ProgrammingError as error:
        raise PlatformUnsupportedError(f"{_NO_TABLES}: {database.cause(error.orig)}") from error
    if not told:
        return result
    return TaskResult("; ".join(filter(None, (result.text, _CUT_SHORT))), {**result.counts, "error": _CUT_SHORT})


def _recorded(engine: Engine, start: Start, work: Callable[[], TaskResult]) -> TaskResult:
    """Do the work, and record what it came to."""

    def record(state: RunState, result: TaskResult) -> None:
        with engine.begin() as connection:
            task_runs.finish(connection, start, state, result.text or "", result.counts, utc_now())

    try:
        result = work()
    except Exception as error:
        with suppress(TransientError):  # what is down may be the database; Kubernetes keeps the message too
            record(RunState.FAILED, TaskResult(str(error)))
        raise
    record(RunState.FAILED if result.error else RunState.SUCCEEDED, result)
    return result


def _skipped(task: str, started_at: datetime, why: str) -> Report:
    return Report(task, SKIPPED, started_at, utc_now(), f"nothing done: {why}")


def _tell(report: Report, options: argparse.Namespace) -> None:
    task_report.tell(report, options)
    if options.pushgateway and report.state != SKIPPED:
        task_report.push(report, options.every, options.pushgateway, options.instance)
