"""What a task is given, for tests of tasks alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from graphschedule_runner.tasks.settings import TaskSettings
from graphschedule_runner.tasks.task import TaskContext

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

    from tests.support.json_peer import JsonPeer

Environment = dict[str, str | int]
NOW = datetime(2026, 5, 4, 9, tzinfo=UTC)


def context(
    engine: Engine,
    environment: Environment,
    *,
    now: datetime = NOW,
    stopping: Callable[[], bool] = lambda: False,
) -> TaskContext:
    """Return the context of a task with these environment variables; no service is waited for."""
    variables = {"PYRO_CLIENT_COMM_RETRY": 0} | environment
    settings = TaskSettings.from_environment({name: str(value) for name, value in variables.items()})
    return TaskContext(settings, engine, clock=lambda: now, stopping=stopping)


def notification_service(peer: JsonPeer) -> Environment:
    """Return the variables that make a peer the notification service."""
    return {"NOTIFICATIONMANAGER_HOST": "127.0.0.1", "NOTIFICATION_SERVICE_PORT": peer.port}
