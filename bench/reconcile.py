"""Reconciling: from GraphSchedules to CronJobs and status, against a bare client that only writes the same two.

`python -m bench.reconcile [--schedules N]`. Both work on a real API server with its controllers, with 16 requests
in flight, in the same run: the bare client sends one server-side apply and one status patch per schedule, prepared
beforehand; the operator lists, watches, judges and then writes. The bar is 70 % of the bare client's rate and
350 MB; a restart over the unchanged world must write nothing and be ready within 15 seconds. In between, a thousand
schedules are edited at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from graphschedule import labels
from graphschedule_operator import kube
from graphschedule_operator.desired import accept, desired
from graphschedule_operator.settings import Settings
from graphschedule_operator.status import Facts, differences, status

from bench import api
from dev import cluster, ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.api import Object
    from dev.cluster import Cluster

BAR = 0.7
BAR_MEGABYTES = 350
BAR_READY_SECONDS = 15
EDITS = 1000
EDITED = {"cron": "30 3 * * *"}
CRD = Path(__file__).resolve().parent.parent / "crds" / "graphschedules.yaml"
SETTINGS = {"runner_image": "runner:1", "data_claim": "data"}
RECONCILED = "graphschedule_operator_reconcile_duration_seconds_count"
ACTIVE = 'graphschedule_schedules{state="active"}'
REQUESTS = "graphschedule_operator_api_requests_total"


def main() -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=2000)
    count: int = parser.parse_args().schedules
    with cluster.up(name="bench-reconcile", kubelet=False) as control_plane:
        control_plane.kubectl("apply", "--filename", str(CRD))
        control_plane.kubectl("wait", "--for=condition=Established", f"crd/{labels.PLURAL}.{labels.GROUP}")
        for namespace in ("bare", "operated"):
            control_plane.kubectl("create", "namespace", namespace)
        asyncio.run(_create(control_plane, "operated", count))
        with _operator(control_plane) as cold:
            idle = cold.processor_seconds()
            operated = cold.until(ACTIVE, count)
            operated_processor = cold.processor_seconds() - idle
            megabytes, requests = cold.megabytes(), cold.sum(REQUESTS)
            begun = time.perf_counter()
            asyncio.run(_edit(control_plane, "operated", count))
            edited, edit_requests = time.perf_counter() - begun, cold.sum(REQUESTS) - requests
        bare, bare_processor = asyncio.run(_bare(control_plane, "bare", count))
        begun = time.perf_counter()
        with _operator(control_plane) as restarted:
            ready = time.perf_counter() - begun
            restarted.until(RECONCILED, count)
            writes = restarted.sum(REQUESTS) - restarted.sum(REQUESTS, 'method="GET"')
    ratio = bare / operated
    print(
        f"{count} schedules, cold: operator {count / operated:.0f}/s, bare client {count / bare:.0f}/s: "
        f"ratio {ratio:.2f} (bar {BAR}); {requests / count:.2f} requests each; {megabytes:.0f} MB (bar {BAR_MEGABYTES})"
    )
    print(
        f"  processor time each: {operated_processor / count * 1e3:.1f} ms, bare {bare_processor / count * 1e3:.1f} ms"
    )
    edits = min(EDITS, count)
    print(f"  {edits} edits at once: all true after {edited:.1f} s; {edit_requests / edits:.2f} requests each")
    print(f"  restart: ready after {ready:.1f} s (bar {BAR_READY_SECONDS}), {writes:.0f} writes (bar 0)")
    return int(ratio < BAR or megabytes > BAR_MEGABYTES or ready > BAR_READY_SECONDS or writes > 0)


async def _create(control_plane: Cluster, namespace: str, count: int) -> list[Object]:
    """Create the schedules and return them as the server gives them back."""
    async with api.session(control_plane) as session:
        schedules = map(_schedule, range(count))
        return await api.together(lambda it: api.create(session, kube.SCHEDULES, namespace, it), schedules)


async def _edit(control_plane: Cluster, namespace: str, count: int) -> None:
    """Edit as many schedules as `EDITS` says, and wait until they and their CronJobs are true to that."""
    async with api.session(control_plane) as session:
        paths = (kube.SCHEDULES.path(namespace, f"schedule-{number}") for number in range(min(EDITS, count)))
        await api.together(lambda path: api.merge(session, path, {"spec": EDITED}), paths)

        async def behind(resource: kube.Resource) -> int:
            async with session.get(resource.path(namespace)) as response:
                items = (await response.json())["items"]
            return min(EDITS, count) - sum(map(_follows, items))

        while await behind(kube.CRONJOBS) or await behind(kube.SCHEDULES):  # noqa: ASYNC110 (a server sets no event)
            await asyncio.sleep(0.5)  # each look costs the server some ten milliseconds


def _follows(item: Object) -> bool:
    """Tell whether a CronJob or a schedule is edited, and the operator has seen it through."""
    if "jobTemplate" in item["spec"]:
        return bool(item["spec"]["schedule"] == EDITED["cron"])
    generation = item["metadata"]["generation"]
    return bool(1 < generation == item["status"].get("observedGeneration"))


async def _bare(control_plane: Cluster, namespace: str, count: int) -> tuple[float, float]:
    """Return the seconds, by the clock and of the processor, of a client that does nothing but the two writes."""
    schedules = await _create(control_plane, namespace, count)
    settings = Settings(**SETTINGS)  # type: ignore[arg-type] # every value is a string
    now = datetime.now(UTC)
    prepared = []
    for schedule in schedules:
        accepted = accept(schedule, now)
        manifest = desired(schedule, accepted, settings)
        current = status(Facts(schedule, accepted, manifest, None, now))
        name = schedule["metadata"]["name"]
        writes = (
            (kube.CRONJOBS.path(namespace, name), "application/apply-patch+yaml", manifest),
            (
                kube.SCHEDULES.path(namespace, name, "status"),
                api.MERGE,
                {"status": differences(schedule, current)},
            ),
        )
        prepared.append([(path, kind, json.dumps(body).encode()) for path, kind, body in writes])
    async with api.session(control_plane) as session:

        async def write(both: list[tuple[str, str, bytes]]) -> None:
            for path, kind, body in both:
                url = f"{path}?fieldManager=bare"
                async with session.patch(url, data=body, headers={"Content-Type": kind}) as response:
                    await response.read()

        begun, processor = time.perf_counter(), time.process_time()
        await api.together(write, prepared)
        return time.perf_counter() - begun, time.process_time() - processor


def _schedule(number: int) -> Object:
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.KIND,
        "metadata": {"name": f"schedule-{number}"},
        "spec": {
            "graph": {"id": "7c9d2f0e-3c55-4a8e-9f0b-52c1c3b9a001", "version": 1},
            "userId": "0d4b2f3a-9a57-4d0e-8a1c-6a2f7f5f1001",
            "cron": f"{number % 60} {(datetime.now(UTC).hour + 6) % 24} * * *",
            "timeZone": "Europe/Berlin",
            "inputs": {"topic": f"the news of the day, number {number}"},
        },
    }


class _Operator:
    """A running operator, seen from outside."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self._address = f"http://127.0.0.1:{port}"

    def get(self, path: str) -> str | None:
        """Return a page, or None if it cannot be had now."""
        try:
            with urllib.request.urlopen(self._address + path, timeout=10) as response:
                text: str = response.read().decode()
                return text
        except (urllib.error.URLError, TimeoutError):
            return None

    def sum(self, metric: str, label: str = "") -> float:
        """Return the sum of a metric's samples, of those with a label."""
        lines = (self.get("/metrics") or "").splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric) and label in line)

    def until(self, metric: str, value: float) -> float:
        """Return the seconds until a metric reaches a value."""
        begun = time.perf_counter()
        while self.sum(metric) < value:
            time.sleep(0.25)  # each look costs the operator some milliseconds
        return time.perf_counter() - begun

    def processor_seconds(self) -> float:
        """Return the processor time that it has used."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def megabytes(self) -> float:
        """Return its resident memory."""
        resident: int = psutil.Process(self.process.pid).memory_info().rss
        return resident / 1e6


@contextmanager
def _operator(control_plane: Cluster) -> Iterator[_Operator]:
    """Run the operator for the namespace `operated`; the block begins when it is ready."""
    (port,) = ports.free(1)
    settings = SETTINGS | {"namespaces": '["operated"]', "host": "127.0.0.1", "port": str(port), "log_level": "WARNING"}
    environment = control_plane.environment() | {
        f"GRAPHSCHEDULE_{name.upper()}": value for name, value in settings.items()
    }
    process = subprocess.Popen([sys.executable, "-m", "graphschedule_operator"], env=environment)
    running = _Operator(process, port)
    try:
        while running.get("/readyz") is None:
            time.sleep(0.02)
        yield running
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    sys.exit(main())
