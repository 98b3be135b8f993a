"""What a GraphSchedule asks for: `accept` judges it, `desired` says which CronJob it means. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pydantic
from graphschedule import cron, labels, outcomes, payload, spec
from graphschedule.errors import InvalidValueError

from graphschedule_operator import graph, sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule_operator.cache import Object
    from graphschedule_operator.judgement import Judgement
    from graphschedule_operator.settings import Settings

CONTAINER = "runner"
PAYLOAD_FOLDER = "/etc/graphschedule"
PAYLOAD_FILE = "run.json"
DATA_FOLDER = "/data"
EMBEDDED_DATABASE = f"sqlite:///{DATA_FOLDER}/graphschedule.db"

PAYLOAD_FIELDS = "spec.inputs and spec.credentials"
"""What an error about the size of the run payload names as its field."""

NEXT_FIRE_TIMES = 5
UTC_ZONE = "Etc/UTC"
USER_ID = 65532
ENQUEUE_SECONDS = 300
"""How long a run's enqueue may take (mission M8)."""
RETRIES = 6
SUCCESSFUL_JOBS_KEPT = 1
FAILED_JOBS_KEPT = 3


@dataclass(frozen=True, slots=True)
class Accepted:
    """A spec that can be used, and what was read from it; `fire_times` are the next ones, in the schedule's zone."""

    spec: spec.GraphScheduleSpec
    cron: cron.Cron
    payload: str
    fire_times: tuple[datetime, ...]


def accept(schedule: Object, now: datetime) -> Accepted:
    """Judge a GraphSchedule by what it says itself.

    Raises:
        InvalidValueError: a field cannot be used.

    """
    read = _read_spec(schedule)
    expression, zone = cron.parse(read.cron), cron.time_zone(read.time_zone)
    fires = tuple(fire.astimezone(zone) for fire in islice(expression.upcoming(now, zone), NEXT_FIRE_TIMES))
    if not fires:
        raise InvalidValueError("spec.cron", read.cron, "it never fires; name a day that some month has")
    return Accepted(read, expression, _payload(schedule, read), fires)


def desired(schedule: Object, accepted: Accepted, settings: Settings, *, suspended: bool = False) -> Object:
    """Return the CronJob of an accepted GraphSchedule, as we apply it.

    `suspended`: the operator itself keeps it from firing, whatever `spec.suspend` says.

    The schedule owns it, so that deletion is garbage collection. `concurrencyPolicy` is Allow, for it would only
    see the runner's pod, which ends at the enqueue; there is no `startingDeadlineSeconds`, for a missed fire is
    made up however late (mission M8).
    """
    metadata = schedule["metadata"]
    ours = _labels(metadata["name"], metadata["uid"], accepted.spec)
    manifest: dict[str, Any] = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {
            "name": labels.cronjob_name(metadata["name"]),
            "namespace": metadata["namespace"],
            "labels": ours,
            "ownerReferences": [_owner(metadata)],
        },
        "spec": {
            "schedule": accepted.cron.canonical,
            "timeZone": accepted.spec.time_zone or UTC_ZONE,
            "suspend": accepted.spec.suspend or suspended,
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
                        "metadata": {"labels": ours, "annotations": {labels.RUN_ANNOTATION: accepted.payload}},
                        "spec": _pod(accepted.spec, settings),
                    },
                },
            },
        },
    }
    manifest["metadata"]["annotations"] = {labels.HASH_ANNOTATION: _hash(manifest)}
    return manifest


def wanted(
    schedule: Object,
    accepted: Accepted | InvalidValueError,
    settings: Settings,
    *,
    judged: Judgement,
    live: Object | None,
    suspended: bool,
) -> Object | None:
    """Return the CronJob that is wanted by what is known of the graph; None if none is to fire.

    `live` is the schedule's CronJob as it stands. It is left alone while nobody can tell whether what an edit asks
    for is valid, unless it is to be suspended: that needs no verdict.
    """
    if isinstance(accepted, InvalidValueError):
        return None
    if graph.may_fire(judged, accepted, live):
        return desired(schedule, accepted, settings, suspended=suspended)
    waits = judged.status == "Unknown" and not (suspended or accepted.spec.suspend)
    return live if waits else None


def _read_spec(schedule: Object) -> spec.GraphScheduleSpec:
    try:
        return spec.GraphScheduleSpec.model_validate(schedule.get("spec", {}))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("spec", *map(str, first["loc"])))
        raise InvalidValueError(field, first["input"], first["msg"]) from error


def _payload(schedule: Object, read: spec.GraphScheduleSpec) -> str:
    metadata = schedule["metadata"]
    encoded = payload.RunPayload(
        schedule_uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        cronjob=labels.cronjob_name(metadata["name"]),
        graph_id=read.graph.id,
        graph_version=read.graph.version,
        user_id=read.user_id,
        agent_name=read.agent_name,
        inputs=read.inputs,
        credentials={
            name: credential.model_dump(by_alias=True, exclude_none=True)
            for name, credential in read.credentials.items()
        },
        inputs_from=sources.described(read.inputs_from),
        heartbeat_url=read.heartbeat_url,
    ).encode()
    size = len(encoded.encode())
    if size > payload.MAX_BYTES:
        raise InvalidValueError(
            PAYLOAD_FIELDS,
            size,
            f"together they may take {payload.MAX_BYTES} bytes; keep large data in a ConfigMap (spec.inputsFrom), or "
            "in a store that the graph reads, and pass its address",
        )
    return encoded


def _labels(name: str, uid: str, read: spec.GraphScheduleSpec) -> dict[str, str]:
    return {
        labels.MANAGED_BY_LABEL: labels.MANAGED_BY,
        labels.SCHEDULE_LABEL: name if len(name) <= labels.MAX_LABEL_VALUE else labels.cronjob_name(name),
        labels.SCHEDULE_UID_LABEL: uid,
        labels.GRAPH_LABEL: read.graph.id,
        labels.USER_LABEL: read.user_id,
    }


def _owner(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.KIND,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }


def _pod_failure_policy() -> dict[str, Any]:
    """Fail at once on what no retry can mend; let a disrupted pod cost no retry."""
    permanent = {"containerName": CONTAINER, "operator": "In", "values": list(outcomes.PERMANENT_EXIT_CODES)}
    return {
        "rules": [
            {"action": "FailJob", "onExitCodes": permanent},
            {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
        ]
    }


def _pod(asked: spec.GraphScheduleSpec, settings: Settings) -> dict[str, Any]:
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
        "containers": [_container(asked, settings)],
        "volumes": [
            {
                "name": "payload",
                "downwardAPI": {
                    "items": [
                        {
                            "path": PAYLOAD_FILE,
                            "fieldRef": {"fieldPath": f"metadata.annotations['{labels.RUN_ANNOTATION}']"},
                        }
                    ]
                },
            },
            *sources.volumes(asked.inputs_from),
        ],
    }
    if settings.data_claim:
        pod["volumes"].append({"name": "data", "persistentVolumeClaim": {"claimName": settings.data_claim}})
    if settings.runner_image_pull_secrets:
        pod["imagePullSecrets"] = list(settings.runner_image_pull_secrets)
    return pod


def _container(asked: spec.GraphScheduleSpec, settings: Settings) -> dict[str, Any]:
    payload_mount = {"name": "payload", "mountPath": PAYLOAD_FOLDER, "readOnly": True}
    mounts = [payload_mount, *sources.mounts(asked.inputs_from)]
    if settings.data_claim:
        mounts.append({"name": "data", "mountPath": DATA_FOLDER})
    return {
        "name": CONTAINER,
        "image": settings.runner_image,
        "imagePullPolicy": settings.runner_image_pull_policy,
        "command": [
            *("graphschedule-runner", "execute"),
            *("--payload", f"{PAYLOAD_FOLDER}/{PAYLOAD_FILE}"),
            *("--inputs", sources.FOLDER),
        ],
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
