"""`process-existing-batches` (M17): have the notifications that waited long enough mailed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError
from graphschedule_platform.notification_batches import due, waiting

from graphschedule_runner import rpc
from graphschedule_runner.tasks.settings import PROD
from graphschedule_runner.tasks.task import TaskResult

if TYPE_CHECKING:
    from graphschedule_runner.tasks.task import TaskContext

_REMEDY = "set it: mails are written by the platform's notification service"


def run(context: TaskContext) -> TaskResult:
    """Ask the notification service for the batches of each type of which one is due.

    In `prod` the platform sends no batches (C §4.7).

    Raises:
        InvalidValueError: the service is not named.
        DependencyError: the service does not do it.

    """
    settings = context.settings
    if settings.app_env == PROD:
        return TaskResult(f"no batches, for APP_ENV is {PROD}")
    if settings.notification_service is None:
        raise InvalidValueError("NOTIFICATIONMANAGER_HOST", None, _REMEDY)
    with context.engine.connect() as connection:
        ready = due(waiting(connection, settings.notification_types), context.clock())
    if ready:
        types = sorted(ready)
        rpc.call(settings.notification_service, settings.patience, "process_existing_batches", notification_types=types)
    return TaskResult(f"{ready.total()} batches were due", {"due": dict(sorted(ready.items()))})
