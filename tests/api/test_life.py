"""The API's life: starting, ready, stopping; what it needs to start; and who may ask."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.api.process import PATIENCE_SECONDS, running
from tests.support.api_proxy import proxied

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.operator.world import World

LIST = "get_graph_execution_schedules"


def test_until_all_schedules_are_known_it_is_starting(world: World, platform: Platform, tmp_path: Path) -> None:
    with proxied(world.cluster.kubeconfig, tmp_path) as proxy:
        proxy.fail("GET", "graphschedules", times=1_000_000, status=500)
        with running(proxy.kubeconfig, world.namespace, platform.url, until="cannot follow") as api:
            assert api.http.get("/healthz").text.startswith("starting")
            assert api.http.get("/readyz").status_code == 503
            status, refusal = api.error("health_check")
            assert (status, refusal["type"], refusal["extras"]) == (400, "UnhealthyServiceError", None)
            assert refusal["args"][0].startswith("starting")
            status, refusal = api.error(LIST)
            assert (status, refusal["type"]) == (503, "ServiceUnavailableError")


def test_after_sigterm_it_answers_all_who_still_come_and_asks_them_to_go(world: World, platform: Platform) -> None:
    with running(world.cluster.kubeconfig, world.namespace, platform.url, linger_seconds="2") as api:
        assert "Connection" not in api.call(LIST).headers
        api.process.terminate()
        api_is_stopping(api)
        answer = api.call(LIST)
        assert (answer.status_code, answer.headers["Connection"]) == (200, "close")
        assert api.error("health_check")[1]["args"] == ["stopping"]
        assert api.process.wait(PATIENCE_SECONDS) == 0


def api_is_stopping(api: Api) -> None:
    while api.http.get("/readyz").status_code == 200:
        continue


def test_a_restart_under_load_drops_no_request(world: World, platform: Platform) -> None:
    """Two replicas, and callers that go to the one that is ready, as a Service has them do."""
    graph = platform.graph
    body: dict[str, Any] = {"user_id": graph.user_id, "graph_id": graph.id, "graph_version": 1, "cron": "0 9 * * 1"}
    body |= {"input_data": {}, "input_credentials": {}}
    with (
        running(world.cluster.kubeconfig, world.namespace, platform.url, linger_seconds="2") as old,
        running(world.cluster.kubeconfig, world.namespace, platform.url) as new,
        ThreadPoolExecutor(4) as callers,
    ):
        ready, done = [old, new], threading.Event()

        def call() -> list[str]:
            """Make schedules on one replica after the other, on kept connections; return their ids."""
            made = []
            with httpx.Client(timeout=PATIENCE_SECONDS) as http:
                while not done.is_set():
                    for api in ready:
                        answer = http.post(f"{api.address}/add_graph_execution_schedule", json=body)
                        assert answer.status_code == 200, answer.text
                        made.append(answer.json()["id"])
            return made

        calls = [callers.submit(call) for _ in range(4)]
        old.process.terminate()
        api_is_stopping(old)
        ready.remove(old)
        assert old.process.wait(PATIENCE_SECONDS) == 0
        done.set()
        made = {schedule_id for each in calls for schedule_id in each.result()}
        listed = {each["id"] for each in new.result(LIST, user_id=graph.user_id)}
        assert made
        assert made <= listed


def test_without_the_database_nothing_is_added_but_all_is_listed(world: World) -> None:
    away = "postgresql://nobody:secret@127.0.0.1:1/platform?connect_timeout=1"
    with running(world.cluster.kubeconfig, world.namespace, away) as api:
        body: dict[str, Any] = {"user_id": "u", "graph_id": "g", "graph_version": 1, "cron": "0 9 * * 1"}
        answer = api.call("add_graph_execution_schedule", **body, input_data={}, input_credentials={})
        assert (answer.status_code, answer.json()["type"]) == (503, "ServiceUnavailableError")
        assert "secret" not in answer.text
        assert api.call(LIST).status_code == 200


def test_a_shared_token_is_asked_for_where_one_is_set(world: World, platform: Platform) -> None:
    with running(world.cluster.kubeconfig, world.namespace, platform.url, rpc_token="open sesame") as api:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic open sesame"}):
            answer = api.http.post(f"/{LIST}", json={}, headers=headers)
            assert (answer.status_code, answer.json()["type"]) == (401, "NotAuthorizedError")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        answer = api.http.post(f"/{LIST}", json={}, headers={"Authorization": "Bearer open sesame"})
        assert answer.status_code == 200
        assert api.call("health_check").status_code == 200


def test_the_rpc_can_be_left_out(world: World, platform: Platform) -> None:
    with running(world.cluster.kubeconfig, world.namespace, platform.url, rpc_enabled="false") as api:
        assert api.call(LIST).status_code == 404
        assert api.http.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("settings", "code", "words"),
    [
        pytest.param({"GRAPHSCHEDULE_NAMESPACE": ""}, 2, "GRAPHSCHEDULE_NAMESPACE: Field required", id="missing"),
        pytest.param({"GRAPHSCHEDULE_PORT": "x"}, 2, "GRAPHSCHEDULE_PORT: Input should be", id="number"),
        pytest.param({"GRAPHSCHEDULE_DATABASE_URL": "mysql://u:secret@h/d"}, 2, "DATABASE_URL", id="database"),
        pytest.param({"GRAPHSCHEDULE_ENCRYPTION_KEY": "secret"}, 2, "ENCRYPTION_KEY", id="key"),
        pytest.param({"KUBECONFIG": "/nowhere"}, 1, "cannot log in to the API server", id="kubeconfig"),
    ],
)
def test_settings_that_cannot_be_used_are_told_on_one_line(
    settings: dict[str, str], code: int, words: str, world: World
) -> None:
    usable = {
        "KUBECONFIG": str(world.cluster.kubeconfig),
        "GRAPHSCHEDULE_NAMESPACE": "team",
        "GRAPHSCHEDULE_TASK_NAMESPACE": "team",
        "GRAPHSCHEDULE_DATABASE_URL": "sqlite:////nowhere.db",
    }
    command = [sys.executable, "-m", "graphschedule_api", "serve"]
    ended = subprocess.run(
        command, env={**os.environ, **usable, **settings}, capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr.count("\n")) == (code, 1)
    assert words in ended.stderr
    assert "secret" not in ended.stderr


def test_the_description_is_printed_without_any_setting() -> None:
    command = [sys.executable, "-m", "graphschedule_api", "openapi"]
    printed = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True)
    assert '"/add_graph_execution_schedule"' in printed.stdout
    assert printed.stderr == ""
