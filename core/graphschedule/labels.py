"""Names that more than one room must spell the same way: API group, labels, annotations, object names."""

from __future__ import annotations

import hashlib

GROUP = "graphschedule.io"
VERSION = "v1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "GraphSchedule"
PLURAL = "graphschedules"

FIELD_MANAGER = "graphschedule-operator"
"""The server-side apply owner of everything the operator writes."""

MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "graphschedule"
SCHEDULE_LABEL = f"{GROUP}/schedule"
SCHEDULE_UID_LABEL = f"{GROUP}/schedule-uid"
GRAPH_LABEL = f"{GROUP}/graph-id"
USER_LABEL = f"{GROUP}/user-id"

SCHEDULE_ID_LABEL = f"{GROUP}/schedule-id"
"""Label of a GraphSchedule: the id that the API knows it by; without it, that is its uid."""

REQUEST_ANNOTATION = f"{GROUP}/request"
"""Annotation of a GraphSchedule that was made with an idempotency key: what was asked for then, as a hash."""

TASK_LABEL = f"{GROUP}/task"
"""Label of a system task's CronJob: the name of the task."""

SHARD_LABEL = f"{GROUP}/shard"
"""Label of a shard's CronJob and Secrets: the name of the shard, which is the CronJob's."""

SHARD_GROUP_LABEL = f"{GROUP}/shard-group"
"""Label of a shard's CronJob: what its members have in common, as a hash."""

MEMBERS_ANNOTATION = f"{GROUP}/members"
"""Annotation of a shard's CronJob: the name of the Secret that holds its members."""

RETIRED_ANNOTATION = f"{GROUP}/retired-members"
"""Annotation of a shard's CronJob: earlier such Secrets, which Jobs may still need, as JSON: since when, by name."""

RUN_ANNOTATION = f"{GROUP}/run"
"""Annotation of the pod template that carries the run payload (`graphschedule.payload`)."""

HASH_ANNOTATION = f"{GROUP}/applied-hash"
"""Hash of the manifest as the operator last applied it: an equal hash means there is nothing to write."""

MAX_CRONJOB_NAME = 52
"""Kubernetes' limit: the controller appends `-` and up to 11 digits to make Job names of at most 63 characters."""

MAX_LABEL_VALUE = 63


def cronjob_name(schedule_name: str) -> str:
    """Return the CronJob's name for a schedule: the same name where it fits, else a prefix and a stable hash."""
    if len(schedule_name) <= MAX_CRONJOB_NAME:
        return schedule_name
    digest = hashlib.sha256(schedule_name.encode()).hexdigest()[:8]
    return f"{schedule_name[: MAX_CRONJOB_NAME - 9].rstrip('-.')}-{digest}"
