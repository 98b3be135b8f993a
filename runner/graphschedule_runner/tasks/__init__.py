"""The platform's housekeeping (M16 to M26): each task is the module here that is called as it is, with underscores.

A task's module has `run(context: TaskContext) -> TaskResult` (`graphschedule_runner.tasks.task`).
"""

from __future__ import annotations

from argparse import ArgumentTypeError

from graphschedule.intervals import MINUTE

TASKS: dict[str, str] = {
    "process-weekly-summary": "queue the weekly summary of every active user",
    "process-existing-batches": "send the batches of notifications that are due",
    "report-late-executions": "alert on executions that wait too long, or do not end",
    "report-block-error-rates": "alert on blocks that fail too often",
    "cleanup-expired-files": "delete expired uploads from the object store",
    "cleanup-oauth-tokens": "delete expired OAuth codes and tokens",
    "report-execution-accuracy-alerts": "alert on agents whose accuracy drops",
    "ensure-embeddings-coverage": "embed what has no embedding yet, and delete embeddings of what is gone",
}
"""What each task does."""


def module_of(name: str) -> str:
    """Return the full name of a task's module."""
    return f"{__name__}.{name.replace('-', '_')}"


def interval(text: str) -> int:
    """Return the seconds of an interval.

    Raises:
        ArgumentTypeError: it is no number, or shorter than cron's minute.

    """
    if not (text.isascii() and text.isdecimal()) or int(text) < MINUTE:
        raise ArgumentTypeError(f"{text!r} is not valid: write a whole number of at least {MINUTE}")
    return int(text)
