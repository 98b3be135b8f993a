"""The chart as Helm renders it, as parsed objects."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import yaml
from graphschedule_operator.settings import Settings
from graphschedule_runner.tasks import TASKS

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "graphschedule"
NAMESPACE = "agents"
OPERATOR, API = "graphschedule-operator", "graphschedule-api"
TEMPLATE = ("template", "graphschedule", str(CHART))

TASK_KEYS = {re.sub("-(.)", lambda found: found[1].upper(), name): name for name in TASKS}
"""The system tasks by their names in the values."""

Manifest = dict[str, Any]
Values = dict[str, Any]

PLATFORM: Values = yaml.safe_load((ROOT / "examples" / "values-platform.yaml").read_text())
TWO_NAMESPACES: Values = PLATFORM | {"watch": {"namespaces": ["red", "blue"]}}
ALL_NAMESPACES: Values = PLATFORM | {"watch": {"allNamespaces": True}}
EVERYTHING: Values = TWO_NAMESPACES | {
    "encryptionKey": {"existingSecret": "platform-fernet"},
    "imagePullSecrets": [{"name": "registry"}],
    "metrics": {name: {"enabled": True} for name in ("serviceMonitor", "prometheusRule", "dashboard")},
    "tenancy": {"enabled": True, "source": "ConfigMap", "userIds": {"red": ["user-1", "user-2"], "blue": ["*"]}},
    "webhook": {"enabled": True, "certificate": "CertManager"},
    "networkPolicy": {"enabled": True},
    "api": {
        "replicas": 2,
        "autoscaling": {"enabled": True},
        "namespace": "blue",
        "rpc": {"token": {"existingSecret": "api-token"}},
        "rest": {
            "kubernetesTokens": {"audience": "graphschedule"},
            "jwt": {"issuer": "https://platform.example", "jwksUrl": "https://platform.example/keys"},
            "corsOrigins": ["https://platform.example"],
            "rate": 0.5,
            "burst": 3,
        },
        "maxBodyBytes": 2048,
        "networkPolicy": {"namespaces": ["platform"]},
    },
    "tasks": {
        "settings": {"APP_ENV": "dev", "EXECUTION_LATE_NOTIFICATION_THRESHOLD_SECS": 600, "DOCS_FOLDER": "/docs"},
        "existingSecret": "platform-tasks",
        "serviceAccountName": "housekeeper",
        "volumes": [{"name": "docs", "configMap": {"name": "docs"}}],
        "volumeMounts": [{"name": "docs", "mountPath": "/docs"}],
        "processExistingBatches": {"suspend": False, "schedule": "H 12 * * 5", "timeZone": "Europe/Berlin"},
        "cleanupOauthTokens": {"intervalHours": 10, "suspend": True},
    },
}
SELF_SIGNED: Values = {"webhook": {"enabled": True}, "tenancy": {"enabled": True}}
VALUE_SETS: dict[str, Values] = {
    "embedded": {},
    "platform": PLATFORM,
    "all-namespaces": ALL_NAMESPACES,
    "everything": EVERYTHING,
    "self-signed": SELF_SIGNED,
}
FOREIGN_KINDS = {"ServiceMonitor", "PrometheusRule", "Certificate", "Issuer"}
"""Kinds of the Prometheus operator and of cert-manager."""


@dataclass(frozen=True)
class Rendered:
    """The objects of one rendering."""

    objects: list[Manifest]

    def all(self, kind: str) -> list[Manifest]:
        """Return the objects of a kind, in the order of their names."""
        return sorted((o for o in self.objects if o["kind"] == kind), key=lambda o: str(o["metadata"]["name"]))

    def one(self, kind: str, name: str | None = None) -> Manifest:
        """Return the only object of a kind (and name)."""
        [found] = [o for o in self.all(kind) if name in (None, o["metadata"]["name"])]
        return found

    def named(self, kind: str, name: str) -> list[Manifest]:
        """Return the objects of a kind and a name, of which each namespace may have one."""
        return [o for o in self.all(kind) if o["metadata"]["name"] == name]

    def pod_templates(self) -> list[Manifest]:
        """Return the pod templates of Deployments, Jobs and CronJobs."""
        direct = [o["spec"]["template"] for o in self.objects if o["kind"] in ("Deployment", "Job")]
        return direct + [o["spec"]["jobTemplate"]["spec"]["template"] for o in self.all("CronJob")]

    def operator_settings(self) -> Settings:
        """Return what the operator makes of the environment that the chart gives it, Secrets left out."""
        values = {name: value for name, value in self.operator_environment().items() if isinstance(value, str)}
        with mock.patch.dict(os.environ, values):
            return Settings()

    def operator_environment(self) -> dict[str, Any]:
        """Return the variables of the operator's container."""
        [container] = self.one("Deployment", OPERATOR)["spec"]["template"]["spec"]["containers"]
        return environment(container)


def environment(container: Manifest) -> dict[str, Any]:
    """Return a container's variables: values, or where they come from."""
    return {variable["name"]: variable.get("value", variable.get("valueFrom")) for variable in container["env"]}


@dataclass(frozen=True)
class Helm:
    """Helm, given values on its standard input."""

    program: Path

    def run(self, *arguments: str, values: Values) -> subprocess.CompletedProcess[str]:
        """Run a Helm command that takes values, and return how it ended."""
        return self._run(*arguments, text=json.dumps(values))

    def render(self, values: Values | None = None) -> Rendered:
        """Return what the chart makes of values."""
        return self._rendered(json.dumps(values or {}))

    def refusal(self, values: Values) -> str:
        """Return the message with which values are refused."""
        done = self.run(*TEMPLATE, values=values)
        assert done.returncode != 0, "the values were taken"
        return done.stderr

    @cache  # noqa: B019 - there is one Helm
    def _rendered(self, text: str) -> Rendered:
        done = self._run(*TEMPLATE, text=text)
        assert done.returncode == 0, done.stderr
        return Rendered([o for o in yaml.safe_load_all(done.stdout) if o])

    def _run(self, *arguments: str, text: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.program), *arguments, "--namespace", NAMESPACE, "--values", "-"]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)
