"""What every task is given and returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from sqlalchemy import Engine

    from graphschedule_runner.tasks.settings import TaskSettings


@dataclass(frozen=True, slots=True)
class TaskContext:
    """What a task works with."""

    settings: TaskSettings
    engine: Engine
    """The platform's database; which tables are there is known only to be what `probe` asks for."""
    clock: Callable[[], datetime]
    """Returns the time, aware and in UTC."""
    stopping: Callable[[], bool]
    """True once the pod is asked to end: a task that works in steps begins no further one."""


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What a task did, as the old scheduler's endpoint returned it (C §4, §5.2): text, counts, or nothing."""

    text: str | None = None
    counts: Mapping[str, Any] = field(default_factory=dict)
    """Numbers by name, or groups of them by name. What went wrong in part is a text called `error`: the run has failed,
    and its text says so too."""

    @property
    def error(self) -> str | None:
        """What went wrong in part."""
        return self.counts.get("error")


class Task(Protocol):
    """What the module of a task is, as far as its caller knows."""

    def run(self, context: TaskContext) -> TaskResult:
        """Do what the task is for.

        Raises:
            TransientError: what the task needs is down; the message names it. The next run does what was left.
            InvalidValueError: a setting that this task needs is missing.

        """
