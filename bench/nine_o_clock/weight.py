"""What schedules weigh: in etcd, in the database, in memory. `docs/scale.md` reckons with it."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import psutil
from graphschedule_operator import kube
from graphschedule_platform import ledger, tables
from sqlalchemy import column, func, select, table

from bench import api
from bench.nine_o_clock.stage import NAMESPACE, OURS

if TYPE_CHECKING:
    import aiohttp
    from sqlalchemy import Connection, Engine, Table

    from dev.cluster import Cluster

KINDS = (kube.SCHEDULES, kube.CRONJOBS, kube.SECRETS, kube.JOBS, kube.PODS)
SAMPLE = 20
"""Objects of a kind that are weighed."""

NAMES = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
PROTOBUF = "application/vnd.kubernetes.protobuf"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "graphschedule-o")

EXECUTION_TABLES = (
    tables.agent_graph_execution,
    tables.agent_node_execution,
    tables.agent_node_execution_input_output,
)


class Kind(NamedTuple):
    """Objects of a kind: how many there are, and the mean bytes of one in etcd."""

    number: int
    size: float


class Weights(NamedTuple):
    """What schedules weigh while they stand."""

    objects: dict[str, Kind]
    """By kind, those that the operator has to do with."""

    megabytes: dict[str, float]
    """Resident memory, by program, of all that runs on this machine."""


async def weigh(cluster: Cluster) -> Weights:
    """Weigh what stands in the cluster now.

    etcd holds custom resources as JSON and other kinds as protobuf, and the API server answers so where it is asked to
    (Kubernetes API Concepts, "Alternate representations of resources").
    """
    async with api.session(cluster) as session:
        return Weights({resource.kind: await _objects(session, resource) for resource in KINDS}, _memory())


async def _objects(session: aiohttp.ClientSession, resource: kube.Resource) -> Kind:
    selector = {} if resource is kube.SCHEDULES else {"labelSelector": OURS}
    async with session.get(resource.path(NAMESPACE), params=selector, headers={"Accept": NAMES}) as response:
        names = [item["metadata"]["name"] for item in (await response.json())["items"] or ()]
    encoding = "application/json" if resource is kube.SCHEDULES else PROTOBUF

    async def size(name: str) -> int:
        async with session.get(resource.path(NAMESPACE, name), headers={"Accept": encoding}) as response:
            return len(await response.read())

    sizes = await api.together(size, names[:SAMPLE])
    return Kind(len(names), statistics.fmean(sizes) if sizes else 0.0)


def rows(engine: Engine) -> dict[str, float]:
    """Return the bytes that an execution, and a slot in the ledger, take in PostgreSQL, indexes included."""
    with engine.connect() as connection:
        return {
            "execution": _bytes_of_one(connection, EXECUTION_TABLES),
            "slot": _bytes_of_one(connection, (ledger.slot_table,)),
        }


def _bytes_of_one(connection: Connection, of: tuple[Table, ...]) -> float:
    """Return what the tables take for each row of the first."""
    relation = table("pg_class", column("oid"), column("relname"), column("relkind"))
    named = (relation.c.relkind == "r", relation.c.relname.in_([it.name for it in of]))
    size = connection.scalar(select(func.sum(func.pg_total_relation_size(relation.c.oid))).where(*named))
    return float(size / connection.scalar(select(func.count()).select_from(of[0])))


def _memory() -> dict[str, float]:
    resident: dict[str, float] = defaultdict(float)
    for process in psutil.process_iter(["name", "memory_info"]):
        if process.info["name"] in PROGRAMS:
            resident[process.info["name"]] += process.info["memory_info"].rss / 1e6
    return resident
