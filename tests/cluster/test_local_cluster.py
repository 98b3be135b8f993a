"""The local cluster, for real: what its users rely on, and that nothing outlives it."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from dev.cluster import Cluster, ClusterError, local, node, provider, up

if TYPE_CHECKING:
    from collections.abc import Iterator

RESTRICTED = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONFINED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
# Over plain HTTP the API server answers that it wants HTTPS: proof enough that it was reached.
ASK_API_SERVER = r"printf 'GET / HTTP/1.0\r\n\r\n' | nc $KUBERNETES_SERVICE_HOST $KUBERNETES_SERVICE_PORT"
CRASHING = """
import sys
from dev.cluster import up
with up("test-crash") as cluster:
    cluster.kubectl("run", "sleeper", "--image=localhost/pause:1")
    cluster.kubectl("wait", "--for=condition=Ready", "pod/sleeper", "--timeout=60s")
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def _own_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHSCHEDULE_CLUSTER", "local")


def pod(name: str, script: str, **spec: object) -> str:
    command = ["/bin/busybox", "sh", "-c", script]
    container: dict[str, object] = {
        "name": "main",
        "image": "localhost/pause:1",
        "command": command,
        "securityContext": CONFINED,
    }
    if "volumes" in spec:
        container["volumeMounts"] = [{"name": "data", "mountPath": "/data"}]
    body = {"restartPolicy": "Never", "securityContext": RESTRICTED, "containers": [container], **spec}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": body})


def run_pod(cluster: Cluster, namespace: str, manifest: str) -> str:
    """Run a pod to its end and return what it printed."""
    name = json.loads(manifest)["metadata"]["name"]
    cluster.kubectl("apply", "-n", namespace, "-f", "-", input=manifest)
    finished = "--for=jsonpath={.status.phase}=Succeeded"
    cluster.kubectl("wait", "-n", namespace, finished, f"pod/{name}", "--timeout=60s")
    return cluster.kubectl("logs", "-n", namespace, name)


@contextlib.contextmanager
def restricted_namespace(cluster: Cluster, name: str) -> Iterator[str]:
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", name, "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("wait", "-n", name, "--for=create", "serviceaccount/default", "--timeout=60s")
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def traces(folder: Path) -> list[str]:
    """Return whatever on this machine still belongs to the cluster of a folder."""
    mark = local.tag(folder)
    found = [
        f"process {process.pid}"
        for process in psutil.process_iter(["cmdline"])
        if any(mark in word or f"{folder}/" in word for word in process.info["cmdline"] or [])
    ]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if mark in line or f"{folder}/" in line]
    places = (f"/run/{mark}", f"/run/netns/{mark}", f"/sys/class/net/{mark}")
    found += [place for place in places if Path(place).exists()]
    found += [table for table in subprocess.getoutput("nft list tables").splitlines() if mark in table]
    return found


def test_a_control_plane_makes_a_job_of_a_due_cron_job(control_plane: Cluster) -> None:
    with restricted_namespace(control_plane, "due") as namespace:
        kubectl = control_plane.kubectl
        kubectl("create", "-n", namespace, "cronjob", "due", "--image=none", "--schedule=* * * * *")
        an_earlier_tick = (datetime.now(UTC) - timedelta(minutes=2)).strftime("%Y-%m-%dT%H:%M:00Z")
        patch = json.dumps({"status": {"lastScheduleTime": an_earlier_tick}})
        kubectl("patch", "-n", namespace, "cronjob/due", "--type=merge", "--subresource=status", "-p", patch)
        kubectl("wait", "-n", namespace, "--for=jsonpath={.status.active[0].kind}=Job", "cronjob/due")
        assert kubectl("get", "jobs", "-n", namespace, "-o", "name").startswith("job.batch/due-")


def test_a_name_in_use_gives_a_second_cluster_beside_the_first(control_plane: Cluster) -> None:
    with up(control_plane.name, kubelet=False) as second:
        assert second.name != control_plane.name
        assert second.name.startswith(control_plane.name)
        second.kubectl("create", "configmap", "only-in-the-second")
        assert "only-in-the-second" not in control_plane.kubectl("get", "configmaps")
    control_plane.kubectl("get", "--raw", "/readyz")


def test_a_restricted_pod_reaches_the_api_server_and_this_machine_and_keeps_data(cluster: Cluster) -> None:
    heard: list[bytes] = []
    with socket.create_server(("0.0.0.0", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(100))

        listener = threading.Thread(target=answer, daemon=True)
        listener.start()
        script = (
            f"{ASK_API_SERVER}; echo hello | nc {cluster.node_address} {server.getsockname()[1]};"
            " echo kept > /data/file; ls -ln /data; id -u"
        )
        claim = {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
        with restricted_namespace(cluster, "restricted") as namespace:
            spec = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
            pvc = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": spec}
            cluster.kubectl("apply", "-n", namespace, "-f", "-", input=json.dumps(pvc))
            printed = run_pod(cluster, namespace, pod("probe", script, volumes=[claim]))
        listener.join(timeout=10)
    assert "Client sent an HTTP request to an HTTPS server" in printed
    assert heard == [b"hello\n"]
    assert "65532" in printed
    assert "file" in printed


def test_a_crashed_cluster_is_swept_away_and_its_name_taken_again_beside_another(cluster: Cluster) -> None:
    crashing = subprocess.Popen(
        [sys.executable, "-c", CRASHING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert crashing.stdout is not None
    assert crashing.stdout.readline() == "ready\n"
    crashing.kill()
    crashing.wait()
    folder = provider.folder("test-crash")
    abandoned = [psutil.Process(json.loads(file.read_text())["pid"]) for file in folder.glob("run/*.pid")]
    containers = node.containers(local.tag(folder))
    assert len(abandoned) == 7
    assert len(containers) == 2

    with up("test-crash") as again:
        assert again.name == "test-crash"
        assert not any(process.is_running() for process in abandoned)
        assert not [path for name in containers for path in Path("/sys/fs/cgroup").rglob(name)]
        with restricted_namespace(again, "beside") as namespace:
            assert "HTTPS" in run_pod(again, namespace, pod("probe", ASK_API_SERVER))
        with restricted_namespace(cluster, "beside") as namespace:
            assert "HTTPS" in run_pod(cluster, namespace, pod("probe", ASK_API_SERVER))
    assert traces(folder) == []


def test_an_archive_that_is_none_is_refused_with_the_runtimes_words(cluster: Cluster, tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_text("no archive")
    with pytest.raises(ClusterError, match=r"images import .*image\.tar failed with exit code 1: ."):
        cluster.load_image(archive)


def test_by_hand_a_cluster_runs_on_until_it_is_stopped() -> None:
    def by_hand(*args: str) -> str:
        command = [sys.executable, "-m", "dev.cluster", *args]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    try:
        by_hand("up", "--name=test-by-hand", "--control-plane-only")
        kubeconfig = by_hand("kubeconfig", "--name=test-by-hand").strip()
        before = Path(kubeconfig).read_text()
        began = time.monotonic()
        by_hand("up", "--name=test-by-hand", "--control-plane-only")
        assert time.monotonic() - began < 3
        assert Path(kubeconfig).read_text() == before
        assert "test-by-hand\trunning" in by_hand("status")
    finally:
        by_hand("down", "--name=test-by-hand")
    assert "test-by-hand" not in by_hand("status")
    assert traces(provider.folder("test-by-hand")) == []


def test_a_given_cluster_is_used_and_left_alone(control_plane: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRAPHSCHEDULE_KUBECONFIG", str(control_plane.kubeconfig))
    with up("ignored") as given:
        assert given.kubeconfig == control_plane.kubeconfig
        assert "default" in given.kubectl("get", "namespaces")
    control_plane.kubectl("get", "--raw", "/readyz")


def test_a_refused_command_raises_kubectls_words(control_plane: Cluster) -> None:
    with pytest.raises(ClusterError, match='namespaces "nowhere" not found'):
        control_plane.kubectl("get", "namespace", "nowhere")
