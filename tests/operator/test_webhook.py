"""The admission webhook, called by a real API server as the chart's configuration says; only its address is ours."""

from __future__ import annotations

import base64
import json
import shutil
import ssl
import threading
import time
from typing import TYPE_CHECKING

import aiohttp
import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_operator import tls
from graphschedule_operator.platform import Platform
from graphschedule_operator.webhook import PATH, Webhook
from graphschedule_platform import database

from dev import ports
from dev.cluster import binaries
from dev.cluster.cluster import ClusterError
from dev.cluster.pki import Authority
from tests.chart.rendering import PLATFORM, Helm
from tests.operator.world import PATIENCE_SECONDS, World, new_world, operator, schedule
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from graphschedule_platform.verdict import Verdict
    from sqlalchemy import Engine

    from dev.cluster import Cluster
    from tests.operator.world import Object, Operator

    Ask = Callable[[object], Awaitable[tuple[int, str]]]

MISSING = "no-such-graph"
NOT_FOUND = f"Graph #{MISSING} not found"
UNKNOWN = "the graph could not be validated yet"


class Gate:
    """A namespace whose schedules are reviewed by whoever answers on a port of this machine."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world = world
        self._folder = folder
        (self._port,) = ports.free(1)

    def operator(self, url: str) -> AbstractContextManager[Operator]:
        """Run an operator on a database behind the gate."""
        return operator(
            self.world,
            database_url=url,
            webhook_certificates=str(self._folder),
            webhook_port=str(self._port),
        )

    def new_authority(self, name: str) -> Authority:
        """Make an authority, which has certified the server."""
        made = Authority(self._folder / name)
        made.issue("tls", "webhook", hosts=["127.0.0.1"])
        return made

    def install(self, authority: Authority) -> None:
        """Give the server its certificate by an authority."""
        for file in ("tls.key", "tls.crt"):
            shutil.copy(authority.folder / file, self._folder / file)

    def trust(self, authority: Authority, *, failure_policy: str = "Fail") -> None:
        """Apply the configuration that the chart makes."""
        address = f"https://127.0.0.1:{self._port}"
        bundle = base64.b64encode(authority.certificate.read_bytes()).decode()
        watch, webhook = {"namespaces": [self.world.namespace]}, {"enabled": True, "failurePolicy": failure_policy}
        rendered = Helm(binaries.path("helm")).render(PLATFORM | {"watch": watch, "webhook": webhook})
        configuration = rendered.one("ValidatingWebhookConfiguration")
        webhooks = [
            hook | {"clientConfig": {"url": f"{address}{hook['clientConfig']['service']['path']}", "caBundle": bundle}}
            for hook in configuration["webhooks"]
        ]
        ours = {"metadata": {"name": self.world.namespace}, "webhooks": webhooks}
        self.world.kubectl("apply", "--filename", "-", given=configuration | ours)

    def remove(self) -> None:
        """Delete the configuration."""
        self.world.kubectl("delete", "validatingwebhookconfiguration", self.world.namespace)

    def apply(self, name: str, spec: Object, *flags: str) -> str:
        """Apply a schedule; return what the API server says, warnings included."""
        try:
            given = schedule(name, **spec)
            return self.world.kubectl("apply", "--warnings-as-errors", "--filename", "-", *flags, given=given)
        except ClusterError as error:
            return str(error)

    def until(self, word: str, spec: Object) -> str:
        """Try to apply until the answer has a word: the API server takes a moment to learn of a configuration."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while word not in (said := self.apply("tried", spec, "--dry-run=server")):
            assert time.monotonic() < deadline, said
        return said


@pytest.fixture
def gate(control_plane: Cluster, tmp_path: Path) -> Iterator[Gate]:
    with new_world(control_plane) as world:
        yield Gate(world, tmp_path)


@pytest.fixture
def authority(gate: Gate) -> Iterator[Authority]:
    """Give the authority that the server's certificate is by and that the API server trusts."""
    made = gate.new_authority("first")
    gate.install(made)
    gate.trust(made)
    yield made
    gate.remove()


@pytest.fixture
def spec(platform_url: str) -> Object:
    """Give the members of a spec whose graph can be run."""
    engine = database.engine(platform_url)
    with engine.begin() as connection:
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
    engine.dispose()
    return {"graph": {"id": graph.id}, "userId": graph.user_id, "inputs": {"text": "hello"}}


on_sqlite = pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)


@on_sqlite
@pytest.mark.usefixtures("authority")
def test_a_schedule_is_judged_while_it_is_applied(gate: Gate, platform_url: str, spec: Object) -> None:
    missing = spec | {"graph": {"id": MISSING}}
    with gate.operator(platform_url):
        gate.until(NOT_FOUND, missing)
        assert "created" in gate.apply("daily", spec)
        assert NOT_FOUND in gate.apply("daily", missing)
        gate.world.kubectl("label", "graphschedule", "daily", "team=a")
        assert "Mars/Olympus" in gate.apply("daily", spec | {"timeZone": "Mars/Olympus"})
        assert "spec.timeZone is not set" in gate.apply("daily", spec | {"timeZone": None})

        second = gate.new_authority("second")
        gate.trust(second)
        gate.until("certificate signed by unknown authority", spec)
        gate.install(second)
        gate.until(NOT_FOUND, missing)


@on_sqlite
@pytest.mark.usefixtures("authority")
def test_while_the_database_is_away_a_schedule_passes_with_a_warning(gate: Gate, tmp_path: Path, spec: Object) -> None:
    with gate.operator(f"sqlite:///{tmp_path}/nowhere/platform.db"):
        assert "sqlite" in gate.until(UNKNOWN, spec)
        assert "warning received" in gate.apply("daily", spec)
        assert gate.world.get("graphschedule", "daily") is not None


@on_sqlite
def test_while_the_operator_is_away_the_failure_policy_decides(gate: Gate, authority: Authority, spec: Object) -> None:
    gate.until("failed calling webhook", spec)
    gate.trust(authority, failure_policy="Ignore")
    gate.until("created", spec)
    gate.apply("daily", spec)
    gate.trust(authority)
    gate.until("failed calling webhook", spec)
    assert "failed calling webhook" in gate.apply("daily", spec | {"cron": "0 0 2 1 *"})
    gate.world.kubectl("label", "graphschedule", "daily", "team=a")


# --- the server alone -------------------------------------------------------------------------------------------------


@pytest.fixture
async def ask(tmp_path: Path, platform_db: Engine) -> AsyncIterator[Ask]:
    """Give a way to post to a webhook whose database takes longer than it waits."""
    authority = Authority(tmp_path / "authority")
    authority.issue("tls", "webhook", hosts=["127.0.0.1"])
    released = threading.Event()
    (port,) = ports.free(1)

    def validate(*_: object) -> list[Verdict]:
        released.wait()
        return []

    webhook = Webhook(Platform(platform_db), validate, seconds=0.1)
    trusted = ssl.create_default_context(cafile=authority.certificate)
    async with webhook.served("127.0.0.1", port, authority.folder), aiohttp.ClientSession() as session:

        async def post(body: object) -> tuple[int, str]:
            async with session.post(f"https://127.0.0.1:{port}{PATH}", json=body, ssl=trusted) as response:
                return response.status, await response.text()

        yield post
        released.set()


@on_sqlite
async def test_a_database_that_takes_too_long_is_not_waited_for(ask: Ask, make_schedule: Callable[..., Object]) -> None:
    status, text = await ask({"request": {"uid": "1", "object": make_schedule()}})
    answer = json.loads(text)["response"]
    assert (status, answer["uid"], answer["allowed"]) == (200, "1", True)
    assert answer["warnings"] == [f"{UNKNOWN}: the database did not answer within 0.1 s"]


@on_sqlite
@pytest.mark.parametrize("body", [None, [], {}, {"request": {"uid": "1"}}])
async def test_what_is_no_review_is_refused_by_name(ask: Ask, body: object) -> None:
    status, text = await ask(body)
    assert status == 400
    assert "AdmissionReview" in text


def test_a_folder_without_certificates_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=f"GRAPHSCHEDULE_WEBHOOK_CERTIFICATES: .*{tmp_path.name}.*tls.crt"):
        tls.context(tmp_path)
