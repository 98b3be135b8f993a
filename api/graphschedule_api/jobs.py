"""Jobs made by hand from CronJobs, as `kubectl create job --from` makes them. Pure.

The CronJob is the Job's controller, whose history limits remove it.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from graphschedule import arguments, labels

from graphschedule_api import kube

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphschedule.payload import RunPayload

    from graphschedule_api.cache import Object

_WHAT_TO_RUN = ("--payload", "--shard")
"""The options by which a CronJob's runner is told: of one run, or of many."""


def of_cronjob(cronjob: Object) -> dict[str, Any]:
    """Return a Job that does now what a CronJob does at its times."""
    metadata, template = cronjob["metadata"], cronjob["spec"]["jobTemplate"]
    owner = {"apiVersion": kube.CRONJOBS.api, "kind": "CronJob", "controller": True}
    annotations = (template.get("metadata") or {}).get("annotations") or {}
    return {
        "apiVersion": kube.JOBS.api,
        "kind": "Job",
        "metadata": {
            "name": f"{metadata['name']}-{secrets.token_hex(5)}",
            "namespace": metadata["namespace"],
            "labels": (template.get("metadata") or {}).get("labels") or {},
            "annotations": annotations | {"cronjob.kubernetes.io/instantiate": "manual"},
            "ownerReferences": [owner | {"name": metadata["name"], "uid": metadata["uid"]}],
        },
        "spec": template["spec"],
    }


def with_environment(job: Object, environment: Mapping[str, str]) -> Object:
    """Return the Job with further environment variables in its containers."""
    added = [{"name": name, "value": value} for name, value in environment.items()]
    pod = job["spec"]["template"]["spec"]
    containers = [
        container | {"env": [each for each in container.get("env") or () if each["name"] not in environment] + added}
        for container in pod["containers"]
    ]
    return _with_pod(job, {}, {"containers": containers})


def with_run(job: Object, payload: RunPayload, run_labels: Mapping[str, str]) -> Object:
    """Return the Job as one of this run alone, whether its CronJob is of one schedule or of many."""
    pod, metadata = job["spec"]["template"]["spec"], job["spec"]["template"].get("metadata") or {}
    volumes = [volume for volume in pod["volumes"] if volume["name"] != arguments.VOLUME]
    own = {"name": arguments.VOLUME, **arguments.volume()}
    described = {
        "labels": {**(metadata.get("labels") or {}), **run_labels},
        "annotations": (metadata.get("annotations") or {}) | {labels.RUN_ANNOTATION: payload.encode()},
    }
    containers = [_shown(container) for container in pod["containers"]]
    labelled = {**job, "metadata": {**job["metadata"], "labels": {**job["metadata"]["labels"], **run_labels}}}
    return _with_pod(labelled, described, {"volumes": [own, *volumes], "containers": containers})


def _shown(container: Mapping[str, Any]) -> dict[str, Any]:
    """Have a runner read its pod's own run."""
    mounts = [
        {**mount, "mountPath": arguments.FOLDER} if mount["name"] == arguments.VOLUME else mount
        for mount in container["volumeMounts"]
    ]
    return {**container, "command": _told(container["command"]), "volumeMounts": mounts}


def _told(command: Sequence[str]) -> list[str]:
    at = next(index for index, word in enumerate(command) if word in _WHAT_TO_RUN)
    return [*command[:at], *arguments.OPTIONS, *command[at + 2 :]]


def _with_pod(job: Object, metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> dict[str, Any]:
    template = job["spec"]["template"]
    changed = {
        **template,
        "metadata": {**(template.get("metadata") or {}), **metadata},
        "spec": {**template["spec"], **spec},
    }
    return {**job, "spec": {**job["spec"], "template": changed}}
