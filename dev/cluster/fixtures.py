"""Pytest fixtures: one cluster of each kind for the whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev.cluster.provider import up

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster.cluster import Cluster


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Cluster]:
    """Give a cluster without nodes: objects are accepted, CronJobs make Jobs and Jobs make pods, which stay pending."""
    with up("test-control-plane", kubelet=False) as running:
        yield running


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Give a cluster with one node, on which pods run."""
    with up("test-node") as running:
        yield running
