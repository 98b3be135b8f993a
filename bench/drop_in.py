"""The API against the scheduler that it stands in for: listing one user's schedules among many, and adding some.

`python -m bench.drop_in [--schedules N] [--users N] [--added N]`, on a real API server and PostgreSQL. The baseline of
listing is APScheduler's `get_jobs` over as many jobs, which is what the old service does for each list, without its RPC
and filters. The baseline of adding is the old service's RPC with our own validation (`bench.old_scheduler`), under the
same load; its bare `add_job` is printed besides. The bars: p99 of a list 10 ms, 50 times as fast as `get_jobs`; adding
at the old service's rate.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import psutil
from graphschedule import labels
from graphschedule_api.rpc.models import NewSchedule
from graphschedule_operator import kube
from graphschedule_platform import database, migrations

from bench import api, old_scheduler
from dev import cluster, ports
from dev.services import postgres
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dev.cluster import Cluster

    Object = dict[str, Any]

BAR_MILLISECONDS = 10.0
BAR_LISTING = 50
BAR_ADDING = 1.0
LISTS = 1000
OLD_LISTS = 5
CALLERS = 16
NAMESPACE = "listed"
PATIENCE_SECONDS = 120


def main() -> int:
    """Measure, print, and return 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--users", type=int, default=500, help="whose the schedules are, in equal parts")
    parser.add_argument("--added", type=int, default=1000)
    options = parser.parse_args()
    with (
        postgres("drop-in") as server,
        server.database() as made,
        cluster.up(name="bench-drop-in", kubelet=False) as control_plane,
    ):
        control_plane.kubectl("apply", "--filename", "crds/graphschedules.yaml")
        control_plane.kubectl("wait", "--for=condition=Established", f"crd/{labels.PLURAL}.{labels.GROUP}")
        control_plane.kubectl("create", "namespace", NAMESPACE)
        url = f"{made.url}?schema=platform"
        asked = _asked(url)
        asyncio.run(_fill(control_plane, options.schedules, options.users))
        old_list, bare_rate = _old(url, asked, options.schedules, options.added)
        with _old_service(url) as (address, _):
            old_rate = asyncio.run(_add(address, asked, options.added))
        with _api(control_plane, url) as (address, process):
            lists, empty = asyncio.run(_list(address, options.users))
            megabytes = process.memory_info().rss / 1e6
            rate = asyncio.run(_add(address, asked, options.added))
    p50, p99 = _percentile(lists, 50), _percentile(lists, 99)
    each = options.schedules // options.users
    print(
        f"listing {each} of {options.schedules}: p50 {p50:.1f} ms, p99 {p99:.1f} ms (bar {BAR_MILLISECONDS}); "
        f"get_jobs {old_list * 1e3:.0f} ms: {old_list * 1e3 / p50:.0f} times (bar {BAR_LISTING}); {megabytes:.0f} MB"
    )
    print(
        f"  requests for nothing, in between: p50 {_percentile(empty, 50):.1f} ms, p99 {_percentile(empty, 99):.1f} ms"
    )
    print(
        f"adding with validation, {CALLERS} callers: {rate:.0f}/s, old service {old_rate:.0f}/s: "
        f"ratio {rate / old_rate:.2f} (bar {BAR_ADDING}); bare add_job without RPC and validation {bare_rate:.0f}/s"
    )
    missed = (p99 > BAR_MILLISECONDS, old_list * 1e3 / p50 < BAR_LISTING, rate / old_rate < BAR_ADDING)
    return int(any(missed))


def _asked(url: str) -> Object:
    """Make the platform's tables and a graph; return the body that schedules it."""
    engine = database.engine(url)
    migrations.upgrade(engine, standalone=True)
    with engine.begin() as connection:
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
    engine.dispose()
    return {
        "user_id": graph.user_id,
        "graph_id": graph.id,
        "graph_version": graph.version,
        "cron": "0 9 * * mon",
        "input_data": {"text": "hello"},
        "input_credentials": {},
        "name": "Mondays",
        "user_timezone": "Europe/Berlin",
    }


async def _fill(control_plane: Cluster, count: int, users: int) -> None:
    async with api.session(control_plane) as session:
        schedules = (_schedule(number, users) for number in range(count))
        await api.together(lambda it: api.create(session, kube.SCHEDULES, NAMESPACE, it), schedules)


def _schedule(number: int, users: int) -> Object:
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.KIND,
        "metadata": {"name": f"schedule-{uuid.uuid4()}", "namespace": NAMESPACE},
        "spec": {
            "graph": {"id": str(uuid.uuid4()), "version": 1},
            "userId": f"user-{number % users}",
            "displayName": "Mondays",
            "cron": f"{number % 60} 9 * * 1",
            "timeZone": "Europe/Berlin",
            "inputs": {"text": "hello"},
        },
    }


def _old(url: str, asked: Object, count: int, added: int) -> tuple[float, float]:
    """Return the seconds of a list among so many jobs, and jobs added per second."""
    scheduler, body = old_scheduler.scheduler(url), NewSchedule(**asked)
    for _ in range(count - added):
        old_scheduler.add_job(scheduler, body)
    begun = time.perf_counter()
    for _ in range(added):
        old_scheduler.add_job(scheduler, body)
    rate = added / (time.perf_counter() - begun)
    times = []
    for _ in range(OLD_LISTS):
        begun = time.perf_counter()
        scheduler.get_jobs()
        times.append(time.perf_counter() - begun)
    scheduler.shutdown()
    return statistics.median(times), rate


async def _list(address: str, users: int) -> tuple[list[float], list[float]]:
    """Return the seconds of lists of one user after the other, and of requests for nothing in between."""
    lists, empty = [], []
    async with aiohttp.ClientSession(address, raise_for_status=True) as session:

        async def clocked(path: str, body: Object) -> float:
            begun = time.perf_counter()
            async with session.post(path, json=body) as response:
                await response.read()
            return time.perf_counter() - begun

        for number in range(LISTS):
            lists.append(await clocked("/get_graph_execution_schedules", {"user_id": f"user-{number % users}"}))
            empty.append(await clocked("/health_check", {}))
    return lists, empty


def _percentile(times: Sequence[float], percent: int) -> float:
    """Return a percentile of seconds in milliseconds."""
    return statistics.quantiles(times, n=100)[percent - 1] * 1e3


async def _add(address: str, asked: Object, count: int) -> float:
    """Return schedules added per second by some callers at once."""
    async with aiohttp.ClientSession(address, raise_for_status=True) as session:

        async def call(number: int) -> None:
            for _ in range(number, count, CALLERS):
                async with session.post("/add_graph_execution_schedule", json=asked) as response:
                    await response.read()

        await asyncio.gather(*(call(number) for number in range(CALLERS)))  # connect
        begun = time.perf_counter()
        await asyncio.gather(*(call(number) for number in range(CALLERS)))
        return count / (time.perf_counter() - begun)


@contextmanager
def _old_service(url: str) -> Iterator[tuple[str, psutil.Process]]:
    (port,) = ports.free(1)
    with _served("bench.old_scheduler", str(port), port=port, DATABASE_URL=url) as served:
        yield served


@contextmanager
def _api(control_plane: Cluster, url: str) -> Iterator[tuple[str, psutil.Process]]:
    (port,) = ports.free(1)
    settings = {
        "NAMESPACES": json.dumps([NAMESPACE]),
        "NAMESPACE": NAMESPACE,
        "TASK_NAMESPACE": NAMESPACE,
        "DATABASE_URL": url,
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "LINGER_SECONDS": "0",
    }
    environment = {f"GRAPHSCHEDULE_{name}": value for name, value in settings.items()}
    environment["KUBECONFIG"] = str(control_plane.kubeconfig)
    with _served("graphschedule_api", "serve", port=port, **environment) as served:
        yield served


@contextmanager
def _served(module: str, argument: str, *, port: int, **environment: str) -> Iterator[tuple[str, psutil.Process]]:
    """Give the address and the process of a service, once it is ready."""
    command = [sys.executable, "-m", module, argument]
    process = subprocess.Popen(command, env={**os.environ, **environment}, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        asyncio.run(_until_ready(f"{address}/readyz", process))
        yield address, psutil.Process(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


async def _until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with aiohttp.ClientSession() as session:
        while process.poll() is None and time.monotonic() < deadline:
            try:
                async with session.get(url) as response:
                    if response.ok:
                        return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)  # nobody listens yet
    raise RuntimeError(f"{url}: the service did not become ready")


if __name__ == "__main__":
    sys.exit(main())
