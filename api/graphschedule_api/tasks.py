"""The system tasks: which there are, and one run on demand: a Job made from its CronJob, and what it came to (M25)."""

from __future__ import annotations

import asyncio
import logging
import re
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import orjson
from graphschedule import labels

from graphschedule_api import jobs, kube
from graphschedule_api.errors import NotFoundError
from graphschedule_api.told import as_told

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine, Mapping

    from graphschedule_api.cache import Object
    from graphschedule_api.settings import Settings

logger = logging.getLogger(__name__)

T = TypeVar("T")

_TASK = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_OVER = {"Complete", "Failed"}


class State(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    """There was nothing to do, or another run was doing it."""


class TaskRun(NamedTuple):
    """One run of a task, by the name of its Job; `text` and `counts` are its result, or say how it stands."""

    task: str
    job: str
    state: State
    text: str
    counts: Mapping[str, Any]


class Tasks:
    """The tasks that the chart has installed; once `stopping` is set, nobody waits for one any longer."""

    def __init__(self, client: kube.Kube, settings: Settings, stopping: asyncio.Event) -> None:
        self._kube = client
        self._stopping = stopping
        self.namespace = settings.task_namespace
        """Where the tasks are."""
        self._selector = settings.task_selector
        self._seconds = settings.task_seconds
        self._silence_seconds = settings.silence_seconds

    async def all(self) -> list[Object]:
        """Return the CronJobs of the tasks that are installed, by their names.

        Raises:
            UnavailableError: the API server cannot be asked now.

        """
        with as_told():
            found = [cronjob async for cronjob in self._cronjobs(labels.TASK_LABEL)]
        return sorted(found, key=name_of)

    async def get(self, task: str) -> Object:
        """Return the CronJob of a task.

        Raises:
            NotFoundError: the task is not installed.
            UnavailableError: the API server cannot be asked now.

        """
        with as_told():
            return await self._cronjob(task)

    async def run(self, task: str, environment: Mapping[str, str], *, wait: bool = True) -> TaskRun:
        """Run a task now, with further environment variables, and return what it came to.

        A run that outlives the request, or is not to be waited for, goes on, and is returned as it stands.

        Raises:
            NotFoundError: the task is not installed.
            UnavailableError: the API server cannot be asked now.

        """
        with as_told():
            job = jobs.with_environment(jobs.of_cronjob(await self._cronjob(task)), environment)
            made = await self._kube.create(kube.JOBS, job)
            name: str = made["metadata"]["name"]
            logger.info("task begun", extra={"task": task, "job": name})
            over = await self._while_one_may_wait(self._until_over(made)) if wait else None
            if over is None:
                return TaskRun(task, name, State.RUNNING, f"{task} is still running, as Job {name}", {})
            return outcome(task, over, await self._pods(name))

    async def _cronjob(self, task: str) -> Object:
        if _TASK.fullmatch(task):  # else it would be another selector
            async for cronjob in self._cronjobs(f"{labels.TASK_LABEL}={task}"):
                return cronjob
        raise NotFoundError(f"task {task} is not installed in namespace {self.namespace}")

    async def _cronjobs(self, selector: str) -> AsyncIterator[Object]:
        selectors = ",".join(part for part in (selector, self._selector) if part)
        async for page in self._kube.list(kube.CRONJOBS, self.namespace, selector=selectors):
            for cronjob in page["items"]:
                yield cronjob

    async def _while_one_may_wait(self, waiting: Coroutine[Any, Any, T]) -> T | None:
        """Return what is waited for, or None if it takes too long."""
        wanted, stopping = asyncio.create_task(waiting), asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait((wanted, stopping), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
            return await wanted if wanted.done() else None
        finally:
            wanted.cancel()
            stopping.cancel()

    async def _until_over(self, job: Object) -> Object:
        """Watch a Job until it is over, or gone, and return it."""
        while True:
            metadata = job["metadata"]
            async with self._kube.watch(
                kube.JOBS,
                self.namespace,
                metadata["resourceVersion"],
                silence_seconds=self._silence_seconds,
                fields=f"metadata.name={metadata['name']}",
            ) as events:
                async for event in events:
                    if event.type == "BOOKMARK":
                        continue
                    job = event.object
                    if event.type == "DELETED" or _conditions(job) & _OVER:
                        return job

    async def _pods(self, job: str) -> list[Object]:
        selector = f"batch.kubernetes.io/job-name={job}"
        return [
            pod async for page in self._kube.list(kube.PODS, self.namespace, selector=selector) for pod in page["items"]
        ]


def name_of(cronjob: Object) -> str:
    """Return the name of a CronJob's task."""
    name: str = cronjob["metadata"]["labels"][labels.TASK_LABEL]
    return name


def outcome(task: str, job: Object, pods: list[Object]) -> TaskRun:
    """Return what a run came to: its newest pod's last words or, without any, what is known of its Job."""
    name = job["metadata"]["name"]
    for pod in sorted(pods, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), reverse=True):
        words = _last_words(pod)
        if words is not None:
            return TaskRun(task, name, State(words["state"]), words["text"] or "", words["counts"])
    failed = "Complete" not in _conditions(job)
    why = "; ".join(each.get("message", "") for each in (job.get("status") or {}).get("conditions") or ())
    text = f"Job {name} ended without a word: {why or 'it was deleted'}"
    return TaskRun(task, name, State.FAILED if failed else State.SUCCEEDED, text, {})


def _last_words(pod: Object) -> dict[str, Any] | None:
    """Return the report that a pod left as its termination message (`graphschedule_runner.task_report`)."""
    for container in (pod.get("status") or {}).get("containerStatuses") or ():
        message = ((container.get("state") or {}).get("terminated") or {}).get("message")
        if message:
            try:
                words: dict[str, Any] = orjson.loads(message)
            except ValueError:  # Kubernetes cuts long ones
                return None
            return words
    return None


def _conditions(job: Object) -> set[str]:
    conditions = (job.get("status") or {}).get("conditions") or ()
    return {each["type"] for each in conditions if each["status"] == "True"}
