"""Looks in the cluster for what became of slots that left no trace in the ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_operator import kube
from graphschedule_operator.cache import Key
from graphschedule_operator.missed import Evidence, Warned

if TYPE_CHECKING:
    from datetime import datetime

    from graphschedule_operator.cache import Object

PAGE = 500
MAX_WARNINGS = 5000
"""Warnings read per namespace, at most; Kubernetes keeps them for an hour."""


class Evidences:
    """One search for evidence: what is asked for is asked for once, but about so many Jobs only."""

    def __init__(self, client: kube.Kube, limit: int) -> None:
        self._kube = client
        self._limit = limit
        self._known: dict[tuple[Key, datetime], Evidence] = {}
        self._warnings: dict[str, list[Object]] = {}

    async def of(self, key: Key, cronjob: Object | None, fire_time: datetime) -> Evidence:
        """Return what the cluster has on a slot of the CronJob whose key that is; the CronJob alone at the limit.

        Raises:
            kube.ApiError: the API server does not say.

        """
        if (key, fire_time) not in self._known:
            if len(self._known) >= self._limit:
                return Evidence(cronjob)
            self._known[key, fire_time] = await self._look(key, cronjob, fire_time)
        return self._known[key, fire_time]

    async def _look(self, key: Key, cronjob: Object | None, fire_time: datetime) -> Evidence:
        # The controller's name for the Job: kubernetes, pkg/controller/cronjob/cronjob_controllerv2.go, getJobName.
        name = f"{key.name}-{int(fire_time.timestamp()) // 60}"
        warnings = await self._of_namespace(key.namespace)
        try:
            job = await self._kube.get(kube.JOBS, Key(key.namespace, name))
        except kube.NotFoundError:
            return Evidence(cronjob, warnings=_about(warnings, {"CronJob": key.name}))
        pods = await self._pods(key.namespace, job["metadata"]["uid"])
        return Evidence(cronjob, job, pods, _about(warnings, {"Job": name, "Pod": name}))

    async def _pods(self, namespace: str, job_uid: str) -> list[Object]:
        selector = f"batch.kubernetes.io/controller-uid={job_uid}"
        pages = self._kube.list(kube.PODS, namespace, selector=selector, chunk=PAGE)
        return [pod async for page, _ in pages for pod in page]

    async def _of_namespace(self, namespace: str) -> list[Object]:
        """Return the warnings in a namespace, oldest first."""
        if namespace not in self._warnings:
            found: list[Object] = []
            async for page, _ in self._kube.list(kube.EVENTS, namespace, fields="type=Warning", chunk=PAGE):
                found += page
                if len(found) >= MAX_WARNINGS:
                    break
            self._warnings[namespace] = sorted(found, key=lambda event: event["metadata"]["creationTimestamp"])
        return self._warnings[namespace]


def _about(warnings: list[Object], names: dict[str, str]) -> list[Warned]:
    """Return the warnings about objects of these names, by kind; a Job's pods have its name and a suffix."""
    return [
        Warned(event["reason"], event.get("note", ""))
        for event in warnings
        for kind, name in [(event["regarding"]["kind"], event["regarding"]["name"])]
        if kind in names and (name == names[kind] or (kind == "Pod" and name.startswith(f"{names[kind]}-")))
    ]
