"""Alerts of the system tasks (M26): each problem is told of at first sight, when it changes, and again after a time.

What a run was told of is remembered only once it was delivered: what did not get through is told by the next run.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from graphschedule_platform import alert_memory
from graphschedule_platform.errors import DependencyError

from graphschedule_runner.alert_channels import Channel, ways

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from graphschedule_runner.alert_channels import Way
    from graphschedule_runner.tasks.task import TaskContext

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem that a task found."""

    key: str
    """Which of the task's problems it is; the same at each run."""
    facts: frozenset[str]
    """What it consists of: a new fact makes it a changed problem."""
    content: str
    """The message, without anything that must not leave the cluster (`graphschedule_runner.masking`)."""


def tell(context: TaskContext, task: str, alerts: Sequence[Alert], channel: Channel = Channel.PLATFORM) -> int:
    """Deliver those of a task's present problems that are news, and forget its others; return how many were delivered.

    Raises:
        InvalidValueError: a notification URL cannot be used.
        DependencyError: some did not get through on all ways; they count as delivered if one way took them.

    """
    out = ways(context.settings, channel)
    remind_after = timedelta(seconds=context.settings.alert_reminder_seconds)
    with context.engine.begin() as connection:
        known = alert_memory.recall(connection, task)
    over = known.keys() - {alert.key for alert in alerts}
    told, faults = 0, []
    for alert in alerts:
        memory = alert_memory.after(known.get(alert.key), alert.facts, context.clock(), remind_after)
        if memory is None:
            continue
        failed = _send(out, alert.content)
        faults += failed
        if len(failed) < len(out):
            told += 1
            with context.engine.begin() as connection:
                alert_memory.remember(connection, task, alert.key, memory)
    with context.engine.begin() as connection:
        alert_memory.forget(connection, task, over)
    _raise(faults)
    return told


def report(context: TaskContext, content: str, channel: Channel = Channel.PLATFORM) -> None:
    """Deliver what is no problem, and so is told whenever it is asked for.

    Raises:
        InvalidValueError, DependencyError: see `tell`.

    """
    _raise(_send(ways(context.settings, channel), content))


def _send(out: Sequence[Way], content: str) -> list[str]:
    """Send an alert on each way; return the faults."""
    faults = []
    for way in out:
        try:
            way.send(content)
        except DependencyError as error:
            faults.append(str(error))
    return faults


def _raise(faults: Iterable[str]) -> None:
    distinct = list(dict.fromkeys(faults))
    if distinct:
        raise DependencyError("; ".join(distinct))
