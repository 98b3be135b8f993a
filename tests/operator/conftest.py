"""What the operator's tests share: a schedule as the API server gives it, and settings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels
from graphschedule_operator.settings import Settings

from dev import cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dev.cluster import Cluster


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Cluster]:
    """Yield an API server that knows GraphSchedules, with the controllers of CronJobs and garbage, and no node."""
    with cluster.up(name="operator", kubelet=False) as running:
        running.kubectl("apply", "--filename", "crds/graphschedules.yaml")
        running.kubectl("wait", "--for=condition=Established", f"crd/{labels.PLURAL}.{labels.GROUP}")
        yield running


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 5, 4, 7, 30, 12, tzinfo=UTC)


@pytest.fixture
def settings() -> Settings:
    return Settings(runner_image="runner:1", data_claim="data")


@pytest.fixture
def make_schedule() -> Callable[..., dict[str, Any]]:
    def make(*, name: str = "daily", status: dict[str, Any] | None = None, **spec: object) -> dict[str, Any]:
        """Return a GraphSchedule; keywords replace members of its spec, and None leaves one out."""
        members = {
            "graph": {"id": "graph-1", "version": 3},
            "userId": "user-1",
            "cron": "0 9 * * 1-5",
            "timeZone": "Europe/Berlin",
            "inputs": {"topic": "news"},
            "suspend": False,
        } | spec
        return {
            "apiVersion": "graphschedule.io/v1",
            "kind": "GraphSchedule",
            "metadata": {
                "name": name,
                "namespace": "team",
                "uid": "6a9f6a2e-0000-4000-8000-000000000001",
                "resourceVersion": "10",
                "generation": 4,
            },
            "spec": {member: value for member, value in members.items() if value is not None},
            **({"status": status} if status else {}),
        }

    return make
