"""What the chart makes of the API."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from graphschedule_api.settings import JwtSettings, Settings

from tests.chart.rendering import (
    ALL_NAMESPACES,
    API,
    EVERYTHING,
    NAMESPACE,
    PLATFORM,
    TWO_NAMESPACES,
    Helm,
    Rendered,
    Values,
    environment,
)

if TYPE_CHECKING:
    from tests.chart.rendering import Manifest

RULES = [
    {
        "apiGroups": ["graphschedule.io"],
        "resources": ["graphschedules"],
        "verbs": ["get", "list", "watch", "create", "patch", "delete"],
    },
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]},
]
TASK_RULES = [
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["list"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "watch"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
]


def container(rendered: Rendered) -> Manifest:
    [only] = rendered.one("Deployment", API)["spec"]["template"]["spec"]["containers"]
    return dict(only)


def settings(rendered: Rendered) -> Settings:
    """Return what the API makes of its environment, with Secrets read as their names."""
    variables = environment(container(rendered)).items()
    values = {name: value if isinstance(value, str) else value["secretKeyRef"]["name"] for name, value in variables}
    with mock.patch.dict(os.environ, values):
        return Settings()


def test_the_api_is_left_out_if_told_so(helm: Helm) -> None:
    rendered = helm.render(EVERYTHING | {"api": {"enabled": False}})
    assert not [o for o in rendered.objects if o["metadata"]["name"].startswith(API)]


@pytest.mark.parametrize(
    ("values", "served", "made_in"),
    [
        (PLATFORM, (NAMESPACE,), NAMESPACE),
        (TWO_NAMESPACES, ("red", "blue"), "red"),
        (EVERYTHING, ("red", "blue"), "blue"),
        (ALL_NAMESPACES, (), NAMESPACE),
    ],
    ids=["own", "two", "given", "all"],
)
def test_schedules_are_made_in_a_namespace_that_is_served(
    helm: Helm, values: Values, served: tuple[str, ...], made_in: str
) -> None:
    made = settings(helm.render(values))
    assert (made.namespaces, made.namespace, made.task_namespace) == (served, made_in, NAMESPACE)


def test_the_system_tasks_are_those_of_the_release(helm: Helm) -> None:
    rendered = helm.render(PLATFORM)
    name, value = settings(rendered).task_selector.split("=")
    tasks = [o for o in rendered.all("CronJob") if "graphschedule.io/task" in o["metadata"]["labels"]]
    assert tasks
    assert all(task["metadata"]["labels"][name] == value for task in tasks)


def test_graphs_are_judged_as_the_operator_judges_them(helm: Helm) -> None:
    values = EVERYTHING | {"runner": {"extraEnv": [{"name": "SYSTEM_CREDENTIALS", "value": "a:b:c"}]}}
    rendered = helm.render(values)
    ours, operators = environment(container(rendered)), rendered.operator_environment()
    for name in ("DATABASE_URL", "ENCRYPTION_KEY", "SYSTEM_CREDENTIALS", "LOG_LEVEL"):
        assert ours[f"GRAPHSCHEDULE_{name}"] == operators[f"GRAPHSCHEDULE_{name}"]


def test_the_rpc_can_ask_for_a_token_or_be_left_out(helm: Helm) -> None:
    assert settings(helm.render()).rpc_token is None
    token = settings(helm.render(EVERYTHING)).rpc_token
    assert token is not None
    assert token.get_secret_value() == "api-token"
    assert not settings(helm.render({"api": {"rpc": {"enabled": False}}})).rpc_enabled


def test_rest_is_told_whose_tokens_to_take_and_its_limits(helm: Helm) -> None:
    told = settings(helm.render(EVERYTHING))
    assert told.jwt == JwtSettings(
        issuer="https://platform.example", audience="authenticated", jwks_url="https://platform.example/keys"
    )
    assert (told.kubernetes_tokens, told.token_audience) == (True, "graphschedule")
    assert (told.cors_origins, told.rate, told.burst) == (("https://platform.example",), 0.5, 3)
    assert told.body_bytes == 2048


def test_rest_needs_no_more_than_what_is_set_by_default(helm: Helm) -> None:
    untouched, told = Settings.model_fields, settings(helm.render())
    for name in ("rest_enabled", "kubernetes_tokens", "jwt", "token_audience", "cors_origins"):
        assert getattr(told, name) == untouched[name].default
    for name in ("rate", "burst", "body_bytes"):
        assert getattr(told, name) == untouched[name].default


def test_kubernetes_is_asked_about_callers_only_where_they_show_its_tokens(helm: Helm) -> None:
    binding = helm.render(PLATFORM).one("ClusterRoleBinding", f"{API}-reviews")
    assert binding["roleRef"]["name"] == "system:auth-delegator"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": API, "namespace": NAMESPACE}]
    for rest in ({"enabled": False}, {"kubernetesTokens": {"enabled": False}}):
        rendered = helm.render(PLATFORM | {"api": {"rest": rest}})
        assert not rendered.named("ClusterRoleBinding", f"{API}-reviews")


def test_the_service_and_probes_reach_the_port_that_the_platforms_client_expects(helm: Helm) -> None:
    rendered = helm.render()
    served = container(rendered)
    assert served["ports"] == [{"name": "http", "containerPort": settings(rendered).port}]
    assert settings(rendered).port == 8003
    assert served["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert served["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    service = rendered.one("Service", API)["spec"]
    assert [(port["port"], port["targetPort"]) for port in service["ports"]] == [(8003, "http")]
    assert service["selector"] == rendered.one("Deployment", API)["spec"]["selector"]["matchLabels"]


def test_a_pod_that_stops_is_given_the_time_that_it_takes(helm: Helm) -> None:
    rendered = helm.render()
    made = settings(rendered)
    pod = rendered.one("Deployment", API)["spec"]["template"]["spec"]
    assert pod["terminationGracePeriodSeconds"] > made.linger_seconds + made.drain_seconds
    probe = container(rendered)["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < made.linger_seconds
    assert rendered.one("Deployment", API)["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@pytest.mark.parametrize(
    ("values", "namespaces"),
    [(TWO_NAMESPACES, {"red", "blue"}), (PLATFORM, {NAMESPACE})],
    ids=["two", "own"],
)
def test_the_api_may_do_no_more_than_it_does_and_only_where_it_serves(
    helm: Helm, values: Values, namespaces: set[str]
) -> None:
    rendered = helm.render(values)
    roles = rendered.named("Role", API)
    assert {role["metadata"]["namespace"] for role in roles} == namespaces
    assert all(role["rules"] == RULES for role in roles)
    tasks = rendered.one("Role", f"{API}-tasks")
    assert (tasks["metadata"]["namespace"], tasks["rules"]) == (NAMESPACE, TASK_RULES)
    bindings = [*rendered.named("RoleBinding", API), rendered.one("RoleBinding", f"{API}-tasks")]
    assert len(bindings) == len(namespaces) + 1
    account = {"kind": "ServiceAccount", "name": API, "namespace": NAMESPACE}
    assert all(binding["subjects"] == [account] for binding in bindings)


def test_serving_every_namespace_takes_a_cluster_role_of_the_same_rules(helm: Helm) -> None:
    rendered = helm.render(ALL_NAMESPACES)
    assert not rendered.named("Role", API)
    assert rendered.one("ClusterRole", API)["rules"] == RULES
    [subject] = rendered.one("ClusterRoleBinding", API)["subjects"]
    assert (subject["name"], subject["namespace"]) == (API, NAMESPACE)


def test_without_tasks_there_are_no_rights_to_run_them(helm: Helm) -> None:
    assert not helm.render().named("Role", f"{API}-tasks")


def test_only_namespaces_that_are_named_reach_it(helm: Helm) -> None:
    def admitted(values: Values) -> list[Manifest]:
        [rule] = helm.render(values).one("NetworkPolicy", API)["spec"]["ingress"]
        assert rule["ports"] == [{"port": "http"}]
        return list(rule["from"])

    def of(*namespaces: str) -> Manifest:
        expression = {"key": "kubernetes.io/metadata.name", "operator": "In", "values": [*namespaces]}
        return {"namespaceSelector": {"matchExpressions": [expression]}}

    assert admitted({}) == [of(NAMESPACE)]
    monitoring = {"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}
    values = EVERYTHING | {"networkPolicy": {"metricsFrom": [monitoring]}}
    assert admitted(values) == [of(NAMESPACE, "platform"), monitoring]
    assert not helm.render({"api": {"networkPolicy": {"enabled": False}}}).all("NetworkPolicy")


def test_replicas_are_fixed_or_scaled_and_not_all_taken_away_at_once(helm: Helm) -> None:
    alone = helm.render()
    assert alone.one("Deployment", API)["spec"]["replicas"] == 1
    assert not alone.all("PodDisruptionBudget")
    assert not alone.all("HorizontalPodAutoscaler")
    two = helm.render({"api": {"replicas": 2}})
    assert two.one("Deployment", API)["spec"]["replicas"] == 2
    assert two.one("PodDisruptionBudget", API)["spec"]["maxUnavailable"] == 1
    scaled = helm.render(EVERYTHING)
    assert "replicas" not in scaled.one("Deployment", API)["spec"]
    scaler = scaled.one("HorizontalPodAutoscaler", API)["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"], scaler["scaleTargetRef"]["name"]) == (2, 5, API)
