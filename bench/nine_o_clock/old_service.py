"""The platform's scheduler as it is today, in a process of its own: APScheduler with three threads.

A script: `python -m bench.nine_o_clock.old_service MEMBERS TICK`, with DATABASE_URL and RABBITMQ_URL in the
environment; MEMBERS is a file of run payloads, one a line. It says `ready` when every job is in the job store, and runs
until it is ended. Job store, pool, threads and defaults are the platform's (C §6); the job does what ours does for one
schedule, with connections kept open.
"""

from __future__ import annotations

import os
import sys
import threading
from functools import cache, partial
from pathlib import Path

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from graphschedule.outcomes import Outcome
from graphschedule.payload import RunPayload
from graphschedule.slots import Slot, parse_instant
from graphschedule_platform import catalogue, database
from graphschedule_platform.delivery import Delivery
from graphschedule_platform.enqueue import Enqueuer
from graphschedule_platform.fires import Fire
from graphschedule_platform.publisher import BrokerAddress, Publisher
from graphschedule_platform.validate import validate_many
from sqlalchemy import Engine, create_engine

THREADS = 3
JOB = "bench.nine_o_clock.old_service:enqueue"
_threads = threading.local()


def main() -> None:
    """Schedule all members for the tick, and fire them when it comes."""
    members, tick = sys.argv[1:]
    at = parse_instant(tick)
    url = database.parse(os.environ["DATABASE_URL"]).url
    store = SQLAlchemyJobStore(engine=create_engine(url, pool_size=THREADS, max_overflow=0))
    scheduler = BackgroundScheduler(
        jobstores={"default": store},
        executors={"default": ThreadPoolExecutor(THREADS)},
        job_defaults={"coalesce": True, "max_instances": 1000, "misfire_grace_time": None},
        timezone="UTC",
    )
    scheduler.start(paused=True)
    trigger = CronTrigger(minute=at.minute, hour=at.hour, timezone="UTC")
    for line in Path(members).read_text().splitlines():
        scheduler.add_job(JOB, trigger, kwargs={"payload": line, "tick": tick})
    scheduler.resume()
    print("ready", flush=True)
    threading.Event().wait()


def enqueue(payload: str, tick: str) -> None:
    """Enqueue one schedule's slot: the job."""
    run = RunPayload.decode(payload)
    (result,) = _enqueuer().enqueue_many([Fire(Slot.at(run.schedule_uid, parse_instant(tick)), run)])
    if result.outcome is not Outcome.ENQUEUED:
        raise RuntimeError(result)


def _enqueuer() -> Enqueuer:
    """Return this thread's enqueuer, with a connection to the broker of its own."""
    if not hasattr(_threads, "enqueuer"):
        publisher = Publisher(BrokerAddress.from_environment(os.environ))
        judge = partial(validate_many, catalogue=catalogue.shipped())
        _threads.enqueuer = Enqueuer(_engine(), judge, Delivery(publisher))
    made: Enqueuer = _threads.enqueuer
    return made


@cache
def _engine() -> Engine:
    return database.engine(os.environ["DATABASE_URL"], pool_size=THREADS)


if __name__ == "__main__":
    main()
