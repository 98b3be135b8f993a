"""`process-weekly-summary` (M16): have the weekly summary of every active user made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError
from graphschedule_platform.errors import BrokerUnavailableError
from graphschedule_platform.publisher import BrokerAddress, Publisher
from graphschedule_platform.weekly_summary import SUMMARIES, active_users, message

from graphschedule_runner import rpc
from graphschedule_runner.tasks.settings import PROD
from graphschedule_runner.tasks.task import TaskResult

if TYPE_CHECKING:
    from graphschedule_runner.tasks.task import TaskContext

PAUSES = (0.0, 1.0, 10.0)
"""Seconds before each try to queue what is not queued yet."""

_REMEDY = "set it, or RABBITMQ_URL to queue summaries without the notification service"


def run(context: TaskContext) -> TaskResult:
    """Ask the notification service, which finds the active users itself; where there is none, queue for it.

    In `prod` the platform has no weekly summary (C §4.6).

    Raises:
        InvalidValueError: neither the service nor a broker is named.
        DependencyError: the service does not do it.
        BrokerUnavailableError: some summaries are not known to be queued; the next run queues all of them again.

    """
    settings = context.settings
    if settings.app_env == PROD:
        return TaskResult(f"no weekly summaries, for APP_ENV is {PROD}")
    if settings.notification_service:
        rpc.call(settings.notification_service, settings.patience, "queue_weekly_summary")
        return TaskResult(f"asked the {settings.notification_service} for all weekly summaries")
    if settings.broker is None:
        raise InvalidValueError("NOTIFICATIONMANAGER_HOST", None, _REMEDY)
    return _queue(context, settings.broker)


def _queue(context: TaskContext, broker: BrokerAddress) -> TaskResult:
    now = context.clock()
    with context.engine.connect() as connection:
        users = active_users(connection, now)
    with Publisher(broker, SUMMARIES) as publisher:
        faults = _insist(publisher, [message(user, now) for user in users])
    if faults:
        raise BrokerUnavailableError(f"{len(faults)} of {len(users)} weekly summaries are not queued: {faults[0]}")
    return TaskResult(f"queued {len(users)} weekly summaries", {"queued": len(users)})


def _insist(publisher: Publisher, messages: list[bytes]) -> list[str]:
    """Publish until all messages are queued or there is no try left; return the last faults.

    What is queued is not sent again, as it would be by another run, for a user gets a mail for each message.
    """
    faults: list[str] = []
    for pause in PAUSES:
        time.sleep(pause)
        answers = publisher.publish_many(messages)
        faults = [fault for fault in answers if fault]
        if not faults:
            break
        messages = [sent for sent, fault in zip(messages, answers, strict=True) if fault]
    return faults
