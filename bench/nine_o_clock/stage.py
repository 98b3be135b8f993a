"""Where it plays: a platform on real servers, and beside it a cluster with a node, on which the chart is installed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphschedule import labels

from bench.servers import Platform, platform
from dev import cluster, images, release
from dev.services import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster

NAMESPACE = "nine"
OURS = f"{labels.MANAGED_BY_LABEL}={labels.MANAGED_BY}"
"""Selects what the operator made."""


@dataclass(frozen=True)
class Stage:
    """A platform and a cluster."""

    platform: Platform
    cluster: Cluster


@contextmanager
def stage() -> Iterator[Stage]:
    """Give a stage for as long as the block lasts."""
    built = images.build("operator", "runner")
    with platform("nine") as made, cluster.up(name="nine") as running:
        database, broker = (Service(url).url_for(running.node_address) for url in (made.database_url, made.broker_url))
        release.install_beside(running, NAMESPACE, built, database, broker, {"tasks.enabled": "false"})
        yield Stage(made, running)
