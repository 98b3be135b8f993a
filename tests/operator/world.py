"""A namespace on a real API server, looked at and waited for; and the operator as a process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from kubernetes import config, dynamic

from dev import ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dev.cluster import Cluster

    Object = dict[str, Any]

PATIENCE_SECONDS = 90
KINDS = {
    "graphschedule": ("graphschedule.io/v1", "GraphSchedule"),
    "cronjob": ("batch/v1", "CronJob"),
    "job": ("batch/v1", "Job"),
    "secret": ("v1", "Secret"),
    "event": ("events.k8s.io/v1", "Event"),
}


class World:
    """One namespace of the cluster."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        client = config.new_client_from_config(str(cluster.kubeconfig))  # type: ignore[no-untyped-call] # has no types
        self._client = dynamic.DynamicClient(client)  # type: ignore[no-untyped-call] # has no types

    def kubectl(self, *args: str, given: object = None) -> str:
        """Run kubectl in the namespace; `given` is an object for its standard input."""
        text = None if given is None else json.dumps(given)
        return self.cluster.kubectl("--namespace", self.namespace, *args, input=text)

    def apply(self, name: str, **spec: object) -> None:
        """Apply a GraphSchedule; keywords replace members of its spec, and None leaves one out."""
        self.kubectl("apply", "--filename", "-", given=schedule(name, **spec))

    def patch(self, kind: str, name: str, change: Object, *flags: str) -> None:
        """Merge a change into an object."""
        self.kubectl("patch", kind, name, "--type", "merge", "--patch", json.dumps(change), *flags)

    def get(self, kind: str, name: str) -> Object | None:
        """Return an object, or None."""
        return next((item for item in self.all(kind) if item["metadata"]["name"] == name), None)

    def all(self, kind: str) -> list[Object]:
        """Return all objects of a kind."""
        listed: list[Object] = self._resource(kind).get(namespace=self.namespace).to_dict()["items"]
        return listed

    def until(self, kind: str, name: str, holds: Callable[[Object], bool]) -> Object:
        """Watch an object until something holds of it, and return it."""
        last: Object | None = None
        for event in self._watch(kind, f"metadata.name={name}"):
            last = event["raw_object"]
            if event["type"] != "DELETED" and holds(last):
                return last
        raise AssertionError(f"{kind} {name} did not become what was waited for: {json.dumps(last, indent=1)}")

    def until_gone(self, kind: str, name: str) -> None:
        """Watch an object until it is gone."""
        listed = self._resource(kind).get(namespace=self.namespace, field_selector=f"metadata.name={name}")
        if not listed.items:
            return
        version = listed.metadata.resourceVersion
        for event in self._watch(kind, f"metadata.name={name}", resource_version=version):
            if event["type"] == "DELETED":
                return
        raise AssertionError(f"{kind} {name} is still there")

    def until_count(self, kind: str, count: int, holds: Callable[[Object], bool] = lambda _: True) -> None:
        """Watch until there are so many objects of a kind of which something holds."""
        names: set[str] = set()
        for event in self._watch(kind, ""):
            found = event["raw_object"]
            change = names.add if event["type"] != "DELETED" and holds(found) else names.discard
            change(found["metadata"]["name"])
            if len(names) >= count:
                return
        raise AssertionError(f"there are only {len(names)} of {count} {kind}s")

    def until_condition(self, name: str, kind: str, reason: str) -> Object:
        """Watch a schedule until a condition of its newest generation has a reason, and return the condition."""

        def holds(obj: Object) -> bool:
            found = condition(obj, kind)
            generation = obj["metadata"]["generation"]
            return bool(found) and (found["reason"], found["observedGeneration"]) == (reason, generation)

        return condition(self.until("graphschedule", name, holds), kind)

    def events(self, name: str) -> list[tuple[str, str]]:
        """Return type and reason of the Events about a schedule, oldest first."""
        events = [event for event in self.all("event") if event["regarding"]["name"] == name]
        return [(event["type"], event["reason"]) for event in sorted(events, key=lambda event: event["eventTime"])]

    def until_events(self, name: str, *expected: tuple[str, str]) -> None:
        """Watch until exactly the expected Events were told about a schedule."""
        for _ in self._watch("event", ""):
            if self.events(name) == [*expected]:
                return
        raise AssertionError(f"of {name} was told: {self.events(name)}")

    def until_event(self, name: str, reason: str) -> None:
        """Watch until an Event of that reason was told about an object of that name."""
        for event in self._watch("event", ""):
            told = event["raw_object"]
            if (told["regarding"]["name"], told["reason"]) == (name, reason):
                return
        raise AssertionError(f"of {name} {reason} was not told")

    def versions(self) -> dict[str, str]:
        """Return the resource version of every schedule and CronJob: equal ones mean that nothing was written."""
        return {
            f"{kind} {item['metadata']['name']}": item["metadata"]["resourceVersion"]
            for kind in ("graphschedule", "cronjob")
            for item in self.all(kind)
        }

    def _resource(self, kind: str) -> Any:  # noqa: ANN401 (the dynamic client has no types)
        api_version, name = KINDS[kind]
        return self._client.resources.get(api_version=api_version, kind=name)

    def _watch(self, kind: str, selector: str, resource_version: str | None = None) -> Iterator[Object]:
        events: Iterator[Object] = self._resource(kind).watch(
            namespace=self.namespace,
            field_selector=selector,
            timeout=PATIENCE_SECONDS,
            resource_version=resource_version,
        )
        return events


def schedule(name: str, **spec: object) -> Object:
    """Return a GraphSchedule that fires once a year."""
    members = {
        "graph": {"id": "graph-1", "version": 3},
        "userId": "user-1",
        "cron": "0 0 1 1 *",
        "timeZone": "Etc/UTC",
    } | spec
    return {
        "apiVersion": "graphschedule.io/v1",
        "kind": "GraphSchedule",
        "metadata": {"name": name},
        "spec": {member: value for member, value in members.items() if value is not None},
    }


def native(name: str, **spec: object) -> Object:
    """Return a CronJob that nobody of ours made; it fires once a year."""
    pod = {"restartPolicy": "Never", "containers": [{"name": "main", "image": "x"}]}
    members = {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"spec": pod}}}}
    return {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name}, "spec": members | spec}


def condition(obj: Object, kind: str) -> Object:
    """Return a schedule's condition of a type, or an empty one."""
    conditions = obj.get("status", {}).get("conditions", [])
    return next((found for found in conditions if found["type"] == kind), {})


@contextmanager
def new_world(cluster: Cluster) -> Iterator[World]:
    """Yield a namespace of its own, ready for pods, and gone after the block."""
    namespace = f"operator-{uuid.uuid4().hex[:8]}"
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "--namespace", namespace)
    yield World(cluster, namespace)
    cluster.kubectl("delete", "namespace", namespace, "--wait=false")


class Operator:
    """A running operator process."""

    def __init__(self, process: subprocess.Popen[str], address: str) -> None:
        self.process = process
        self._address = address

    def get(self, path: str) -> tuple[int, str]:
        """Return status and text of one of its pages."""
        try:
            with urllib.request.urlopen(f"{self._address}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name: str) -> float:
        """Return the sum of a metric's samples whose name and labels begin with `name`."""
        _, text = self.get("/metrics")
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))

    def until_metric(self, name: str, value: float) -> None:
        """Look at a metric until it has a value."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.metric(name) != value:
            assert self.process.poll() is None
            assert time.monotonic() < deadline, f"{name} is {self.metric(name)}, not {value}"
            time.sleep(0.1)  # a metric tells nobody of its changes

    def writes(self) -> float:
        """Return how many requests were not reads."""
        name = "graphschedule_operator_api_requests_total"
        _, text = self.get("/metrics")
        samples = [line for line in text.splitlines() if line.startswith(name) and 'method="GET"' not in line]
        return sum(float(line.rsplit(" ", 1)[1]) for line in samples)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and return its exit code once it has ended."""
        self.process.send_signal(how)
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def until_logged(self, word: str) -> Object:
        """Read its log up to a line whose message begins with a word, and return that line."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            record: Object = json.loads(line)
            if record["message"].startswith(word):
                return record
        raise AssertionError(f"the operator ended without saying {word!r}")


@contextmanager
def operator(world: World, kubeconfig: Path | None = None, /, **settings: str) -> Iterator[Operator]:
    """Run the operator for the world's namespace, ready at the start of the block and gone after it.

    It reaches the API server by a kubeconfig, by the cluster's own if none is given.
    """
    (port,) = ports.free(1)
    environment = {
        **os.environ,
        "KUBECONFIG": str(kubeconfig or world.cluster.kubeconfig),
        "GRAPHSCHEDULE_NAMESPACES": json.dumps([world.namespace]),
        "GRAPHSCHEDULE_HOST": "127.0.0.1",
        "GRAPHSCHEDULE_PORT": str(port),
        "GRAPHSCHEDULE_RUNNER_IMAGE": "runner:1",
        "GRAPHSCHEDULE_RUNNER_RESOURCES": json.dumps({"requests": {"cpu": 0.5, "memory": "1024Mi"}}),
        "GRAPHSCHEDULE_DATA_CLAIM": "data",
        **{f"GRAPHSCHEDULE_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "graphschedule_operator"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
    running = Operator(process, f"http://127.0.0.1:{port}")
    try:
        running.until_logged("ready")
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()
