"""The main job on the real thing: pods on a node, the platform's tables in PostgreSQL, its queue in RabbitMQ."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.slots import Slot, format_instant, parse_instant
from graphschedule_platform import database, ledger, tables
from sqlalchemy import select, update

from dev import images, release
from dev.services import topology
from tests.operator.world import World, condition
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

    from dev.cluster import Cluster
    from dev.services import Service
    from dev.services.postgres import Postgres
    from dev.services.rabbitmq import RabbitMQ
    from tests.operator.world import Object

NAMESPACE = "queue"
NOWHERE = "127.0.0.1:1"
"""A port of the pod itself where nothing listens."""


@dataclass(frozen=True)
class Platform:
    """The platform's two services, and a graph that its user may run."""

    engine: Engine
    database: Service
    broker: Service
    graph: builders.Graph

    def url_for(self, cluster: Cluster, service: str) -> str:
        """Return the URL by which pods reach a service."""
        if service == "database":
            return f"{self.database.url_for(cluster.node_address)}?schema=platform"
        return self.broker.url_for(cluster.node_address)

    def executions(self, **where: str) -> list[Any]:
        """Return execution rows, oldest first."""
        table = tables.agent_graph_execution
        query = select(table).order_by(table.c.created_at)
        with self.engine.connect() as connection:
            return list(connection.execute(query.filter_by(**where)).mappings())

    def slots(self, schedule: str) -> list[Any]:
        """Return the ledger's rows of a schedule."""
        with self.engine.connect() as connection:
            query = select(ledger.slot_table).filter_by(schedule_name=schedule).order_by(ledger.slot_table.c.created_at)
            return list(connection.execute(query).mappings())

    def messages(self) -> dict[str, tuple[Any, Object]]:
        """Take what is in the queue: properties and body by execution id."""
        taken = topology.take_all(self.broker.url)
        bodies = [(properties, json.loads(body)) for properties, body in taken]
        by_id = {body["graph_exec_id"]: (properties, body) for properties, body in bodies}
        assert len(by_id) == len(bodies), "an execution has two messages"
        return by_id


@pytest.fixture(scope="module")
def platform(postgres_server: Postgres, postgres_template: str, rabbitmq_server: RabbitMQ) -> Iterator[Platform]:
    with postgres_server.database(template=postgres_template) as made, rabbitmq_server.vhost() as vhost:
        topology.declare(vhost.url, topology.QUORUM)
        engine = database.engine(f"{made.url}?schema=platform")
        with engine.begin() as connection:
            user = builders.make_user(connection, timezone="Europe/Berlin")
            graph = builders.make_simple_graph(connection, user, input_name="topic")
        yield Platform(engine, made, vhost, graph)
        engine.dispose()


@pytest.fixture(scope="module")
def world(cluster: Cluster, platform: Platform) -> Iterator[World]:
    """Install the chart as a person would, beside the platform, where only restricted pods are admitted."""
    database_url, broker_url = (platform.url_for(cluster, service) for service in ("database", "rabbitmq"))
    with release.beside(cluster, NAMESPACE, images.build("operator", "runner"), database_url, broker_url):
        yield World(cluster, NAMESPACE)


def ask(platform: Platform, **spec: object) -> dict[str, object]:
    """Return a spec that runs the platform's graph; keywords replace members."""
    asked = {
        "graph": {"id": platform.graph.id, "version": 1},
        "userId": platform.graph.user_id,
        "cron": "0 0 1 1 *",
        "timeZone": "Europe/Berlin",
        "inputs": {"topic": "the weather"},
    }
    return asked | spec


def run_now(world: World, schedule: str, job: str) -> None:
    """Make a Job from a schedule's CronJob, as a person does."""
    world.until_condition(schedule, "Ready", "Ready")
    world.kubectl("create", "job", f"--from=cronjob/{schedule}", job)


def until_complete(world: World, job: str) -> None:
    world.kubectl("wait", f"job/{job}", "--for=condition=complete", "--timeout=120s")


def last_words(world: World, job: str) -> list[Object]:
    """Return what each ended pod of a Job left as its termination message."""
    pods = json.loads(world.kubectl("get", "pods", "--selector", f"batch.kubernetes.io/job-name={job}", "-o=json"))
    states = [pod["status"]["containerStatuses"][0]["state"] for pod in pods["items"]]
    return [json.loads(state["terminated"]["message"]) for state in states if "terminated" in state]


@contextmanager
def operator_away(world: World) -> Iterator[None]:
    """Run a block without the operator."""
    world.kubectl("scale", release.OPERATOR, "--replicas=0")
    world.kubectl("wait", "pod", "--selector=app.kubernetes.io/component=operator", "--for=delete", "--timeout=60s")
    try:
        yield
    finally:
        world.kubectl("scale", release.OPERATOR, "--replicas=1")
        world.kubectl("rollout", "status", release.OPERATOR, "--timeout=60s")


def test_a_tick_queues_one_execution_while_the_operator_is_away(world: World, platform: Platform) -> None:
    world.apply("tick", **ask(platform, cron="* * * * *"))
    world.until_condition("tick", "Ready", "Ready")
    with operator_away(world):
        world.kubectl("wait", "cronjob/tick", "--for=jsonpath={.status.lastScheduleTime}", "--timeout=90s")
        jobs = "--selector=graphschedule.io/schedule=tick"
        world.kubectl("wait", "job", jobs, "--for=condition=complete", "--timeout=60s")
        cronjob, schedule = world.get("cronjob", "tick"), world.get("graphschedule", "tick")

    assert cronjob is not None
    assert schedule is not None
    fired = parse_instant(cronjob["status"]["lastScheduleTime"])
    slot = Slot.at(schedule["metadata"]["uid"], fired)
    (execution,) = platform.executions(id=slot.execution_id)
    assert execution["execution_status"] == "QUEUED"
    assert execution["inputs"] == {"topic": "the weather"}
    row = platform.slots("tick")[-1]
    assert (row["slot"], row["state"], row["id"]) == (slot.key, "enqueued", slot.execution_id)
    assert_message(platform, slot.execution_id)

    world.until("graphschedule", "tick", lambda it: it["status"].get("lastFireTime", "") >= slot.key)
    world.kubectl("delete", "gs/tick")
    world.until_gone("cronjob", "tick")


def assert_message(platform: Platform, execution_id: str) -> None:
    """Check every field of the contract (C §2.6, §2.9)."""
    properties, message = platform.messages()[execution_id]
    workspace = tables.user_workspace
    with platform.engine.connect() as connection:
        workspace_id = connection.scalar(select(workspace.c.id).where(workspace.c.user_id == platform.graph.user_id))
    assert (properties.delivery_mode, properties.content_type, properties.message_id) == (2, None, None)
    assert properties.headers.keys() == {"x-delivery-count"}, "the quorum queue adds this one itself"
    ids = {"user_id": platform.graph.user_id, "graph_id": platform.graph.id, "graph_exec_id": execution_id}
    assert message == {
        **ids,
        "graph_version": 1,
        "nodes_input_masks": {},
        "nodes_to_skip": [],
        "execution_context": {
            **ids,
            "graph_version": 1,
            "node_id": None,
            "node_exec_id": None,
            "human_in_the_loop_safe_mode": True,
            "sensitive_action_safe_mode": False,
            "dry_run": False,
            "user_timezone": "Europe/Berlin",
            "root_execution_id": execution_id,
            "parent_execution_id": None,
            "workspace_id": workspace_id,
            "session_id": None,
        },
    }


def test_grouped_schedules_share_a_pod_and_fire_as_they_stand_at_the_tick(world: World, platform: Platform) -> None:
    tick = (datetime.now(UTC) + timedelta(seconds=90)).replace(second=0, microsecond=0)
    due = {"cron": f"{tick.minute} {tick.hour} * * *", "timeZone": "Etc/UTC", "dispatch": "Grouped"}
    for name in ("kept", "edited", "deleted"):
        world.apply(name, **ask(platform, **due))
    shards = {world.until("graphschedule", name, is_scheduled)["status"]["cronJobName"] for name in ("kept", "edited")}
    world.apply("edited", **ask(platform, **due, inputs={"topic": "the news"}))
    world.kubectl("delete", "gs/deleted")
    world.apply("added", **ask(platform, **due))
    assert datetime.now(UTC) < tick, "the changes took until after the tick"

    (shard,) = shards
    job = f"{shard}-{int(tick.timestamp()) // 60}"
    world.kubectl("wait", f"job/{job}", "--for=create", "--timeout=120s")
    until_complete(world, job)
    assert len(last_words(world, job)) == 1
    assert platform.slots("deleted") == []
    messages, weather = platform.messages(), {"topic": "the weather"}
    for name, inputs in {"kept": weather, "edited": {"topic": "the news"}, "added": weather}.items():
        (row,) = platform.slots(name)
        (execution,) = platform.executions(id=row["id"])
        assert (row["slot"], row["state"], execution["inputs"]) == (format_instant(tick), "enqueued", inputs)
        assert row["id"] in messages
        world.kubectl("wait", f"gs/{name}", f"--for=jsonpath={{.status.lastFireTime}}={row['slot']}", "--timeout=60s")


def is_scheduled(schedule: Object) -> bool:
    return condition(schedule, "Scheduled").get("status") == "True"


def test_an_edited_cron_moves_the_cronjob(world: World, platform: Platform) -> None:
    world.apply("moved", **ask(platform, cron="0 9 * * 1-5"))
    world.until("cronjob", "moved", lambda it: it["spec"]["schedule"] == "0 9 * * 1-5")
    world.apply("moved", **ask(platform, cron="30 17 * * fri-mon", timeZone="Asia/Tokyo"))
    moved = world.until("cronjob", "moved", lambda it: it["spec"]["schedule"] == "30 17 * * 0,1,5,6")
    assert moved["spec"]["timeZone"] == "Asia/Tokyo"


def test_a_job_made_by_hand_queues_one_more_execution(world: World, platform: Platform) -> None:
    world.apply("by-hand", **ask(platform))
    for job in ("first", "second"):
        run_now(world, "by-hand", f"by-hand-{job}")
        until_complete(world, f"by-hand-{job}")
    assert [row["state"] for row in platform.slots("by-hand")] == ["enqueued", "enqueued"]
    ids = {row["id"] for row in platform.slots("by-hand")}
    assert len(ids) == 2
    assert ids <= platform.messages().keys()


def test_a_duplicated_pod_of_a_slot_queues_nothing(world: World, platform: Platform) -> None:
    world.apply("twice", **ask(platform))
    run_now(world, "twice", "twice-29000000")
    until_complete(world, "twice-29000000")
    cronjob = world.get("cronjob", "twice")
    assert cronjob is not None
    template = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    names = {"batch.kubernetes.io/job-name": "twice-29000000", "batch.kubernetes.io/controller-uid": "duplicate"}
    metadata = {
        "name": "duplicate",
        "labels": template["metadata"]["labels"] | names,
        "annotations": template["metadata"]["annotations"],
    }
    world.kubectl(
        "apply",
        "--filename=-",
        given={"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]},
    )
    world.kubectl("wait", "pod/duplicate", "--for=jsonpath={.status.phase}=Succeeded", "--timeout=60s")

    assert sorted(words["reason"] for words in last_words(world, "twice-29000000")) == ["AlreadyEnqueued", "Enqueued"]
    (row,) = platform.slots("twice")
    assert row["slot"] == "2025-02-19T21:20:00Z"
    assert len(platform.executions(id=row["id"])) == 1
    assert row["id"] in platform.messages()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"cron": "0 0 9 * * 1"}, ["spec.cron", "0 0 9 * * 1", "seconds"], id="six fields"),
        pytest.param({"cron": "@every 5m"}, ["spec.cron", "@every 5m", "*/5 * * * *"], id="@every"),
        pytest.param({"cron": "61 * * * *"}, ["spec.cron", "61", "0 to 59"], id="out of range"),
        pytest.param({"timeZone": "Mars/Olympus"}, ["spec.timeZone", "Mars/Olympus", "Europe/Berlin"], id="zone"),
        pytest.param({"inputs": {"topic": "x" * 200_000}}, ["spec.inputs", "196608 bytes"], id="inputs too large"),
    ],
)
def test_bad_input_is_told_once_and_leaves_nothing(
    world: World, platform: Platform, request: pytest.FixtureRequest, change: dict[str, object], told: list[str]
) -> None:
    name = f"bad-{request.node.callspec.id.replace(' ', '-').strip('@')}"
    message = refusal(world, name, ask(platform, **change))
    assert [word for word in told if word not in message] == []
    assert "\n" not in message
    assert world.get("cronjob", name) is None
    assert platform.slots(name) == []


def refusal(world: World, name: str, spec: dict[str, object]) -> str:
    """Apply a schedule that cannot be used; return what a person is told, by the API server or by the condition."""
    try:
        world.apply(name, **spec)
    except Exception as error:
        return str(error).split("is invalid: ", 1)[1].strip()
    found = world.until("graphschedule", name, lambda it: "conditions" in it.get("status", {}))
    ready = next(it for it in found["status"]["conditions"] if it["type"] == "Ready")
    assert ready["status"] == "False"
    return str(ready["message"])


def test_a_graph_that_does_not_exist_is_told_and_never_fires(world: World, platform: Platform) -> None:
    world.apply("no-graph", **ask(platform, graph={"id": "no-such-graph"}))
    condition = world.until_condition("no-graph", "Ready", "GraphNotFound")
    assert condition["status"] == "False"
    assert "Graph #no-such-graph not found." in condition["message"]
    assert world.get("cronjob", "no-graph") is None
    assert platform.slots("no-graph") == []


def test_a_graph_that_has_left_the_library_fails_at_once_and_suspends_its_schedule(
    world: World, platform: Platform
) -> None:
    with platform.engine.begin() as connection:
        graph = builders.make_simple_graph(connection, platform.graph.user_id)
    world.apply("left", **ask(platform, graph={"id": graph.id}))
    world.until_condition("left", "Ready", "Ready")
    with platform.engine.begin() as connection:
        library = tables.library_agent
        connection.execute(update(library).where(library.c.agent_graph_id == graph.id).values(is_deleted=True))
    run_now(world, "left", "left-now")
    world.kubectl("wait", "job/left-now", "--for=condition=failed", "--timeout=60s")

    (words,) = last_words(world, "left-now")
    assert (words["exitCode"], words["message"]) == (67, f"Graph #{graph.id} is not in your library")
    (row,) = platform.slots("left")
    assert (row["state"], row["reason"]) == ("failed", "GraphNotInLibrary")
    assert platform.executions(id=row["id"]) == []
    assert row["id"] not in platform.messages()
    world.until("cronjob", "left", lambda it: bool(it["spec"]["suspend"]))
    left = world.until("graphschedule", "left", lambda it: "suspension" in it["status"])
    assert left["status"]["suspension"]["reason"] == "PermanentFailure"


@contextmanager
def service_away(world: World, name: str, url: str) -> Iterator[None]:
    """Run a block while pods find nothing at a service's address."""
    host = url.split("@")[1].partition("/")[0]
    release.set_secret(world.cluster, NAMESPACE, name, url.replace(host, NOWHERE))
    try:
        yield
    finally:
        release.set_secret(world.cluster, NAMESPACE, name, url)


@pytest.mark.parametrize(("service", "what"), [("database", "postgresql"), ("rabbitmq", "RabbitMQ")])
def test_a_service_that_is_down_is_named_and_the_run_is_made_up(
    world: World, platform: Platform, service: str, what: str
) -> None:
    url = platform.url_for(world.cluster, service)
    password = url.split("@")[0].rsplit(":", 1)[1]
    name = f"{service}-down"
    world.apply(name, **ask(platform))
    with service_away(world, service, url):
        run_now(world, name, f"{name}-now")
        world.kubectl("wait", f"job/{name}-now", "--for=jsonpath={.status.failed}=1", "--timeout=60s")
        (words,) = last_words(world, f"{name}-now")
    assert words["exitCode"] == 75
    assert [word for word in (what, NOWHERE) if word not in words["message"]] == []
    assert password not in json.dumps(words)
    assert password not in world.kubectl("logs", f"job/{name}-now")

    until_complete(world, f"{name}-now")
    (row,) = platform.slots(name)
    assert row["state"] == "enqueued"
    assert row["id"] in platform.messages()
