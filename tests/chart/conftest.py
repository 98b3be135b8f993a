"""Helm, an API server, and a release on it, for the tests of the chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev import cluster
from dev.cluster import binaries
from tests.chart.releases import CRD, NAMESPACES, Release
from tests.chart.rendering import NAMESPACE, Helm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster


@pytest.fixture(scope="session")
def helm() -> Helm:
    return Helm(binaries.path("helm"))


@pytest.fixture(scope="session")
def api_server() -> Iterator[Cluster]:
    """Yield an API server with the namespaces that the value sets name, under the restricted Pod Security Standard."""
    with cluster.up(name="chart", kubelet=False) as control_plane:
        for name in NAMESPACES:
            control_plane.kubectl("create", "namespace", name)
            control_plane.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
        yield control_plane
        control_plane.kubectl("delete", "namespace", *NAMESPACES, "--wait=false")


@pytest.fixture
def release(api_server: Cluster) -> Iterator[Release]:
    """No release yet, and none left behind."""
    made = Release(api_server)
    yield made
    made.helm("uninstall", "--ignore-not-found")
    api_server.kubectl("delete", "crd", CRD, "--ignore-not-found")
    api_server.kubectl("delete", "pvc", "--all", "--namespace", NAMESPACE, "--wait=false")
