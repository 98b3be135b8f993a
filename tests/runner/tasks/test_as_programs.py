"""The tasks as their CronJobs' pods run them: results on standard output, failures by exit code, both on record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform import task_runs
from graphschedule_platform.task_runs import RunState

from dev.services import topology
from tests.runner.commands import command, refused, run
from tests.runner.embeddings_endpoint import embeddings_endpoint
from tests.runner.tasks.contexts import notification_service
from tests.support import builders
from tests.support.json_peer import Answer, Call, json_peer
from tests.support.platforms import on_postgresql

if TYPE_CHECKING:
    from pathlib import Path

    from graphschedule_platform.task_runs import TaskRun
    from sqlalchemy import Engine

    from dev.services import Service

    Environment = dict[str, str]


@pytest.fixture
def environment(platform_url: str) -> Environment:
    return {"DATABASE_URL": platform_url, "PYRO_CLIENT_COMM_RETRY": "0"}


def newest(engine: Engine, task: str) -> TaskRun:
    with engine.connect() as connection:
        return task_runs.newest_of_each(connection)[task]


@on_postgresql
def test_weekly_summaries_are_queued_once_the_broker_is_there(
    platform_db: Engine, environment: Environment, broker: Service
) -> None:
    with platform_db.begin() as connection:
        graph = builders.make_graph(connection, builders.make_user(connection))
        builders.make_execution(connection, graph, created_at=datetime.now(UTC) - timedelta(days=1))
    task = ("task", "process-weekly-summary", "--output", "json")
    refused(run(environment | {"RABBITMQ_URL": "amqp://127.0.0.1:1/"}, *task), 75, "RabbitMQ at 127.0.0.1:1")
    assert newest(platform_db, task[1]).state is RunState.FAILED
    topology.declare_summaries(broker.url)
    done = run(environment | {"RABBITMQ_URL": broker.url}, *task)
    assert (done.returncode, json.loads(done.stdout)["counts"]) == (0, {"queued": 1}), done.stderr
    assert newest(platform_db, task[1]).counts == {"queued": 1}


@on_postgresql
def test_batches_are_asked_for_once_the_service_is_there(platform_db: Engine, environment: Environment) -> None:
    with platform_db.begin() as connection:
        user_id = builders.make_user(connection)
        builders.make_notification_batch(connection, user_id, "AGENT_RUN", [datetime.now(UTC) - timedelta(days=2)])
    with json_peer() as service:
        at_hand = environment | {name: str(value) for name, value in notification_service(service).items()}
        service.answer = lambda _: Answer({"type": "RuntimeError", "args": ["no mail"]}, 500)
        refused(run(at_hand, "task", "process-existing-batches"), 75, "notification service", "no mail")
        service.answer = lambda _: Answer()
        done = run(at_hand, "task", "process-existing-batches")
    assert (done.returncode, done.stdout) == (0, "1 batches were due\n"), done.stderr
    assert newest(platform_db, "process-existing-batches").message == "1 batches were due"


@on_postgresql
def test_uploads_are_deleted_once_the_store_can_be_read(
    platform_db: Engine, environment: Environment, tmp_path: Path
) -> None:
    file = tmp_path / "uploads" / "system" / "1" / "file"
    file.parent.mkdir(parents=True)
    file.touch()
    os.utime(file, (0, 0))
    nowhere = {"CLOUD_STORAGE_URL": "s3://bucket", "AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_ALLOW_HTTP": "true"}
    keys = {"AWS_ACCESS_KEY_ID": "user", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_REGION": "us-east-1"}
    done = run(environment | nowhere | keys, "task", "cleanup-expired-files")
    refused(done, 75, "s3://bucket cannot be listed")
    assert "s3cret" not in done.stdout + done.stderr
    done = run(environment | {"CLOUD_STORAGE_URL": tmp_path.as_uri()}, "task", "cleanup-expired-files")
    assert (done.returncode, file.exists()) == (0, False), done.stderr
    assert newest(platform_db, "cleanup-expired-files").counts == {"looked_at": 1, "deleted": 1, "failed": 0}


def test_embeddings_that_cannot_be_made_fail_the_run_with_what_was_done_on_record(
    vectors_url: str, vectors_db: Engine, tmp_path: Path
) -> None:
    (tmp_path / "a.md").write_text("Words.", "utf-8")
    with embeddings_endpoint() as endpoint:
        at_hand = {name: str(value) for name, value in endpoint.environment.items()}
        at_hand |= {"DATABASE_URL": vectors_url, "DOCS_FOLDER": str(tmp_path)}
        endpoint.instead = [Answer({}, 401)]
        done = run(at_hand, "task", "ensure-embeddings-coverage", "--output", "json")
    refused(done, 75, f"the embeddings endpoint {endpoint.peer.url} answered 401")
    counts = json.loads(done.stdout)["counts"]
    assert counts["backfill"] == {"processed": 1, "success": 0, "failed": 1}
    recorded = newest(vectors_db, "ensure-embeddings-coverage")
    assert (recorded.state, recorded.counts) == (RunState.FAILED, counts)
    assert recorded.message == f"0 of 1 embeddings made, 0 deleted; {counts['error']}"


def test_two_runs_never_make_embeddings_at_the_same_time(vectors_url: str, vectors_db: Engine, tmp_path: Path) -> None:
    """The second comes while the first waits for its vectors."""
    (tmp_path / "a.md").write_text("Words.", "utf-8")
    task = command("task", "ensure-embeddings-coverage", "--output", "json")
    asked, going_on = threading.Event(), threading.Event()
    with embeddings_endpoint() as endpoint:

        def answer(call: Call) -> Answer:
            asked.set()
            going_on.wait(60)
            return endpoint.answer(call)

        endpoint.peer.answer = answer
        at_hand = {name: str(value) for name, value in endpoint.environment.items()}
        start = partial(
            subprocess.Popen,
            task,
            env=os.environ | at_hand | {"DATABASE_URL": vectors_url, "DOCS_FOLDER": str(tmp_path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        with start() as first:
            assert asked.wait(60)
            with start() as second:
                assert second.stderr is not None
                assert "another run is under way" in second.stderr.readline()
                second.send_signal(signal.SIGTERM)
                told, _ = second.communicate(timeout=60)
            assert (second.returncode, json.loads(told)["state"]) == (0, "skipped")
            going_on.set()
            told, _ = first.communicate(timeout=60)
    assert json.loads(told)["counts"]["backfill"] == {"processed": 1, "success": 1, "failed": 0}
    assert len(endpoint.batches) == 1
    assert newest(vectors_db, "ensure-embeddings-coverage").state is RunState.SUCCEEDED
