"""The chart's release on a real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml
from graphschedule import labels

from tests.chart.rendering import CHART, NAMESPACE, Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from dev.cluster import Cluster

CRD = f"{labels.PLURAL}.{labels.GROUP}"
NAMESPACES = (NAMESPACE, "red", "blue")


class Release:
    """The chart's release; its migration hook is left out, for there is no node to run it on."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def helm(self, verb: str, *arguments: str) -> None:
        """Run a Helm command on the release."""
        self.cluster.helm(verb, "graphschedule", *arguments, "--namespace", NAMESPACE, "--no-hooks")

    def install(self, chart: Path = CHART, *arguments: str) -> None:
        """Install the chart and wait until the API server serves GraphSchedules."""
        self.helm("install", str(chart), *arguments)
        self.cluster.kubectl("wait", "--for=condition=Established", f"crd/{CRD}", "--timeout=60s")

    def short_names(self) -> list[str]:
        """Return the CRD's short names, which stand for whatever a version of it changes."""
        crd: Manifest = yaml.safe_load(self.cluster.kubectl("get", "crd", CRD, "--output", "yaml"))
        names: list[str] = crd["spec"]["names"]["shortNames"]
        return names
