"""The platform's scheduler as it takes schedules today, in little: APScheduler in PostgreSQL behind the same RPC.

A script: `python -m bench.old_scheduler PORT`, with DATABASE_URL in the environment. It judges a graph as ours does,
one request in a thread, and adds a job. Server, threads and job store are the platform's (C §5.1, §6); what it does
besides, an RPC for each of its queries, is left out.
"""

from __future__ import annotations

import os
import sys
import uuid
from typing import TYPE_CHECKING, Any

import uvicorn
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger
from fastapi import FastAPI
from graphschedule_api.rpc.models import NewSchedule, Schedule
from graphschedule_platform import catalogue, database
from graphschedule_platform.validate import validate
from graphschedule_platform.verdict import ExecutionRequest
from sqlalchemy import create_engine

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Engine

POOL = 3
JOB = "bench.old_scheduler:execute_graph"


def main() -> None:
    """Serve until ended."""
    url = os.environ["DATABASE_URL"]
    made, engine = scheduler(url), database.engine(url, pool_size=POOL)
    app = FastAPI()

    @app.get("/readyz")
    async def readyz() -> str:
        return "ready"

    @app.post("/add_graph_execution_schedule")
    def add_graph_execution_schedule(asked: NewSchedule) -> Schedule:
        return _add(made, engine, asked)

    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")


def scheduler(url: str) -> BackgroundScheduler:
    """Return the platform's scheduler, running."""
    store = SQLAlchemyJobStore(engine=create_engine(database.parse(url).url, pool_size=POOL, max_overflow=0))
    made = BackgroundScheduler(
        jobstores={"default": store},
        executors={"default": ThreadPoolExecutor(POOL)},
        job_defaults={"coalesce": True, "max_instances": 1000, "misfire_grace_time": None},
        timezone="UTC",
    )
    made.start()
    return made


def add_job(made: BackgroundScheduler, asked: NewSchedule) -> Any:  # noqa: ANN401 - APScheduler has no types
    """Add the job of a schedule, and return it."""
    schedule_id, zone = str(uuid.uuid4()), asked.user_timezone or "UTC"
    arguments = asked.model_dump(mode="json", exclude={"name", "user_timezone"})
    return made.add_job(
        JOB,
        CronTrigger.from_crontab(asked.cron, timezone=zone),
        kwargs=arguments | {"schedule_id": schedule_id, "agent_name": asked.name},
        id=schedule_id,
        name=asked.name,
    )


def execute_graph(**_: object) -> None:
    """Stand for the job, which no bench lets come due."""


def _add(made: BackgroundScheduler, engine: Engine, asked: NewSchedule) -> Schedule:
    credentials = {name: each.model_dump() for name, each in asked.input_credentials.items()}
    request = ExecutionRequest(asked.graph_id, asked.user_id, asked.graph_version, asked.input_data, credentials)
    with engine.connect() as connection:
        verdict = validate(connection, request, catalogue=catalogue.shipped())
    if not verdict.valid:
        raise ValueError(verdict.message)
    job = add_job(made, asked)
    following: datetime = job.next_run_time
    return Schedule(
        **job.kwargs, id=job.id, name=job.name, next_run_time=following.isoformat(), timezone=str(job.trigger.timezone)
    )


if __name__ == "__main__":
    main()
