"""The chart as a person installs it: with images just built, where only restricted pods are admitted."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from graphschedule import labels

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dev.cluster import Cluster
    from dev.images import Image

NAME = "graphschedule"
OPERATOR = f"deployment/{NAME}-operator"
CHART = Path(__file__).resolve().parent.parent / "charts" / "graphschedule"

_RESTRICTED = {"pod-security.kubernetes.io/enforce": "restricted"}


def make_namespace(cluster: Cluster, namespace: str) -> None:
    """Make a namespace that takes only pods of the restricted Pod Security Standard."""
    manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": _RESTRICTED}}
    cluster.kubectl("apply", "--filename=-", input=json.dumps(manifest))


def set_secret(cluster: Cluster, namespace: str, name: str, url: str) -> None:
    """Make or change a Secret that holds the URL of a service under the key `url`."""
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"url": url}}
    cluster.kubectl("--namespace", namespace, "apply", "--filename=-", input=json.dumps(secret))


def install_beside(
    cluster: Cluster,
    namespace: str,
    built: Mapping[str, Image],
    database: str,
    broker: str,
    values: Mapping[str, str] = MappingProxyType({}),
) -> None:
    """Install the chart beside a platform whose services pods reach by these URLs."""
    make_namespace(cluster, namespace)
    set_secret(cluster, namespace, "database", database)
    set_secret(cluster, namespace, "rabbitmq", broker)
    beside = {
        "database.embedded.enabled": "false",
        "database.existingSecret": "database",
        "rabbitmq.existingSecret": "rabbitmq",
    }
    install(cluster, namespace, built, beside | dict(values))


@contextmanager
def beside(
    cluster: Cluster,
    namespace: str,
    built: Mapping[str, Image],
    database: str,
    broker: str,
    values: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[None]:
    """Have the chart installed beside a platform for as long as the block runs; nothing of it stays in the cluster."""
    install_beside(cluster, namespace, built, database, broker, values)
    try:
        yield
    finally:
        cluster.helm("uninstall", NAME, "--namespace", namespace, "--wait")
        cluster.kubectl("delete", "namespace", namespace)
        cluster.kubectl("delete", "crd", f"{labels.PLURAL}.{labels.GROUP}")


def install(
    cluster: Cluster, namespace: str, built: Mapping[str, Image], values: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Install the chart with these images, or upgrade it to them; return when its operator is ready.

    The API is left out where there is no image of it.
    """
    settings = {"api.enabled": str("api" in built).lower()} | dict(values)
    for name, image in built.items():
        cluster.load_image(image.archive)
        settings[f"{name}.image.repository"], settings[f"{name}.image.tag"] = image.ref.rsplit(":", 1)
    options = [f"--set{_kind(value)}={name}={value}" for name, value in settings.items()]
    cluster.helm("upgrade", "--install", NAME, str(CHART), "--namespace", namespace, "--timeout=5m", *options)
    cluster.kubectl("--namespace", namespace, "rollout", "status", OPERATOR, "--timeout=120s")


def _kind(value: str) -> str:
    """Return the ending of Helm's option: a tag such as 12345678 is a text, `false` is not."""
    return "" if value in {"true", "false"} else "-string"
