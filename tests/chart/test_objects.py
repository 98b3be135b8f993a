"""What the chart makes, as facts about the rendered objects."""

from __future__ import annotations

import base64

import pytest
import yaml
from cryptography import x509
from graphschedule_operator.manifests import EMBEDDED_DATABASE
from graphschedule_operator.webhook import PATH

from tests.chart.rendering import (
    ALL_NAMESPACES,
    API,
    CHART,
    EVERYTHING,
    NAMESPACE,
    OPERATOR,
    PLATFORM,
    ROOT,
    SELF_SIGNED,
    TWO_NAMESPACES,
    VALUE_SETS,
    Helm,
    Rendered,
    Values,
    environment,
)

each_value_set = pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)

OPERATOR_RULES = [
    {"apiGroups": ["graphschedule.io"], "resources": ["graphschedules"], "verbs": ["get", "list", "watch", "delete"]},
    {"apiGroups": ["graphschedule.io"], "resources": ["graphschedules/status"], "verbs": ["patch"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs"], "verbs": ["get", "list", "watch", "create", "patch", "delete"]},
    {"apiGroups": ["batch"], "resources": ["cronjobs/status"], "verbs": ["patch"]},
    {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "delete"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"]},
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": ["events.k8s.io"], "resources": ["events"], "verbs": ["list", "create"]},
]


@each_value_set
def test_helm_lint_is_silent(helm: Helm, values: Values) -> None:
    done = helm.run("lint", "--strict", str(CHART), values=values)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "WARNING" not in done.stdout


@each_value_set
def test_every_pod_is_restricted_and_has_a_read_only_root(helm: Helm, values: Values) -> None:
    templates = helm.render(values).pod_templates()
    assert len(templates) >= 2
    for template in templates:
        pod = template["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"requests", "limits"} <= container["resources"].keys()


@each_value_set
def test_only_operator_and_api_get_a_token(helm: Helm, values: Values) -> None:
    rendered = helm.render(values)
    assert all(account["automountServiceAccountToken"] is False for account in rendered.all("ServiceAccount"))
    pods = [template["spec"] for template in rendered.pod_templates()]
    assert {pod["automountServiceAccountToken"] for pod in pods} == {True, False}
    trusted = sorted(pod["serviceAccountName"] for pod in pods if pod["automountServiceAccountToken"])
    assert trusted == [API, OPERATOR]


@each_value_set
def test_objects_carry_the_recommended_labels(helm: Helm, values: Values) -> None:
    for manifest in helm.render(values).objects:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/name"] == "graphschedule"
        assert labels["app.kubernetes.io/instance"] == "graphschedule"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"
        assert {"app.kubernetes.io/component", "app.kubernetes.io/version", "helm.sh/chart"} <= labels.keys()


def test_operator_is_one_replica_that_never_overlaps_with_its_successor(helm: Helm) -> None:
    spec = helm.render().one("Deployment", OPERATOR)["spec"]
    assert spec["replicas"] == 1
    assert spec["strategy"] == {"type": "Recreate"}
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()


def test_probes_and_the_service_reach_the_port_that_the_operator_listens_on(helm: Helm) -> None:
    rendered = helm.render()
    [container] = rendered.one("Deployment", OPERATOR)["spec"]["template"]["spec"]["containers"]
    [port] = container["ports"]
    assert port == {"name": "http", "containerPort": helm.render().operator_settings().port}
    assert container["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    service = rendered.one("Service", OPERATOR)["spec"]
    assert [served["targetPort"] for served in service["ports"]] == ["http"]
    assert service["selector"] == rendered.one("Deployment", OPERATOR)["spec"]["selector"]["matchLabels"]


def test_operator_may_do_no_more_than_it_does_and_only_where_it_watches(helm: Helm) -> None:
    rendered = helm.render(TWO_NAMESPACES)
    assert not rendered.named("ClusterRoleBinding", OPERATOR)
    roles = rendered.named("Role", OPERATOR)
    assert {role["metadata"]["namespace"] for role in roles} == {"red", "blue"}
    assert all(role["rules"] == OPERATOR_RULES for role in roles)
    for binding in rendered.named("RoleBinding", OPERATOR):
        assert binding["roleRef"]["name"] == "graphschedule-operator"
        assert binding["subjects"] == [
            {"kind": "ServiceAccount", "name": "graphschedule-operator", "namespace": NAMESPACE}
        ]


def test_watching_every_namespace_takes_a_cluster_role_of_the_same_rules(helm: Helm) -> None:
    rendered = helm.render(ALL_NAMESPACES)
    assert not rendered.named("Role", OPERATOR)
    assert rendered.one("ClusterRole", "graphschedule-operator")["rules"] == OPERATOR_RULES
    [subject] = rendered.one("ClusterRoleBinding", OPERATOR)["subjects"]
    assert (subject["name"], subject["namespace"]) == ("graphschedule-operator", NAMESPACE)


@each_value_set
def test_no_role_may_read_secrets(helm: Helm, values: Values) -> None:
    rendered = helm.render(values)
    rules = [rule for kind in ("Role", "ClusterRole") for role in rendered.all(kind) for rule in role["rules"]]
    assert rules
    assert not any("*" in rule["resources"] + rule["verbs"] + rule["apiGroups"] for rule in rules)
    assert all(set(rule["verbs"]) <= {"create", "delete"} for rule in rules if "secrets" in rule["resources"])


def test_view_edit_and_admin_roles_are_extended_unless_declined(helm: Helm) -> None:
    roles = {role["metadata"]["name"]: role for role in helm.render().all("ClusterRole")}
    assert roles["graphschedule-view"]["rules"][0]["verbs"] == ["get", "list", "watch"]
    assert set(roles["graphschedule-edit"]["rules"][0]["verbs"]) == {
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
    }
    assert "rbac.authorization.k8s.io/aggregate-to-view" not in roles["graphschedule-edit"]["metadata"]["labels"]
    assert not helm.render({"rbac": {"aggregateRoles": False}}).all("ClusterRole")


def test_ledger_is_migrated_after_an_install_and_before_an_upgrade(helm: Helm) -> None:
    job = helm.render().one("Job")
    assert job["metadata"]["annotations"] == {
        "helm.sh/hook": "post-install,pre-upgrade",
        "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded",
    }
    pod = job["spec"]["template"]["spec"]
    [container] = pod["containers"]
    assert container["command"] == ["graphschedule-runner", "db", "upgrade"]
    assert "serviceAccountName" not in pod


def test_embedded_database_is_one_kept_volume_that_migration_operator_and_runs_share(helm: Helm) -> None:
    rendered = helm.render({"database": {"embedded": {"size": "2Gi", "storageClassName": "fast"}}})
    claim = rendered.one("PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    assert claim["spec"]["resources"]["requests"]["storage"] == "2Gi"
    assert claim["spec"]["storageClassName"] == "fast"
    for kind, name, variable in (
        ("Job", "graphschedule-migrate", "DATABASE_URL"),
        ("Deployment", OPERATOR, "GRAPHSCHEDULE_DATABASE_URL"),
        ("Deployment", API, "GRAPHSCHEDULE_DATABASE_URL"),
    ):
        pod = rendered.one(kind, name)["spec"]["template"]["spec"]
        assert pod["volumes"] == [
            {"name": "data", "persistentVolumeClaim": {"claimName": claim["metadata"]["name"]}},
        ]
        assert pod["containers"][0]["volumeMounts"] == [{"name": "data", "mountPath": "/data"}]
        assert environment(pod["containers"][0])[variable] == EMBEDDED_DATABASE
    settings = helm.render().operator_settings()
    assert settings.data_claim == claim["metadata"]["name"]
    assert (settings.database_secret_name, settings.broker_secret_name) == (None, None)


def test_an_existing_claim_is_used_and_none_is_made(helm: Helm) -> None:
    values = {"database": {"embedded": {"existingClaim": "mine"}}}
    assert not helm.render(values).all("PersistentVolumeClaim")
    assert helm.render(values).operator_settings().data_claim == "mine"


def test_platform_database_and_broker_are_known_by_reference_only(helm: Helm) -> None:
    rendered = helm.render(EVERYTHING)
    assert not rendered.all("Secret")
    assert not rendered.all("PersistentVolumeClaim")
    [migrate] = rendered.one("Job", "graphschedule-migrate")["spec"]["template"]["spec"]["containers"]
    database = {"secretKeyRef": {"name": "platform-database", "key": "url"}}
    assert environment(migrate)["DATABASE_URL"] == database
    operator = rendered.operator_environment()
    assert operator["GRAPHSCHEDULE_DATABASE_URL"] == database
    assert operator["GRAPHSCHEDULE_ENCRYPTION_KEY"] == {
        "secretKeyRef": {"name": "platform-fernet", "key": "encryption-key"}
    }
    settings = helm.render(EVERYTHING).operator_settings()
    assert (settings.database_secret_name, settings.database_secret_key) == ("platform-database", "url")
    assert (settings.broker_secret_name, settings.broker_secret_key) == ("platform-rabbitmq", "url")
    assert (settings.encryption_key_secret_name, settings.encryption_key_secret_key) == (
        "platform-fernet",
        "encryption-key",
    )
    assert settings.data_claim is None


@pytest.mark.parametrize(
    ("values", "namespaces", "account"),
    [
        (PLATFORM, (NAMESPACE,), "graphschedule-runner"),
        (TWO_NAMESPACES, ("red", "blue"), "graphschedule-runner"),
        (ALL_NAMESPACES, (), "default"),
        (PLATFORM | {"runner": {"serviceAccountName": "mine"}}, (NAMESPACE,), "mine"),
    ],
    ids=["own", "two", "all", "given"],
)
def test_runner_account_exists_wherever_runs_happen(
    helm: Helm, values: Values, namespaces: tuple[str, ...], account: str
) -> None:
    settings = helm.render(values).operator_settings()
    assert settings.namespaces == namespaces
    assert settings.runner_service_account == account
    made = {
        made["metadata"]["namespace"]
        for made in helm.render(values).all("ServiceAccount")
        if made["metadata"]["name"] == account
    }
    assert made == (set(namespaces) if account == "graphschedule-runner" else set())


def test_runner_settings_reach_the_operator(helm: Helm) -> None:
    values = EVERYTHING | {
        "runner": {
            "image": {"repository": "example.org/runner", "tag": "1.10", "pullPolicy": "Always"},
            "extraEnv": [{"name": "ENABLE_CREDIT", "value": "true"}],
            "resources": {"requests": {"cpu": "10m"}, "limits": {"memory": "99Mi"}},
        }
    }
    settings = helm.render(values).operator_settings()
    assert settings.runner_image == "example.org/runner:1.10"
    assert settings.runner_image_pull_policy == "Always"
    assert settings.runner_image_pull_secrets == ({"name": "registry"},)
    assert settings.runner_extra_env == ({"name": "ENABLE_CREDIT", "value": "true"},)
    assert settings.runner_resources == {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "99Mi"}}


def test_dispatch_reaches_the_operator(helm: Helm) -> None:
    assert helm.render().operator_settings().dispatch == "PerSchedule"
    settings = helm.render({"dispatch": {"default": "Grouped", "shardMembers": 500}}).operator_settings()
    assert (settings.dispatch, settings.shard_members) == ("Grouped", 500)


def test_a_digest_wins_over_a_tag(helm: Helm) -> None:
    digest = f"sha256:{'0' * 64}"
    image = {"repository": "example.org/operator", "tag": "1", "digest": digest}
    deployment = helm.render({"operator": {"image": image}}).one("Deployment", OPERATOR)
    [container] = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"example.org/operator@{digest}"


def test_operator_takes_further_environment_and_placement(helm: Helm) -> None:
    values = {
        "logLevel": "DEBUG",
        "operator": {
            "extraEnv": [{"name": "GRAPHSCHEDULE_WORKERS", "value": "3"}],
            "nodeSelector": {"disk": "ssd"},
            "tolerations": [{"operator": "Exists"}],
            "priorityClassName": "high",
        },
    }
    pod = helm.render(values).one("Deployment", OPERATOR)["spec"]["template"]["spec"]
    assert (pod["nodeSelector"], pod["priorityClassName"]) == ({"disk": "ssd"}, "high")
    assert pod["tolerations"] == [{"operator": "Exists"}]
    settings = helm.render(values).operator_settings()
    assert (settings.workers, settings.log_level) == (3, "DEBUG")


def test_crd_is_the_generated_one_and_survives_an_uninstall_unless_told_otherwise(helm: Helm) -> None:
    generated = yaml.safe_load((ROOT / "crds" / "graphschedules.yaml").read_text())
    rendered = helm.render().one("CustomResourceDefinition")
    assert rendered["spec"] == generated["spec"]
    assert rendered["metadata"]["name"] == generated["metadata"]["name"]
    assert rendered["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    unkept = helm.render({"crds": {"keep": False}}).one("CustomResourceDefinition")
    assert "helm.sh/resource-policy" not in unkept["metadata"].get("annotations", {})
    assert not helm.render({"crds": {"enabled": False}}).all("CustomResourceDefinition")


def test_monitoring_and_network_policies_are_off_until_asked_for(helm: Helm) -> None:
    rendered = helm.render()
    for kind in ("ServiceMonitor", "PrometheusRule", "ConfigMap"):
        assert not rendered.all(kind)
    assert [policy["metadata"]["name"] for policy in rendered.all("NetworkPolicy")] == [API]
    rendered = helm.render(EVERYTHING)
    for name in (OPERATOR, API):
        monitor = rendered.one("ServiceMonitor", name)["spec"]
        [endpoint] = monitor["endpoints"]
        assert (endpoint["port"], endpoint["path"]) == ("http", "/metrics")
        assert monitor["selector"]["matchLabels"] == rendered.one("Service", name)["spec"]["selector"]
    operator = rendered.one("NetworkPolicy", "graphschedule-operator")
    tasks = rendered.one("NetworkPolicy", "graphschedule-tasks")
    [task, *_] = [o for o in rendered.all("CronJob") if o["metadata"]["name"] != "graphschedule-repair"]
    labels = task["spec"]["jobTemplate"]["spec"]["template"]["metadata"]["labels"]
    assert tasks["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert "ingress" not in tasks["spec"]
    assert operator["spec"]["ingress"] == [{"ports": [{"port": "http"}]}, {"ports": [{"port": "webhook"}]}]
    runners = [p for p in rendered.all("NetworkPolicy") if p["metadata"]["namespace"] in ("red", "blue")]
    assert len(runners) == 2
    assert all("ingress" not in policy["spec"] for policy in runners)


def test_admission_is_off_until_asked_for_and_judges_what_is_watched(helm: Helm) -> None:
    for kind in ("ValidatingAdmissionPolicy", "ValidatingWebhookConfiguration", "Secret"):
        assert not helm.render().all(kind)
    watched = {
        "matchExpressions": [{"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["red", "blue"]}]
    }
    binding = helm.render(EVERYTHING).one("ValidatingAdmissionPolicyBinding")
    assert binding["spec"]["matchResources"] == {"namespaceSelector": watched}
    [webhook] = helm.render(EVERYTHING).one("ValidatingWebhookConfiguration")["webhooks"]
    assert webhook["namespaceSelector"] == watched
    everywhere = helm.render(ALL_NAMESPACES | SELF_SIGNED).one("ValidatingWebhookConfiguration")
    assert everywhere["webhooks"][0]["namespaceSelector"] == {}


def test_operator_answers_the_webhook_where_the_api_server_calls_it(helm: Helm) -> None:
    rendered = helm.render(SELF_SIGNED)
    [webhook] = rendered.one("ValidatingWebhookConfiguration")["webhooks"]
    called = webhook["clientConfig"]["service"]
    service = rendered.one("Service", called["name"])
    assert (called["namespace"], called["path"]) == (NAMESPACE, PATH)
    [port] = [served["targetPort"] for served in service["spec"]["ports"] if served["port"] == 443]
    pod = rendered.one("Deployment", OPERATOR)["spec"]["template"]["spec"]
    [container] = pod["containers"]
    settings = rendered.operator_settings()
    assert {"name": port, "containerPort": settings.webhook_port} in container["ports"]
    assert settings.webhook_seconds < webhook["timeoutSeconds"]
    [mount] = [mount for mount in container["volumeMounts"] if mount["name"] == "webhook"]
    assert mount["mountPath"] == str(settings.webhook_certificates)


def test_self_made_certificate_is_for_the_name_that_the_api_server_calls(helm: Helm) -> None:
    rendered = helm.render(SELF_SIGNED)
    secret = rendered.one("Secret")
    assert mounted_secret(rendered) == secret["metadata"]["name"]
    [webhook] = rendered.one("ValidatingWebhookConfiguration")["webhooks"]
    assert webhook["clientConfig"]["caBundle"] == secret["data"]["ca.crt"]
    authority, certificate = (
        x509.load_pem_x509_certificate(base64.b64decode(secret["data"][file])) for file in ("ca.crt", "tls.crt")
    )
    certificate.verify_directly_issued_by(authority)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [f"graphschedule-operator.{NAMESPACE}.svc"]


def test_cert_manager_makes_the_certificate_and_tells_the_api_server_of_its_authority(helm: Helm) -> None:
    rendered = helm.render(EVERYTHING)
    certificate = rendered.one("Certificate")
    assert certificate["spec"]["secretName"] == mounted_secret(rendered)
    assert certificate["spec"]["dnsNames"] == [f"graphschedule-operator.{NAMESPACE}.svc"]
    assert certificate["spec"]["issuerRef"]["name"] == rendered.one("Issuer")["metadata"]["name"]
    configuration = rendered.one("ValidatingWebhookConfiguration")
    name = f"{NAMESPACE}/{certificate['metadata']['name']}"
    assert configuration["metadata"]["annotations"] == {"cert-manager.io/inject-ca-from": name}
    assert "caBundle" not in configuration["webhooks"][0]["clientConfig"]


def mounted_secret(rendered: Rendered) -> str:
    """Return the name of the Secret that the operator's pod mounts."""
    volumes = rendered.one("Deployment", OPERATOR)["spec"]["template"]["spec"]["volumes"]
    [name] = [volume["secret"]["secretName"] for volume in volumes if "secret" in volume]
    return str(name)


def test_system_credentials_are_the_same_for_operator_and_runner(helm: Helm) -> None:
    source = {"secretKeyRef": {"name": "platform", "key": "system-credentials"}}
    extra = [{"name": "ENABLE_CREDIT", "value": "true"}, {"name": "SYSTEM_CREDENTIALS", "valueFrom": source}]
    rendered = helm.render({"runner": {"extraEnv": extra}})
    assert rendered.operator_environment()["GRAPHSCHEDULE_SYSTEM_CREDENTIALS"] == source


def test_names_that_look_like_numbers_stay_names(helm: Helm) -> None:
    values = PLATFORM | {"rabbitmq": {"existingSecret": "12345", "key": "6e7"}}
    settings = helm.render(values).operator_settings()
    assert (settings.broker_secret_name, settings.broker_secret_key) == ("12345", "6e7")


def test_a_broker_brings_a_repair_that_never_overlaps_itself(helm: Helm) -> None:
    assert helm.render({}).all("CronJob") == []
    repair = helm.render(PLATFORM).one("CronJob", "graphschedule-repair")
    assert (repair["metadata"]["name"], repair["spec"]["schedule"]) == ("graphschedule-repair", "*/5 * * * *")
    assert (repair["spec"]["timeZone"], repair["spec"]["concurrencyPolicy"]) == ("Etc/UTC", "Forbid")
    [container] = repair["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert container["command"] == ["graphschedule-runner", "repair"]
    assert environment(container)["RABBITMQ_URL"] == {"secretKeyRef": {"name": "platform-rabbitmq", "key": "url"}}
    without = helm.render(PLATFORM | {"repair": {"enabled": False}}).all("CronJob")
    assert "graphschedule-repair" not in {cronjob["metadata"]["name"] for cronjob in without}
