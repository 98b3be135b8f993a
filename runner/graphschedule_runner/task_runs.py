"""`tasks list`: the newest run of each system task, or the newest ones of one task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from graphschedule_platform import task_runs

from graphschedule_runner import assembly
from graphschedule_runner.console import columns, say

if TYPE_CHECKING:
    import argparse

    from graphschedule_platform.task_runs import TaskRun

    from graphschedule_runner.settings import Settings

_COLUMNS = ("task", "state", "startedAt", "finishedAt", "job", "counts", "message")


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Print the runs; return 0."""
    with assembly.transaction(settings) as connection:
        task_runs.require(connection)
        if options.task:
            runs = task_runs.newest(connection, options.task, options.limit)
        else:
            runs = sorted(task_runs.newest_of_each(connection).values(), key=lambda run: run.task)
    listed = [_members(one) for one in runs]
    if options.output == "json":
        say(json.dumps(listed, indent=2))
    else:
        columns(_COLUMNS, [[_text(one[name]) for name in _COLUMNS] for one in listed])
    return 0


def _members(run: TaskRun) -> dict[str, Any]:
    return {
        "id": run.id,
        "task": run.task,
        "state": run.state,
        "startedAt": run.started_at.isoformat(timespec="seconds"),
        "finishedAt": run.finished_at and run.finished_at.isoformat(timespec="seconds"),
        "tick": run.tick and run.tick.isoformat(timespec="seconds"),
        "job": run.job,
        "counts": run.counts,
        "message": run.message,
    }


def _text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return json.dumps(value)
    return " ".join(value.split()) if value else "-"
