"""What CronJobs of ours and their pods look like, whether one schedule fires by them or many. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphschedule import arguments, labels, outcomes

from graphschedule_operator import sources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphschedule.payload import InputSource

    from graphschedule_operator.cache import Object
    from graphschedule_operator.settings import Settings

CONTAINER = "runner"
DATA_FOLDER = "/data"
EMBEDDED_DATABASE = f"sqlite:///{DATA_FOLDER}/graphschedule.db"
USER_ID = 65532
ENQUEUE_SECONDS = 300
"""How long a run's enqueue may take (mission M8)."""
RETRIES = 6
SUCCESSFUL_JOBS_KEPT = 1
FAILED_JOBS_KEPT = 3


@dataclass(frozen=True, slots=True)
class Cargo:
    """What a pod is given to run: `volume`, seen in `folder`, and what the command's `arguments` say of it.

    `annotations` are the pod's, `inputs_from` more volumes.
    """

    volume: Mapping[str, Any]
    folder: str
    arguments: Sequence[str]
    annotations: Mapping[str, str] = field(default_factory=dict)
    inputs_from: Sequence[InputSource] = ()


def cronjob(
    metadata: Mapping[str, Any], schedule: str, zone: str, cargo: Cargo, settings: Settings, *, suspended: bool
) -> Object:
    """Return a CronJob as we apply it. Its labels are also those of its Jobs and pods.

    `concurrencyPolicy` is Allow, for it would only see the runner's pod, which ends at the enqueue; there is no
    `startingDeadlineSeconds`, for a missed fire is made up however late (mission M8).
    """
    ours = metadata["labels"]
    manifest: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": dict(metadata),
        "spec": {
            "schedule": schedule,
            "timeZone": zone,
            "suspend": suspended,
            "concurrencyPolicy": "Allow",
            "successfulJobsHistoryLimit": SUCCESSFUL_JOBS_KEPT,
            "failedJobsHistoryLimit": FAILED_JOBS_KEPT,
            "jobTemplate": {
                "metadata": {"labels": ours},
                "spec": {
                    "activeDeadlineSeconds": ENQUEUE_SECONDS,
                    "backoffLimit": RETRIES,
                    "podFailurePolicy": _pod_failure_policy(),
                    "template": {
                        "metadata": {"labels": ours, "annotations": cargo.annotations},
                        "spec": _pod(cargo, settings),
                    },
                },
            },
        },
    }
    own_annotations = metadata.get("annotations", {})
    manifest["metadata"]["annotations"] = {**own_annotations, labels.HASH_ANNOTATION: _hash(manifest)}
    return manifest


def _pod_failure_policy() -> dict[str, Any]:
    """Fail at once on what no retry can mend; let a disrupted pod cost no retry."""
    permanent = {"containerName": CONTAINER, "operator": "In", "values": list(outcomes.PERMANENT_EXIT_CODES)}
    return {
        "rules": [
            {"action": "FailJob", "onExitCodes": permanent},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def _pod(cargo: Cargo, settings: Settings) -> dict[str, Any]:
    pod: dict[str, Any] = {
        "restartPolicy": "Never",
        "serviceAccountName": settings.runner_service_account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER_ID,
            "runAsGroup": USER_ID,
            "fsGroup": USER_ID,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(cargo, settings)],
        "volumes": [{"name": arguments.VOLUME, **cargo.volume}, *sources.volumes(cargo.inputs_from)],
    }
    if settings.data_claim:
        pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": settings.data_claim}})
    if settings.runner_image_pull_secrets:
        pod["imagePullSecrets"] = list(settings.runner_image_pull_secrets)
    return pod


def _container(cargo: Cargo, settings: Settings) -> dict[str, Any]:
    payload_mount = {"name": arguments.VOLUME, "mountPath": cargo.folder, "readOnly": True}
    mounts = [payload_mount, *sources.mounts(cargo.inputs_from)]
    if settings.data_claim:
        mounts.append({"name": "data", "mountPath": DATA_FOLDER})
    return {
        "name": CONTAINER,
        "image": settings.runner_image,
        "imagePullPolicy": settings.runner_image_pull_policy,
        "command": ["graphschedule-runner", "execute", *cargo.arguments, "--inputs", sources.FOLDER],
        "env": _environment(settings),
        "volumeMounts": mounts,
        "resources": settings.runner_resources,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def _environment(settings: Settings) -> list[dict[str, Any]]:
    """Say how a pod learns its slot, and where its database and broker are; secrets stay in Secrets."""
    job_label = "metadata.labels['batch.kubernetes.io/{}']"
    fields = {
        "GRAPHSCHEDULE_JOB_NAME": job_label.format("job-name"),
        "GRAPHSCHEDULE_JOB_UID": job_label.format("controller-uid"),
    }
    values: dict[str, str] = {"LOG_LEVEL": settings.log_level}
    if settings.data_claim:
        values["DATABASE_URL"] = EMBEDDED_DATABASE
    secrets = {
        "DATABASE_URL": (settings.database_secret_name, settings.database_secret_key),
        "RABBITMQ_URL": (settings.broker_secret_name, settings.broker_secret_key),
        "ENCRYPTION_KEY": (settings.encryption_key_secret_name, settings.encryption_key_secret_key),
    }
    return [
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}} for name, path in fields.items()),
        *({"name": name, "value": value} for name, value in values.items()),
        *(
            {"name": name, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
            for name, (secret, key) in secrets.items()
            if secret
        ),
        *settings.runner_extra_env,
    ]


def _hash(manifest: Object) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()[:32]
