"""The chart on a real API server: what it takes, who may do what, and how releases follow each other."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING

import pytest
import yaml
from graphschedule import labels
from graphschedule_operator.desired import accept, desired

from dev.cluster.cluster import Cluster, ClusterError
from tests.chart.releases import CRD, Release
from tests.chart.rendering import (
    CHART,
    FOREIGN_KINDS,
    NAMESPACE,
    ROOT,
    TWO_NAMESPACES,
    VALUE_SETS,
    Helm,
    Manifest,
    Rendered,
    Values,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Right = tuple[str, str, str, str]
"""Verb, group, resource, subresource."""

OPERATOR = "graphschedule-operator"
RUNNER = "graphschedule-runner"
EXAMPLE = ("--filename", str(ROOT / "examples" / "every-minute.yaml"), "--namespace", NAMESPACE)
SCHEDULE = ("graphschedule", "every-minute", "--namespace", NAMESPACE)


def runner_pod(rendered: Rendered) -> Manifest:
    """Return the pod template that the operator, set up by the chart, gives a schedule."""
    schedule: Manifest = yaml.safe_load((ROOT / "examples" / "every-minute.yaml").read_text())
    schedule["metadata"] |= {"namespace": NAMESPACE, "uid": "7a4f0f5e-5f0e-4c8e-8a52-0d2f1c0b0001"}
    now = datetime(2026, 5, 4, tzinfo=UTC)
    cronjob = desired(schedule, accept(schedule, now), rendered.operator_settings())
    template: Manifest = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    return template


def as_account(release: Release, folder: Path) -> Path:
    """Return a kubeconfig whose bearer is the operator's service account."""
    config = yaml.safe_load(release.cluster.kubeconfig.read_text())
    token = release.cluster.kubectl("create", "token", OPERATOR, "--namespace", NAMESPACE).strip()
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


@contextmanager
def operator_process(environment: dict[str, str], output: IO[str]) -> Iterator[None]:
    """Run the operator during the block."""
    command = [sys.executable, "-m", "graphschedule_operator"]
    with subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process:
        try:
            yield
        finally:
            process.terminate()


def run_runner(url: str, *arguments: str) -> None:
    """Run one of the runner's commands on a database."""
    command = [sys.executable, "-m", "graphschedule_runner", *arguments]
    subprocess.run(command, env=os.environ | {"DATABASE_URL": url}, check=True)


def verdicts(cluster: Cluster, account: str, namespace: str, rights: list[Right]) -> set[str]:
    """Ask the API server which of the rights a service account of the release has; return its answers."""
    reviews = [
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": f"system:serviceaccount:{NAMESPACE}:{account}",
                "resourceAttributes": {
                    "namespace": namespace,
                    "verb": verb,
                    "group": group,
                    "resource": resource,
                    "subresource": subresource,
                },
            },
        }
        for verb, group, resource, subresource in rights
    ]
    answers = ("--output", r'jsonpath={.status.allowed}{"\n"}')
    return set(cluster.kubectl("create", "--filename", "-", *answers, input=yaml.safe_dump_all(reviews)).split())


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_api_server_takes_every_object_as_it_stands(api_server: Cluster, helm: Helm, values: Values) -> None:
    known = [o for o in helm.render(values).objects if o["kind"] not in FOREIGN_KINDS]
    dry_run = ("apply", "--server-side", "--dry-run=server", "--validate=strict")
    applied = api_server.kubectl(*dry_run, "--filename", "-", input=yaml.safe_dump_all(known))
    assert len(applied.splitlines()) == len(known)


@pytest.mark.parametrize("values", VALUE_SETS.values(), ids=VALUE_SETS)
def test_restricted_namespace_lets_every_pod_in(api_server: Cluster, helm: Helm, values: Values) -> None:
    rendered = helm.render(values)
    example = yaml.safe_load((ROOT / "examples" / "import-graph.yaml").read_text())["spec"]["template"]
    templates = [*rendered.pod_templates(), runner_pod(rendered), example]
    for number, template in enumerate(templates):
        # Accounts exist only after an install; who a pod runs as does not matter here.
        spec = {name: value for name, value in template["spec"].items() if name != "serviceAccountName"}
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"pod-{number}"}, "spec": spec}
        dry_run = ("create", "--dry-run=server", "--validate=strict", "--namespace", NAMESPACE)
        assert "created" in api_server.kubectl(*dry_run, "--filename", "-", input=yaml.safe_dump(pod))


def test_restricted_namespace_would_refuse_a_pod_of_less_care(api_server: Cluster) -> None:
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        api_server.kubectl("run", "careless", "--image=x", "--dry-run=server", "--namespace", NAMESPACE)


def test_operator_may_do_its_work_where_it_watches_and_nothing_else(release: Release, tmp_path: Path) -> None:
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(TWO_NAMESPACES))
    release.install(CHART, "--values", str(values))
    group, events = labels.GROUP, "events.k8s.io"
    work = [
        *((verb, group, "graphschedules", "") for verb in ("get", "list", "watch", "delete")),
        ("patch", group, "graphschedules", "status"),
        *((verb, "batch", "cronjobs", "") for verb in ("get", "list", "watch", "create", "patch", "delete")),
        ("patch", "batch", "cronjobs", "status"),
        *((verb, "", "secrets", "") for verb in ("create", "delete")),
        ("get", "batch", "jobs", ""),
        ("list", "", "pods", ""),
        *((verb, events, "events", "") for verb in ("list", "create")),
    ]
    other = [
        *((verb, group, "graphschedules", "") for verb in ("create", "update", "patch")),
        *((verb, "", "secrets", "") for verb in ("get", "list", "watch", "update", "patch")),
        *((verb, "", "configmaps", "") for verb in ("get", "list", "create")),
        *((verb, "", "pods", "") for verb in ("get", "create", "delete")),
        *((verb, "batch", "jobs", "") for verb in ("list", "create", "delete")),
    ]
    for namespace in ("red", "blue"):
        assert verdicts(release.cluster, OPERATOR, namespace, work) == {"true"}
        assert verdicts(release.cluster, OPERATOR, namespace, other) == {"false"}
        assert verdicts(release.cluster, RUNNER, namespace, work + other) == {"false"}
    assert verdicts(release.cluster, OPERATOR, NAMESPACE, work + other) == {"false"}


def test_operator_does_its_work_with_the_rights_of_its_account(release: Release, helm: Helm, tmp_path: Path) -> None:
    release.install()
    log = tmp_path / "operator.log"
    url = f"sqlite:///{tmp_path}/platform.db"
    ours = {"PORT": "0", "DATABASE_URL": url}
    settings = helm.render().operator_environment() | {f"GRAPHSCHEDULE_{name}": value for name, value in ours.items()}
    settings["KUBECONFIG"] = str(as_account(release, tmp_path))
    run_runner(url, "db", "upgrade")
    run_runner(url, "graph", "import", str(ROOT / "examples" / "sample-graph.json"))
    with log.open("w") as output, operator_process(release.cluster.environment() | settings, output):
        release.cluster.kubectl("apply", *EXAMPLE)
        for change, state in (("true", "Suspended"), ("false", "Ready")):
            patch = f'--patch={{"spec":{{"suspend":{change},"cron":"0 0 1 1 *"}}}}'
            release.cluster.kubectl("patch", *SCHEDULE, "--type=merge", patch)
            reason = '{.status.conditions[?(@.type=="Ready")].reason}'
            release.cluster.kubectl("wait", *SCHEDULE, f"--for=jsonpath={reason}={state}", "--timeout=60s")
        own = ("cronjob/every-minute", "--namespace", NAMESPACE)
        for dispatch, change in (("Grouped", "delete"), ("PerSchedule", "create")):
            patch = f'--patch={{"spec":{{"dispatch":"{dispatch}"}}}}'
            release.cluster.kubectl("patch", *SCHEDULE, "--type=merge", patch)
            release.cluster.kubectl("wait", *own, f"--for={change}", "--timeout=60s")
        release.cluster.kubectl("delete", *EXAMPLE)
    assert "orbidden" not in log.read_text()


def test_an_upgrade_brings_the_crd_along(release: Release, tmp_path: Path) -> None:
    old = tmp_path / "graphschedule"
    shutil.copytree(CHART, old)
    file = old / "files" / "graphschedules.yaml"
    crd = yaml.safe_load(file.read_text())
    crd["spec"]["names"]["shortNames"] = ["old"]
    file.write_text(yaml.safe_dump(crd))
    release.install(old)
    assert release.short_names() == ["old"]
    release.helm("upgrade", str(CHART))
    assert release.short_names() == ["gs"]


def test_an_upgrade_keeps_the_certificate_of_the_webhook(release: Release) -> None:
    secret = ("get", "secret", "graphschedule-operator-webhook", "--namespace", NAMESPACE, "--output=jsonpath={.data}")
    trusted = "--output=jsonpath={.webhooks[0].clientConfig.caBundle}"
    configuration = ("get", "validatingwebhookconfiguration", OPERATOR, trusted)
    release.install(CHART, "--set", "webhook.enabled=true")
    made = [release.cluster.kubectl(*it) for it in (secret, configuration)]
    release.helm("upgrade", str(CHART), "--set", "webhook.enabled=true,logLevel=DEBUG")
    assert [release.cluster.kubectl(*it) for it in (secret, configuration)] == made


def test_an_uninstall_keeps_schedules_and_data_for_the_next_install(release: Release) -> None:
    release.install()
    release.cluster.kubectl("apply", *EXAMPLE)
    release.helm("uninstall")
    release.cluster.kubectl("get", "pvc", "graphschedule-data", "--namespace", NAMESPACE)
    with pytest.raises(ClusterError, match="not found"):
        release.cluster.kubectl("get", "deployment", OPERATOR, "--namespace", NAMESPACE)
    release.install()
    release.cluster.kubectl("get", *EXAMPLE)


def test_an_uninstall_takes_the_crd_along_when_told_so(release: Release) -> None:
    release.install(CHART, "--set", "crds.keep=false")
    release.helm("uninstall")
    release.cluster.kubectl("wait", "--for=delete", f"crd/{CRD}", "--timeout=60s")
