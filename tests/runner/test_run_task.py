"""`task` as a program: when it runs, what it leaves on record and with the pod, and how it stops."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform import task_runs
from graphschedule_platform.database import qualified
from graphschedule_platform.task_runs import RunState
from graphschedule_runner.tasks import TASKS
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from tests.runner.commands import command, refused, run
from tests.support.json_peer import Answer, json_peer
from tests.support.platforms import on_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from graphschedule_platform.task_runs import TaskRun
    from sqlalchemy import Engine

    from tests.support.json_peer import Call

    Environment = dict[str, str]

CLEAN_UP = ("task", "cleanup-oauth-tokens")
MULTIPLE, OTHER = 29_710_002, 29_710_003
"""Minutes since 1970 that are a multiple of seven, and that are not."""


@pytest.fixture
def environment(platform_url: str) -> Environment:
    return {"DATABASE_URL": platform_url, "PYRO_CLIENT_COMM_RETRY": "0"}


def runs(engine: Engine, task: str = CLEAN_UP[1]) -> list[TaskRun]:
    with engine.connect() as connection:
        return task_runs.newest(connection, task, 10)


def of_job(name: str) -> Environment:
    return {"GRAPHSCHEDULE_CRONJOB_NAME": "gs-cleanup", "GRAPHSCHEDULE_JOB_NAME": name}


def test_help_lists_the_tasks_of_the_mission() -> None:
    said = run({}, "task", "--help").stdout
    assert len(TASKS) == 8
    assert all(f"\n  {name} " in said for name in TASKS)


def test_a_result_is_on_record_and_told_as_json_and_as_last_words(
    platform_db: Engine, environment: Environment, tmp_path: Path
) -> None:
    last_words = tmp_path / "termination-log"
    last_words.touch()
    done = run(environment, *CLEAN_UP, "--output", "json", "--termination-log", last_words)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told == json.loads(last_words.read_text())
    counts = {"authorization_codes": 0, "access_tokens": 0, "refresh_tokens": 0}
    assert (told["task"], told["state"], told["counts"]) == (CLEAN_UP[1], "succeeded", counts)
    logged = json.loads(done.stderr.splitlines()[-1])
    assert (logged["task"], logged["state"], logged["counts"]) == (CLEAN_UP[1], "succeeded", counts)
    (recorded,) = runs(platform_db)
    assert (recorded.state, recorded.counts, recorded.job) == (RunState.SUCCEEDED, counts, None)


def test_a_cronjob_fires_on_the_multiples_of_the_interval_and_a_person_whenever(
    platform_db: Engine, environment: Environment
) -> None:
    every = (*CLEAN_UP, "--every", "420", "--output", "json")
    idle = run(environment | of_job(f"gs-cleanup-{OTHER}"), *every)
    assert (idle.returncode, json.loads(idle.stdout)["state"]) == (0, "skipped")
    assert runs(platform_db) == []
    for name in (f"gs-cleanup-{MULTIPLE}", "clean-up-now"):
        done = run(environment | of_job(name), *every)
        assert (done.returncode, json.loads(done.stdout)["state"]) == (0, "succeeded")
    by_hand, fired = runs(platform_db)
    assert (by_hand.job, by_hand.tick) == ("clean-up-now", None)
    assert fired.tick is not None
    assert fired.tick.timestamp() == MULTIPLE * 60


def test_the_newest_runs_can_be_listed(environment: Environment) -> None:
    for task in ("cleanup-oauth-tokens", "process-weekly-summary", "cleanup-oauth-tokens"):
        run(environment, "task", task)
    each = json.loads(run(environment, "tasks", "list", "--output", "json").stdout)
    assert [(one["task"], one["state"]) for one in each] == [
        ("cleanup-oauth-tokens", "succeeded"),
        ("process-weekly-summary", "failed"),
    ]
    title, *lines = run(environment, "tasks", "list", "--task", "cleanup-oauth-tokens").stdout.splitlines()
    assert title.split()[:3] == ["TASK", "STATE", "STARTEDAT"]
    assert [line.split()[:2] for line in lines] == [["cleanup-oauth-tokens", "succeeded"]] * 2


def test_an_idle_tick_needs_no_database() -> None:
    nowhere = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = run(nowhere | of_job(f"gs-cleanup-{OTHER}"), *CLEAN_UP, "--every", "420")
    assert (done.returncode, done.stdout) == (0, "nothing done: not due, for its interval has no multiple here\n")


@pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)
def test_a_wrong_setting_is_one_error_and_a_failed_run_that_is_not_tried_again(
    platform_db: Engine, environment: Environment, tmp_path: Path
) -> None:
    last_words = tmp_path / "termination-log"
    last_words.touch()
    task = ("task", "report-block-error-rates", "--termination-log", last_words)
    done = run(environment | {"BLOCK_ERROR_RATE_THRESHOLD": "50"}, *task)
    fault = "BLOCK_ERROR_RATE_THRESHOLD: '50' is not valid: write a share from 0 to 1"
    refused(done, 64, fault)
    told = json.loads(last_words.read_text())
    assert told["state"] == "failed"
    assert told["text"].startswith(fault)
    (recorded,) = runs(platform_db, task[1])
    assert (recorded.state, recorded.message) == (RunState.FAILED, told["text"])


@pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)
def test_a_wrong_word_is_an_error_of_usage(environment: Environment) -> None:
    refused(run(environment, *CLEAN_UP, "--every", "59"), 2, "'59' is not valid", "at least 60")
    refused(run(environment, "task", "clean-up"), 2, "invalid choice: 'clean-up'", "cleanup-oauth-tokens")


def test_a_setting_that_only_this_task_needs_fails_its_run(platform_db: Engine, environment: Environment) -> None:
    done = run(environment, "task", "process-weekly-summary", "--output", "json")
    refused(done, 64, "NOTIFICATIONMANAGER_HOST")
    told = json.loads(done.stdout)
    (recorded,) = runs(platform_db, "process-weekly-summary")
    assert (recorded.state, recorded.message) == (RunState.FAILED, told["text"])


def test_a_database_that_is_down_is_named_to_the_pod(tmp_path: Path) -> None:
    last_words = tmp_path / "termination-log"
    last_words.touch()
    nowhere = {"DATABASE_URL": "postgresql://nobody:s3cret@127.0.0.1:1/none"}
    refused(run(nowhere, *CLEAN_UP, "--termination-log", last_words), 75, "127.0.0.1:1/none")
    told = json.loads(last_words.read_text())
    assert told["state"] == "failed"
    assert "127.0.0.1:1/none is not available" in told["text"], told
    assert "s3cret" not in last_words.read_text()


def test_a_database_without_our_newest_tables_is_refused_with_the_remedy(
    platform_db: Engine, environment: Environment
) -> None:
    with platform_db.begin() as connection:
        ours = "graphschedule." if platform_db.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP TABLE {ours}task_run"))
    refused(run(environment, *CLEAN_UP), 70, "run graphschedule-runner db upgrade")


@on_postgresql
def test_a_platform_whose_release_lacks_the_tasks_tables_is_named_in_one_line(
    platform_db: Engine, environment: Environment
) -> None:
    with platform_db.begin() as connection:
        connection.execute(text(f"DROP TABLE {qualified(platform_db, 'OAuthAccessToken')}"))
    refused(
        run(environment, *CLEAN_UP), 70, "a release that this task cannot work with", "OAuthAccessToken", "not exist"
    )
    (recorded,) = runs(platform_db)
    assert recorded.state is RunState.FAILED
    assert "SELECT" not in recorded.message


def test_a_run_that_is_asked_to_end_stops_between_two_steps_and_says_so(
    platform_db: Engine, environment: Environment
) -> None:
    embedding, stopped = threading.Event(), threading.Event()

    def answer(call: Call) -> Answer:
        if call.path == "/get_embedding_stats":
            return Answer({"totals": {"without_embeddings": 200}, "overall": {"without_embeddings": 200}})
        if call.path == "/backfill_missing_embeddings":
            embedding.set()
            stopped.wait(30)
            done = {"processed": 100, "success": 100, "failed": 0}
            return Answer(done | {"totals": done})
        return Answer({"totals": {"deleted": 0}, "deleted": 0})

    with json_peer() as manager:
        manager.answer = answer
        at_hand = environment | {"DATABASEMANAGER_HOST": "127.0.0.1", "DATABASE_API_PORT": str(manager.port)}
        words = command("task", "ensure-embeddings-coverage")
        with subprocess.Popen(words, env=at_hand, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            assert embedding.wait(60)
            program.send_signal(signal.SIGTERM)
            stopped.set()
            _, said = program.communicate(timeout=60)
    assert program.returncode == 75, said
    assert [path for path, _ in manager.asked].count("/backfill_missing_embeddings") == 1
    (recorded,) = runs(platform_db, "ensure-embeddings-coverage")
    assert recorded.state is RunState.FAILED
    assert "stopped before all was done" in recorded.message
    assert recorded.counts["backfill"]["success"] == 100


@pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)
def test_metrics_are_pushed_to_a_gateway_and_a_failure_leaves_the_last_success_alone(environment: Environment) -> None:
    with gateway() as (url, pushes):
        pushing = environment | {"PUSHGATEWAY_URL": url, "PUSHGATEWAY_INSTANCE": "agents/graphschedule"}
        assert run(pushing, *CLEAN_UP).returncode == 0
        assert run(pushing, "task", "process-weekly-summary").returncode == 64
    (method, path, succeeded), (_, _, failed) = pushes
    assert (method, path.split("/")[1:4]) == ("POST", ["metrics", "job", "graphschedule-task"])
    assert path.endswith("/task/cleanup-oauth-tokens")
    assert succeeded["graphschedule_task_last_run_failed"] == 0
    assert succeeded["graphschedule_task_count"] == 0
    assert succeeded["graphschedule_task_last_success_timestamp_seconds"] > 0
    assert failed["graphschedule_task_last_run_failed"] == 1
    assert "graphschedule_task_last_success_timestamp_seconds" not in failed


@pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)
def test_a_gateway_that_is_down_changes_nothing(environment: Environment) -> None:
    done = run(environment | {"PUSHGATEWAY_URL": "http://127.0.0.1:1"}, *CLEAN_UP)
    assert done.returncode == 0
    assert "metrics are not pushed" in done.stderr


@contextmanager
def gateway() -> Iterator[tuple[str, list[tuple[str, str, dict[str, float]]]]]:
    """Run what a Pushgateway is for its clients; give its address, and what was pushed: method, path, values."""
    pushes: list[tuple[str, str, dict[str, float]]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            samples = [sample for family in text_string_to_metric_families(body) for sample in family.samples]
            pushes.append((self.command, self.path, {sample.name: sample.value for sample in samples}))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Keep quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", pushes
        server.shutdown()
