"""The service does what its OpenAPI document says, whatever is asked of it (schemathesis)."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from graphschedule import labels

from tests.api.process import running
from tests.api.rest import Rest
from tests.operator.world import native

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.api.tokens import Issuer
    from tests.operator.world import World

TASK = "cleanup-oauth-tokens"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
)


@pytest.fixture(scope="module")
def api(world: World, platform: Platform, issuer: Issuer) -> Iterator[Api]:
    task = native("release-task")
    task["metadata"]["labels"] = {labels.TASK_LABEL: TASK}
    world.kubectl("apply", "--filename", "-", given=task)
    settings = {"jwt": issuer.settings(), "burst": "100000", "task_seconds": "0.05"}
    with running(world.cluster.kubeconfig, world.namespace, platform.url, **settings) as made:
        yield made


@pytest.fixture
def admin(issuer: Issuer) -> str:
    return issuer.token("the-admin", role="admin")


def test_nothing_that_is_asked_is_answered_otherwise_than_described(api: Api, admin: str, tmp_path: Path) -> None:
    ask(api, admin, tmp_path, "--phases=examples,coverage,fuzzing", "--max-examples=3", "--max-time=20")


def test_nor_is_what_is_asked_about_things_that_are_there(
    api: Api, admin: str, platform: Platform, tmp_path: Path
) -> None:
    rest, graph = Rest(api, admin), platform.graph
    draft = {"userId": graph.user_id, "graph": {"id": graph.id}, "cron": "0 9 * * *"}
    there = {"path.schedule_id": rest.create(draft)["id"], "path.task": TASK}
    (tmp_path / "schemathesis.toml").write_text(
        "[parameters]\n" + "".join(f'"{name}" = "{value}"\n' for name, value in there.items())
    )
    chosen = ("--include-path-regex={(schedule_id|task)}", "--exclude-method=DELETE")
    ask(api, admin, tmp_path, *chosen, "--phases=coverage,fuzzing", "--max-examples=5", "--max-time=14")
    assert rest.get(f"/schedules/{there['path.schedule_id']}")["userId"] == graph.user_id


def ask(api: Api, token: str, folder: Path, *options: str) -> None:
    """Ask the service what its description allows and what it does not; no answer may contradict the description.

    A file `schemathesis.toml` in the folder may say what is there to be asked about.
    """
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{api.address}/openapi.json"]
    usual = ["--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--seed", "1"]
    ended = subprocess.run(
        [*command, *usual, *options, "--generation-database", "none"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-8000:] + ended.stderr[-2000:]
