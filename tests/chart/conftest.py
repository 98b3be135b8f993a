"""Helm itself, for every test of the chart."""

from __future__ import annotations

import pytest

from dev.cluster import binaries
from tests.chart.rendering import Helm


@pytest.fixture(scope="session")
def helm() -> Helm:
    return Helm(binaries.path("helm"))
