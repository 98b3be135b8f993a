"""The API on the real thing: installed by the chart, reached by its Service, with operator and runner at work."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from graphschedule_platform import database

from dev import images, release
from dev.services import topology
from tests.operator.world import World
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster
    from dev.services import Service
    from dev.services.postgres import Postgres
    from dev.services.rabbitmq import RabbitMQ

NAMESPACE = "drop-in"
API = "deployment/graphschedule-api"
PATIENCE_SECONDS = 120
CALLER = "caller"

CALLS = """
import asyncio, json, os, sys, time
import aiohttp

async def main(body, seconds):
    address = f"http://{os.environ['GRAPHSCHEDULE_API_SERVICE_HOST']}:8003"
    made, end = [], time.monotonic() + seconds
    async def call(session):
        while time.monotonic() < end:
            async with session.post(f"{address}/add_graph_execution_schedule", json=body) as answer:
                assert answer.status == 200, await answer.text()
                made.append((await answer.json())["id"])
    async with aiohttp.ClientSession() as session:
        await asyncio.gather(*(call(session) for _ in range(4)))
    print(json.dumps(made))

asyncio.run(main(json.loads(sys.argv[1]), float(sys.argv[2])))
"""
"""Callers in a pod, who keep their connections and take the first error for the end."""


@pytest.fixture(scope="module")
def platform_database(postgres_server: Postgres, postgres_template: str) -> Iterator[Service]:
    with postgres_server.database(template=postgres_template) as made:
        yield made


@pytest.fixture(scope="module")
def body(platform_database: Service) -> dict[str, Any]:
    """Give what adds a schedule."""
    engine = database.engine(f"{platform_database.url}?schema=platform")
    with engine.begin() as connection:
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
    engine.dispose()
    return {
        "user_id": graph.user_id,
        "graph_id": graph.id,
        "graph_version": graph.version,
        "cron": "0 0 1 1 *",
        "input_data": {"text": "hello"},
        "input_credentials": {},
    }


@pytest.fixture(scope="module")
def world(cluster: Cluster, platform_database: Service, rabbitmq_server: RabbitMQ) -> Iterator[World]:
    """Install the chart with the API."""
    values = {"tasks.settings.APP_ENV": "prod"}
    with rabbitmq_server.vhost() as broker:
        topology.declare(broker.url, topology.QUORUM)
        at = cluster.node_address
        urls = (f"{platform_database.url_for(at)}?schema=platform", broker.url_for(at))
        with release.beside(cluster, NAMESPACE, images.build("operator", "runner", "api"), *urls, values):
            made = World(cluster, NAMESPACE)
            made.kubectl("rollout", "status", API, f"--timeout={PATIENCE_SECONDS}s")
            yield made


@pytest.fixture
def http(world: World) -> Iterator[httpx.Client]:
    """Give a client of the Service."""
    with forwarded(world) as address, httpx.Client(base_url=address, timeout=PATIENCE_SECONDS) as made:
        yield made


@contextmanager
def forwarded(world: World) -> Iterator[str]:
    """Give an address at which the Service is reached during the block."""
    command = ["kubectl", "port-forward", "--namespace", NAMESPACE, "service/graphschedule-api", ":8003"]
    environment = world.cluster.environment()
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as forwarding:
        assert forwarding.stdout is not None
        told = re.match(r"Forwarding from (127.0.0.1:\d+)", forwarding.stdout.readline())
        assert told
        try:
            yield f"http://{told[1]}"
        finally:
            forwarding.terminate()


def call(http: httpx.Client, method: str, **members: object) -> Any:  # noqa: ANN401 - any JSON value
    answer = http.post(f"/{method}", json=members)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_schedule_made_by_the_rpc_has_a_cronjob_for_as_long_as_it_lives(
    world: World, http: httpx.Client, body: dict[str, Any]
) -> None:
    made = call(http, "add_graph_execution_schedule", **body)
    name, own = f"schedule-{made['id']}", {"schedule_id": made["id"], "user_id": made["user_id"]}
    world.until_condition(name, "Ready", "Ready")
    assert call(http, "pause_execution_schedule", **own) is True
    world.until("cronjob", name, lambda cronjob: cronjob["spec"]["suspend"])
    assert call(http, "get_graph_execution_schedules", user_id=made["user_id"]) == []
    assert call(http, "resume_execution_schedule", **own) is True
    world.until("cronjob", name, lambda cronjob: not cronjob["spec"]["suspend"])
    assert call(http, "delete_graph_execution_schedule", **own)["id"] == made["id"]
    world.until_gone("cronjob", name)


def test_a_system_task_run_by_the_rpc_returns_what_its_pod_came_to(http: httpx.Client) -> None:
    assert call(http, "execute_report_late_executions") == "No late executions detected."
    assert call(http, "execute_cleanup_oauth_tokens") is None
    assert call(http, "execute_process_existing_batches", kwargs={"notification_types": ["AGENT_RUN"]}) is None


@pytest.mark.parametrize("dispatch", ["PerSchedule", "Grouped"])
def test_an_account_makes_a_schedule_over_rest_runs_it_now_and_reads_what_became_of_it(
    world: World, http: httpx.Client, body: dict[str, Any], account: dict[str, str], dispatch: str
) -> None:
    draft = {"userId": body["user_id"], "graph": {"id": body["graph_id"]}, "cron": "0 0 1 1 *", "dispatch": dispatch}
    made = http.post("/v1/schedules", json=draft | {"inputs": body["input_data"]}, headers=account)
    assert made.status_code == 201, made.text
    world.until_condition(made.json()["name"], "Ready", "Ready")
    begun = http.post(f"{made.headers['Location']}:run", headers=account)
    assert begun.status_code == 202, begun.text
    world.kubectl("wait", f"job/{begun.json()['job']}", "--for=condition=Complete", f"--timeout={PATIENCE_SECONDS}s")
    run = http.get(begun.headers["Location"], headers=account).json()
    assert (run["state"], run["slotState"], run["executionStatus"]) == ("pending", "enqueued", "QUEUED")
    assert http.get("/v1/tasks", headers=account).status_code == 403


@pytest.fixture(scope="module")
def account(world: World) -> dict[str, str]:
    """Give the headers of a service account that may do everything with GraphSchedules, and nothing else."""
    world.kubectl("create", "serviceaccount", "somebody")
    world.kubectl("create", "role", "somebody", "--verb=*", "--resource=graphschedules.graphschedule.io")
    bound = f"--serviceaccount={NAMESPACE}:somebody"
    world.kubectl("create", "rolebinding", "somebody", "--role=somebody", bound)
    return {"Authorization": f"Bearer {world.kubectl('create', 'token', 'somebody').strip()}"}


def test_a_rolling_restart_under_load_drops_no_request_and_loses_no_schedule(
    world: World, body: dict[str, Any]
) -> None:
    world.kubectl("create", "--filename=-", given=caller(world, body, seconds=60))
    world.kubectl("wait", f"pod/{CALLER}", "--for=condition=Ready", f"--timeout={PATIENCE_SECONDS}s")
    world.kubectl("rollout", "restart", API)
    world.kubectl("rollout", "status", API, f"--timeout={PATIENCE_SECONDS}s")
    assert world.kubectl("get", "pod", CALLER, "--output=jsonpath={.status.phase}") == "Running"
    phases = "--for=jsonpath={.status.phase}=Succeeded"
    world.kubectl("wait", f"pod/{CALLER}", phases, f"--timeout={PATIENCE_SECONDS}s")
    made = json.loads(world.kubectl("logs", CALLER))
    assert len(made) > 10
    assert {f"schedule-{schedule_id}" for schedule_id in made} <= {
        schedule["metadata"]["name"] for schedule in world.all("graphschedule")
    }


def caller(world: World, body: dict[str, Any], *, seconds: int) -> dict[str, Any]:
    """Return a pod that adds schedules for some time; the API's image has all that it needs."""
    deployment = json.loads(world.kubectl("get", API, "--output=json"))
    pod = deployment["spec"]["template"]["spec"]
    [container] = pod["containers"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CALLER},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": pod["securityContext"],
            "containers": [
                {
                    "name": CALLER,
                    "image": container["image"],
                    "command": ["python3", "-c", CALLS, json.dumps(body), str(seconds)],
                    "securityContext": container["securityContext"],
                }
            ],
        },
    }
