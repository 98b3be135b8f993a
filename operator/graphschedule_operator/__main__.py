"""Runs the operator: `graphschedule-operator`, or `python -m graphschedule_operator`."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys

import kopf
import prometheus_client
import pydantic
import uvloop
from graphschedule.errors import InvalidValueError

from graphschedule_operator import handlers, kube, logs, metrics, platform, webhook
from graphschedule_operator.cache import Cache, Key, Shard, concerned_by, key_of
from graphschedule_operator.cronjob import CronJobs
from graphschedule_operator.dispatch import Dispatch
from graphschedule_operator.health import Health, Phase
from graphschedule_operator.insight import Insight
from graphschedule_operator.judge import validation
from graphschedule_operator.reconcile import Reconciler
from graphschedule_operator.settings import Settings
from graphschedule_operator.shards import Shards
from graphschedule_operator.status import State
from graphschedule_operator.sweep import Sweep
from graphschedule_operator.workers import drain, work
from graphschedule_operator.workqueue import WorkQueue

logger = logging.getLogger(__package__)

NO_LOGIN = 1
BAD_SETTINGS = 2
SHARD_WORKERS = 2
SPARE_CONNECTIONS = 4
"""Connections besides the workers': lists and health."""
YOUNG_OBJECTS = 20_000
"""New objects between two searches for garbage."""


def main() -> int:
    """Run until SIGTERM; return the exit code."""
    try:
        settings = Settings()
    except pydantic.ValidationError as error:
        for problem in error.errors(include_url=False):
            names = ("GRAPHSCHEDULE", *(str(part).upper() for part in problem["loc"]))
            print(f"{'_'.join(names)}: {problem['msg']}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        return BAD_SETTINGS
    logs.configure(settings.log_level)
    try:
        # The modules are for ever: searching them for garbage again and again takes a quarter of our time. So are
        # the caches, which are searched less often because what comes and goes is mostly freed without a search.
        gc.freeze()
        gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
        uvloop.run(run(settings))
    except kopf.LoginError as error:
        logger.error("cannot log in to the API server: %s", error)
        return NO_LOGIN
    except InvalidValueError as error:
        logger.error("%s", error)
        return BAD_SETTINGS
    return 0


async def run(settings: Settings) -> None:
    """Fill the caches, then watch, reconcile and sweep until told to stop; then finish the work in hand."""
    schedules, cronjobs = Cache(key_of), Cache(concerned_by)
    queue: WorkQueue[Key] = WorkQueue(rate=settings.rate, routine_rate=settings.routine_rate)
    shard_queue: WorkQueue[Shard] = WorkQueue(rate=settings.rate)

    def put(key: Key, *, routine: bool = False) -> None:
        if isinstance(key, Shard):
            shard_queue.put(key, routine=routine)
        else:
            queue.put(key, routine=routine)

    counted = metrics.Schedules(State)
    prometheus_client.REGISTRY.register(counted)
    metrics.QUEUE_DEPTH.set_function(lambda: len(queue))
    health = Health(lambda: max(queue.stalled_for(), shard_queue.stalled_for()), settings.stall_seconds)
    connections = settings.workers + SHARD_WORKERS + SPARE_CONNECTIONS
    database, validate = platform.connect(settings), validation(settings)
    async with (
        health.served(settings.host, settings.port),
        webhook.served(settings, database, validate),
        kube.Kube.connect(connections=connections, timeout_seconds=settings.request_seconds) as client,
        asyncio.TaskGroup() as tasks,
    ):
        sweep = Sweep(client, settings, schedules, cronjobs, put)
        insight = Insight(database, validate, client, schedules, cronjobs, queue.put, settings) if database else None
        known = CronJobs(client, cronjobs)
        shards = Shards(client, known, shard_queue, queue.put, settings)
        reconciler = Reconciler(client, schedules, Dispatch(known, shards, settings), counted, insight)
        await sweep.once()
        shards.begin(schedules)
        if insight is not None:
            prometheus_client.REGISTRY.register(insight.task_runs)
            await insight.begin()
        # kopf ends every task that is younger than itself when it stops: ours are to outlive it.
        works = [
            *(work(queue, reconciler.reconcile, metrics.RECONCILE_SECONDS) for _ in range(settings.workers)),
            *(work(shard_queue, shards.look, metrics.SHARD_SECONDS) for _ in range(SHARD_WORKERS)),
        ]
        workers = [tasks.create_task(worker) for worker in works]
        background = [tasks.create_task(each) for each in (sweep.for_ever(), *(insight.tasks() if insight else ()))]
        health.phase = Phase.READY
        logger.info("ready: %d schedules, %d CronJobs", len(schedules), len(cronjobs))
        await handlers.watch(handlers.registry(schedules, cronjobs, put, sweep.soon), settings)
        health.phase = Phase.STOPPING
        asyncio.get_running_loop().set_exception_handler(handlers.let_watches_go)
        for task in background:
            task.cancel()
        await drain(workers, (queue, shard_queue), settings.drain_seconds)
    if database is not None:
        database.close()
    logger.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
