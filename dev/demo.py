"""`make demo`: the product's main job on this machine, from an empty cluster to a queued execution.

It uses the chart's embedded default: SQLite on a volume, where a QUEUED row is the queue.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dev import cluster, images, release
from dev.progress import step

if TYPE_CHECKING:
    from dev.cluster import Cluster
    from dev.images import Image

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "every-minute.yaml"
GRAPH = ROOT / "examples" / "sample-graph.json"
NAME = "demo"
NAMESPACE = "demo"
CLAIM = f"{release.NAME}-data"
SCHEDULE = "every-minute"
OF_SCHEDULE = f"graphschedule.io/schedule={SCHEDULE}"


def main() -> int:
    """Run the demo; return the exit code."""
    try:
        demo()
    except (cluster.ClusterError, RuntimeError) as error:
        print(f"The demo stopped: {error}", file=sys.stderr)
        return 1
    return 0


def demo() -> None:
    """Bring everything up, wait for the first fire, and show what it left."""
    with step("Building the images (the first time takes minutes)"):
        built = images.build("operator", "runner")
    with step("Starting a cluster (the first time builds its programs: about ten minutes)"):
        demo_cluster = cluster.keep_up(NAME, kubelet=True)
    with step("Installing the chart"):
        release.make_namespace(demo_cluster, NAMESPACE)
        release.install(demo_cluster, NAMESPACE, built)
    with step("Loading the sample graph"):
        _run(demo_cluster, built["runner"], "load-graph", ["graph", "import", "/graph/sample-graph.json"])
    with step(f"Applying {EXAMPLE.relative_to(ROOT)} and waiting for the next full minute"):
        _kubectl(demo_cluster, "apply", "--filename", str(EXAMPLE))
        wait = ("wait", "--timeout=150s")
        _kubectl(demo_cluster, *wait, f"gs/{SCHEDULE}", "--for=jsonpath={.status.lastFireTime}")
        _kubectl(demo_cluster, *wait, "job", "--selector", OF_SCHEDULE, "--for=condition=complete")
    _show(demo_cluster, built["runner"])


def _show(target: Cluster, runner: Image) -> None:
    for title, command in (
        ("The GraphSchedule", ("get", "gs")),
        ("The CronJob the operator made of it", ("get", "cronjob", "--selector", OF_SCHEDULE)),
        ("The Job that the CronJob controller made at the tick", ("get", "jobs", "--selector", OF_SCHEDULE)),
    ):
        print(f"\n# {title}\n{_kubectl(target, *command)}", end="")
    listing = _run(target, runner, "list-executions", ["executions", "list", "--schedule", SCHEDULE])
    print(f"\n# Its executions in the queue\n{listing}", end="")
    print(f"""
# Look further
  export KUBECONFIG={target.kubeconfig} PATH={target.binaries}:$PATH
  kubectl --namespace {NAMESPACE} get gs,cronjobs,jobs,pods
  kubectl --namespace {NAMESPACE} describe gs {SCHEDULE}
  kubectl --namespace {NAMESPACE} logs --selector {OF_SCHEDULE}
  kubectl --namespace {NAMESPACE} create job --from=cronjob/{SCHEDULE} run-now

# Tear down
  make down""")


def _run(target: Cluster, runner: Image, name: str, arguments: list[str]) -> str:
    """Run one runner command in a pod beside the embedded database; return what it printed."""
    _kubectl(target, "delete", "job,configmap", name, "--ignore-not-found", "--wait")
    graph = {GRAPH.name: GRAPH.read_text()}
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": graph}
    manifests = {"apiVersion": "v1", "kind": "List", "items": [config, _job(runner, name, arguments)]}
    _kubectl(target, "apply", "--filename=-", text=json.dumps(manifests))
    try:
        _kubectl(target, "wait", "job", name, "--for=condition=complete", "--timeout=60s")
    except cluster.ClusterError as error:
        raise RuntimeError(f"{error}\n{_kubectl(target, 'logs', f'job/{name}')}") from None
    return _kubectl(target, "logs", f"job/{name}")


def _job(runner: Image, name: str, arguments: list[str]) -> dict[str, Any]:
    container = {
        "name": "runner",
        "image": runner.ref,
        "args": arguments,
        "env": [{"name": "DATABASE_URL", "value": "sqlite:////data/graphschedule.db"}],
        "volumeMounts": [
            {"name": "data", "mountPath": "/data"},
            {"name": "graph", "mountPath": "/graph", "readOnly": True},
        ],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "fsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}},
            {"name": "graph", "configMap": {"name": name}},
        ],
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def _kubectl(target: Cluster, *arguments: str, text: str | None = None) -> str:
    return target.kubectl("--namespace", NAMESPACE, *arguments, input=text)


if __name__ == "__main__":
    sys.exit(main())
