"""Tenancy on a real API server: which users may be scheduled from which namespace."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import pytest
import yaml

from dev.cluster.cluster import ClusterError
from tests.chart.rendering import CHART, NAMESPACE, PLATFORM
from tests.operator.world import PATIENCE_SECONDS, schedule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.chart.releases import Release

ANNOTATION = "graphschedule.io/user-ids"
MINE = ("graphschedule", "mine", "--namespace", "red")


class Tenants:
    """The namespaces of a release with tenancy, and what may be scheduled from them."""

    def __init__(self, release: Release) -> None:
        self.kubectl = release.cluster.kubectl

    def annotate(self, namespace: str, user_ids: str | None) -> None:
        """Set a namespace's annotation, or remove it."""
        mark = f"{ANNOTATION}-" if user_ids is None else f"{ANNOTATION}={user_ids}"
        self.kubectl("annotate", "namespace", namespace, mark, "--overwrite")

    def apply(self, namespace: str, user: str, *flags: str, name: str = "tried", **spec: object) -> str:
        """Apply a schedule; return what the API server says."""
        manifest = json.dumps(schedule(name, userId=user, **spec))
        try:
            return self.kubectl("apply", "--namespace", namespace, "--filename", "-", *flags, input=manifest)
        except ClusterError as error:
            return str(error)

    def until(self, word: str, namespace: str, user: str) -> str:
        """Try to apply until the answer has a word: the API server takes a moment to learn of a policy or a list."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while word not in (said := self.apply(namespace, user, "--dry-run=server")):
            assert time.monotonic() < deadline, said
        return said


@pytest.fixture
def tenants(release: Release, tmp_path: Path) -> Callable[..., Tenants]:
    def install(**tenancy: object) -> Tenants:
        """Install the chart for the namespace red, with tenancy."""
        values = tmp_path / "values.yaml"
        watch = {"namespaces": ["red"]}
        values.write_text(yaml.safe_dump(PLATFORM | {"watch": watch, "tenancy": {"enabled": True} | tenancy}))
        release.install(CHART, "--values", str(values))
        return Tenants(release)

    return install


def test_a_namespace_schedules_the_users_that_its_annotation_lists(tenants: Callable[..., Tenants]) -> None:
    there = tenants()
    refusal = there.until("may not", "red", "user-1")
    for words in ("user user-1", "namespace red", f"annotation {ANNOTATION}", "administrator", "*"):
        assert words in refusal

    there.annotate("red", "user-0, user-1")
    there.until("created", "red", "user-1")
    assert "may not" in there.apply("red", "user", "--dry-run=server"), "a part of an id is no id"

    there.annotate("red", "*")
    there.until("created", "red", "user-2")
    there.annotate("red", None)


def test_namespaces_that_the_release_does_not_serve_are_left_alone(tenants: Callable[..., Tenants]) -> None:
    there = tenants()
    there.until("may not", "red", "user-1")
    assert "created" in there.apply("blue", "user-1", "--dry-run=server")


def test_a_schedule_whose_user_is_struck_off_can_be_removed_but_not_changed(tenants: Callable[..., Tenants]) -> None:
    there = tenants()
    there.annotate("red", "user-1")
    there.until("created", "red", "user-1")
    there.apply("red", "user-1", name="mine")
    there.annotate("red", None)
    there.until("may not", "red", "user-2")
    assert "may not" in there.apply("red", "user-1", name="mine", cron="0 0 2 1 *")
    there.kubectl("label", *MINE, "team=a")
    there.kubectl("delete", *MINE)


def test_a_config_map_of_the_release_may_list_the_users_instead(tenants: Callable[..., Tenants]) -> None:
    there = tenants(source="ConfigMap", userIds={"red": ["user-0", "user-1"], "blue": ["user-2"]})
    refusal = there.until("may not", "red", "user-2")
    assert f"ConfigMap {NAMESPACE}/graphschedule-tenancy, which Helm makes of tenancy.userIds" in refusal
    assert "created" in there.apply("red", "user-1", "--dry-run=server")
    there.annotate("red", "user-2")
    assert "may not" in there.apply("red", "user-2", "--dry-run=server"), "the namespace's owner has no say"
    there.annotate("red", None)


def test_the_api_server_finds_no_fault_in_the_policy(tenants: Callable[..., Tenants]) -> None:
    policy = ("validatingadmissionpolicy", "graphschedule-tenancy")
    kubectl = tenants().kubectl
    kubectl("wait", *policy, "--for=jsonpath={.status.observedGeneration}=1", "--timeout=60s")
    checked = kubectl("get", *policy, "--output=jsonpath={.status.typeChecking}")
    assert json.loads(checked or "{}") == {}
