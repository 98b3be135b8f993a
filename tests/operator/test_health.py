"""Health over HTTP, and settings that cannot be used."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import aiohttp
import pytest
from graphschedule_operator.health import Health, Phase

from dev import ports


async def get(health: Health, path: str) -> tuple[int, str]:
    (port,) = ports.free(1)
    async with (
        health.served("127.0.0.1", port),
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as response,
    ):
        return response.status, await response.text()


@pytest.mark.parametrize(("phase", "status"), [(Phase.STARTING, 503), (Phase.READY, 200), (Phase.STOPPING, 503)])
async def test_readiness_tells_starting_ready_and_stopping_apart(phase: Phase, status: int) -> None:
    health = Health(lambda: 0.0, 60.0)
    health.phase = phase
    assert await get(health, "/readyz") == (status, f"{phase}\n")
    assert (await get(health, "/healthz"))[0] == 200


async def test_health_fails_and_says_why_when_work_waits_and_none_gets_done() -> None:
    status, text = await get(Health(lambda: 61.0, 60.0), "/healthz")
    assert status == 503
    assert "61 s" in text


def run_operator(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "graphschedule_operator"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "GRAPHSCHEDULE_RUNNER_IMAGE: Field required"),
        ({"RUNNER_IMAGE": "r"}, "GRAPHSCHEDULE_DATA_CLAIM"),
        ({"RUNNER_IMAGE": "r", "DATA_CLAIM": "d", "RATE": "0"}, "GRAPHSCHEDULE_RATE"),
    ],
)
def test_settings_that_cannot_be_used_are_named_one_a_line(settings: dict[str, str], words: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHSCHEDULE_")}
    environment |= {f"GRAPHSCHEDULE_{name}": value for name, value in settings.items()}
    ended = run_operator(environment)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_kubeconfig_that_cannot_be_read_is_named_in_one_line() -> None:
    settings = {"GRAPHSCHEDULE_RUNNER_IMAGE": "r", "GRAPHSCHEDULE_DATA_CLAIM": "d", "GRAPHSCHEDULE_PORT": "0"}
    ended = run_operator(os.environ | settings | {"KUBECONFIG": "/nowhere/kubeconfig"})
    assert ended.returncode == 1
    (line,) = ended.stderr.splitlines()
    assert "/nowhere/kubeconfig" in json.loads(line)["message"]
