"""The system tasks on the real thing: the chart's CronJobs, pods on a node, the platform's tables and services."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from graphschedule.slots import parse_instant
from graphschedule_platform import database, task_runs
from graphschedule_platform.task_runs import RunState
from graphschedule_runner.tasks import TASKS

from dev import images, release
from tests.operator.world import World
from tests.support.json_peer import Answer, json_peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from dev.cluster import Cluster
    from dev.images import Image
    from dev.services import Service
    from dev.services.postgres import Postgres
    from dev.services.rabbitmq import RabbitMQ
    from tests.operator.world import Object
    from tests.support.json_peer import Call, JsonPeer

NAMESPACE = "tasks"
TASK_LABEL = "graphschedule.io/task"
EMBEDDINGS = "ensure-embeddings-coverage"
OPERATOR = "deployment/graphschedule-operator"
READ_METRICS = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8080/metrics').read().decode())"


@dataclass(frozen=True)
class Installation:
    """What is installed."""

    images: dict[str, Image]
    values: dict[str, str]


@dataclass
class Services:
    """The platform's notification service and its database manager, in one; they do nothing, and note how."""

    peer: JsonPeer
    down: bool = False
    missing: int = 0
    """How many embeddings are still to be made."""
    at_once: int = 0
    """The most backfills that were under way at the same time."""
    may_answer: threading.Event = field(default_factory=threading.Event)
    """Backfills are answered only once this is set."""
    asked: threading.Event = field(default_factory=threading.Event)
    """Set once a backfill was asked for."""
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, call: Call) -> Answer:
        if self.down:
            return Answer({"type": "RuntimeError", "args": ["out of order"], "extras": None}, 500)
        if call.path == "/get_embedding_stats":
            return Answer({"totals": {"without_embeddings": self.missing}})
        if call.path == "/backfill_missing_embeddings":
            return Answer({"totals": {"processed": 1, "success": self._backfill(), "failed": 0}})
        if call.path == "/cleanup_orphaned_embeddings":
            return Answer({"totals": {"deleted": 0}})
        return Answer()

    def _backfill(self) -> int:
        with self._lock:
            self._under_way += 1
            self.at_once = max(self.at_once, self._under_way)
        self.asked.set()
        assert self.may_answer.wait(120)
        with self._lock:
            self._under_way -= 1
            made = min(self.missing, 1)
            self.missing -= made
        return made


@pytest.fixture(scope="module")
def services() -> Iterator[Services]:
    with json_peer("") as peer:
        made = Services(peer)
        peer.answer = made.answer
        yield made


@pytest.fixture(scope="module")
def platform_database(postgres_server: Postgres, postgres_template: str) -> Iterator[Service]:
    with postgres_server.database(template=postgres_template) as made:
        yield made


@pytest.fixture(scope="module")
def engine(platform_database: Service) -> Iterator[Engine]:
    made = database.engine(f"{platform_database.url}?schema=platform")
    yield made
    made.dispose()


@pytest.fixture(scope="module")
def installation(cluster: Cluster, services: Services) -> Installation:
    """Give what to install."""
    ours = {
        "NOTIFICATIONMANAGER_HOST": cluster.node_address,
        "NOTIFICATION_SERVICE_PORT": str(services.peer.port),
        "DATABASEMANAGER_HOST": cluster.node_address,
        "DATABASE_API_PORT": str(services.peer.port),
    }
    values = {f"tasks.settings.{name}": value for name, value in ours.items()}
    return Installation(images.build("operator", "runner"), values)


@pytest.fixture(scope="module")
def world(
    cluster: Cluster, platform_database: Service, rabbitmq_server: RabbitMQ, installation: Installation
) -> Iterator[World]:
    """Install the chart beside the platform."""
    with rabbitmq_server.vhost() as broker:
        at = cluster.node_address
        urls = (f"{platform_database.url_for(at)}?schema=platform", broker.url_for(at))
        with release.beside(cluster, NAMESPACE, installation.images, *urls, installation.values):
            yield World(cluster, NAMESPACE)


def cronjobs(world: World) -> dict[str, Object]:
    """Return the CronJobs of the tasks by task."""
    listed = json.loads(world.kubectl("get", "cronjobs", f"--selector={TASK_LABEL}", "--output=json"))
    return {cronjob["metadata"]["labels"][TASK_LABEL]: cronjob for cronjob in listed["items"]}


def run_now(world: World, task: str, job: str, *, retries: int | None = None) -> None:
    """Make a Job from a task's CronJob, as a person does."""
    making = ("create", "job", f"--from=cronjob/graphschedule-{task}", job)
    if retries is None:
        world.kubectl(*making)
        return
    manifest = json.loads(world.kubectl(*making, "--dry-run=client", "--output=json"))
    manifest["spec"]["backoffLimit"] = retries
    world.kubectl("create", "--filename=-", given=manifest)


def until(world: World, job: str, condition: str) -> Object:
    """Wait until a Job is complete or failed; return the last words of its newest pod."""
    world.kubectl("wait", f"job/{job}", f"--for=condition={condition}", "--timeout=180s")
    pods = json.loads(world.kubectl("get", "pods", "--selector", f"batch.kubernetes.io/job-name={job}", "-o=json"))
    newest = max(pods["items"], key=lambda pod: pod["metadata"]["creationTimestamp"])
    words: Object = json.loads(newest["status"]["containerStatuses"][0]["state"]["terminated"]["message"])
    return words


def upgrade(world: World, value: str) -> None:
    options = ("--namespace", NAMESPACE, "--reuse-values", f"--set={value}", "--timeout=5m")
    world.cluster.helm("upgrade", release.NAME, str(release.CHART), *options)


def test_every_cronjob_is_there_in_utc(world: World) -> None:
    made = cronjobs(world)
    assert made.keys() == TASKS.keys()
    assert {cronjob["spec"]["timeZone"] for cronjob in made.values()} == {"Etc/UTC"}


def test_embeddings_are_made_at_the_install(world: World, engine: Engine) -> None:
    assert until(world, "graphschedule-embeddings-1", "complete")["state"] == "succeeded"
    with engine.connect() as connection:
        (run,) = task_runs.newest(connection, EMBEDDINGS, 10)
    assert (run.state, run.tick, run.job) == (RunState.SUCCEEDED, None, "graphschedule-embeddings-1")


def test_each_task_runs_to_success_when_a_person_wants_it(world: World, engine: Engine, services: Services) -> None:
    for task in TASKS:
        run_now(world, task, f"now-{task}")
    for task in TASKS:
        assert until(world, f"now-{task}", "complete")["task"] == task
    with engine.connect() as connection:
        newest = task_runs.newest_of_each(connection)
    assert {task: run.state for task, run in newest.items()} == dict.fromkeys(TASKS, RunState.SUCCEEDED)
    assert "/queue_weekly_summary" in [path for path, _ in services.peer.asked]


def test_a_new_operator_serves_what_the_runs_came_to(world: World) -> None:
    world.kubectl("rollout", "restart", OPERATOR)
    world.kubectl("rollout", "status", OPERATOR, "--timeout=120s")
    metrics = world.kubectl("exec", OPERATOR, "--", "python3", "-c", READ_METRICS)
    failed = dict(re.findall(r'^graphschedule_task_last_run_failed{task="([^"]+)"} (\S+)$', metrics, re.MULTILINE))
    assert failed == dict.fromkeys(TASKS, "0.0")


def test_a_dependency_that_fails_is_named_and_the_next_run_recovers(world: World, services: Services) -> None:
    services.down = True
    run_now(world, "process-weekly-summary", "in-vain", retries=0)
    words = until(world, "in-vain", "failed")
    assert words["state"] == "failed"
    assert words["text"].startswith("queue_weekly_summary of the notification service at ")
    assert words["text"].endswith("failed: 500 RuntimeError: out of order")
    services.down = False
    run_now(world, "process-weekly-summary", "again")
    assert until(world, "again", "complete")["state"] == "succeeded"


def test_two_runs_of_the_embeddings_never_overlap(world: World, services: Services) -> None:
    services.missing, services.at_once = 2, 0
    services.may_answer.clear()
    services.asked.clear()
    run_now(world, EMBEDDINGS, "first")
    assert services.asked.wait(120)
    run_now(world, EMBEDDINGS, "second")
    assert until(world, "second", "complete")["state"] == "skipped"
    services.may_answer.set()
    assert until(world, "first", "complete")["counts"]["backfill"]["success"] == 2
    assert services.at_once == 1


def test_an_upgrade_moves_nothing(world: World) -> None:
    before = cronjobs(world)
    upgrade(world, "logLevel=DEBUG")
    after = cronjobs(world)
    for task, cronjob in before.items():
        for member in ("uid", "name", "creationTimestamp"):
            assert after[task]["metadata"][member] == cronjob["metadata"][member]
        assert after[task]["spec"]["schedule"] == cronjob["spec"]["schedule"]
    assert until(world, "graphschedule-embeddings-2", "complete")["state"] == "succeeded"
    assert not world.kubectl("get", "job", "graphschedule-embeddings-1", "--ignore-not-found")


def test_a_cronjob_fires_by_itself_and_the_run_knows_its_tick(world: World, engine: Engine) -> None:
    upgrade(world, "tasks.cleanupOauthTokens.intervalSeconds=60")
    name = "graphschedule-cleanup-oauth-tokens"
    world.kubectl("wait", f"cronjob/{name}", "--for=jsonpath={.status.lastScheduleTime}", "--timeout=120s")
    tick = parse_instant(world.kubectl("get", "cronjob", name, "--output=jsonpath={.status.lastScheduleTime}"))
    until(world, f"{name}-{int(tick.timestamp()) // 60}", "complete")
    with engine.connect() as connection:
        assert tick in {run.tick for run in task_runs.newest(connection, "cleanup-oauth-tokens", 10)}
