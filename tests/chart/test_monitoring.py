"""Alert rules and dashboard speak of metrics that the operator has."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from unittest import mock

import prometheus_client
import pytest
from graphschedule.outcomes import SlotState
from graphschedule_operator import metrics
from graphschedule_operator.status import State
from graphschedule_operator.task_runs import TaskRuns

from tests.chart.rendering import EVERYTHING, NAMESPACE, Helm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.chart.rendering import Manifest

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "gauge": ("",)}
"""What the names of a family's samples end in (Prometheus' text format)."""
RELEASE = f'namespace="{NAMESPACE}", service="graphschedule-operator"'
"""The labels of this release's scrapes."""


def rules(helm: Helm) -> list[Manifest]:
    """Return the alert rules."""
    groups = helm.render(EVERYTHING).one("PrometheusRule")["spec"]["groups"]
    assert [group["name"] for group in groups] == ["graphschedule", "graphschedule-tasks"]
    return [rule for group in groups for rule in group["rules"]]


def panels(helm: Helm) -> list[Manifest]:
    """Return the dashboard's panels."""
    config_map = helm.render(EVERYTHING).one("ConfigMap", "graphschedule-operator-dashboard")
    assert config_map["metadata"]["labels"]["grafana_dashboard"] == "1"
    found: list[Manifest] = json.loads(config_map["data"]["graphschedule.json"])["panels"]
    return found


@pytest.fixture
def expressions(helm: Helm) -> list[str]:
    """Give every PromQL expression."""
    queries = [target["expr"] for panel in panels(helm) for target in panel["targets"]]
    return [*queries, *(rule["expr"] for rule in rules(helm))]


def known_samples() -> Iterator[str]:
    """Yield the names of all samples that the operator's metrics can have."""
    of_tasks = TaskRuns(mock.Mock()).collect()
    for family in (*prometheus_client.REGISTRY.collect(), *metrics.Schedules(State).collect(), *of_tasks):
        yield from (family.name + suffix for suffix in SUFFIXES.get(family.type, ()))


def test_every_metric_that_is_asked_for_exists(expressions: list[str]) -> None:
    asked = {name for expression in expressions for name in re.findall(r"\bgraphschedule_\w+", expression)}
    assert len(asked) > 5
    assert asked <= {*known_samples()}


@pytest.mark.parametrize(
    ("metric", "states"), [("graphschedule_schedules", State), ("graphschedule_slots_total", SlotState)]
)
def test_every_state_that_is_asked_for_exists(
    expressions: list[str], metric: str, states: type[State] | type[SlotState]
) -> None:
    selector = rf'\b{metric}{{[^}}]*state!?=~?"([^"]+)"'
    asked = {state for text in expressions for group in re.findall(selector, text) for state in group.split("|")}
    assert asked
    assert asked <= {*states}


def test_alerts_concern_their_own_release_and_tell_people_what_to_do(helm: Helm) -> None:
    for rule in rules(helm):
        selectors = re.findall(r"\{([^}]*)\}", rule["expr"])
        assert selectors
        assert all(selector.startswith(RELEASE) for selector in selectors)
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert {"summary", "description"} == rule["annotations"].keys()


def test_tasks_are_overdue_by_their_own_intervals_unless_they_fire_by_hand_only(helm: Helm) -> None:
    overdue = [rule["expr"] for rule in rules(helm) if rule["alert"] == "GraphScheduleTaskOverdue"]
    assert {tuple(re.findall(r'task="([^"]+)"} > 3 \* (\d+)$', rule)[0]) for rule in overdue} == {
        ("report-late-executions", "300"),
        ("report-block-error-rates", "86400"),
        ("cleanup-expired-files", "21600"),
        ("report-execution-accuracy-alerts", "86400"),
        ("ensure-embeddings-coverage", "21600"),
    }


def test_every_panel_has_a_place_of_its_own(helm: Helm) -> None:
    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels(helm)]
    assert len({*places}) == len(places)
