"""What a run of a schedule is given, and how the pod of one run is shown it: its own annotation, as a file. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphschedule import labels
from graphschedule.payload import InputSource, RunPayload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from graphschedule import spec

VOLUME = "payload"
"""Name of the pod's volume that holds what is to be run."""
FOLDER = "/etc/graphschedule"
_FILE = "run.json"
OPTIONS = ("--payload", f"{FOLDER}/{_FILE}")
"""What tells the runner of it."""


def payload_of(schedule: Mapping[str, Any], read: spec.GraphScheduleSpec, cronjob: str) -> RunPayload:
    """Return what a run of a GraphSchedule is given, whose spec was read, in Jobs of that CronJob."""
    metadata = schedule["metadata"]
    return RunPayload(
        schedule_uid=metadata["uid"],
        namespace=metadata["namespace"],
        name=metadata["name"],
        cronjob=cronjob,
        graph_id=read.graph.id,
        graph_version=read.graph.version,
        user_id=read.user_id,
        agent_name=read.agent_name,
        inputs=read.inputs,
        credentials={
            name: credential.model_dump(by_alias=True, exclude_none=True)
            for name, credential in read.credentials.items()
        },
        inputs_from=described(read.inputs_from),
        heartbeat_url=read.heartbeat_url,
    )


def described(sources: Sequence[spec.InputSource]) -> tuple[InputSource, ...]:
    """Return sources of inputs as the run payload has them."""
    return tuple(_described(source) for source in sources)


def volume() -> dict[str, Any]:
    """Return what the pod's volume shows: the annotation `labels.RUN_ANNOTATION` of the pod itself."""
    annotation = {"fieldPath": f"metadata.annotations['{labels.RUN_ANNOTATION}']"}
    return {"downwardAPI": {"items": [{"path": _FILE, "fieldRef": annotation}]}}


def run_labels(schedule: Mapping[str, Any], read: spec.GraphScheduleSpec) -> dict[str, str]:
    """Return the labels of what runs a schedule: its CronJob, Jobs and pods."""
    name, uid = schedule["metadata"]["name"], schedule["metadata"]["uid"]
    return {
        labels.MANAGED_BY_LABEL: labels.MANAGED_BY,
        labels.SCHEDULE_LABEL: name if len(name) <= labels.MAX_LABEL_VALUE else labels.cronjob_name(name),
        labels.SCHEDULE_UID_LABEL: uid,
        labels.GRAPH_LABEL: read.graph.id,
        labels.USER_LABEL: read.user_id,
    }


def _described(source: spec.InputSource) -> InputSource:
    refs = {"Secret": source.secret_ref, "ConfigMap": source.config_map_ref}
    ((kind, name),) = ((kind, ref.name) for kind, ref in refs.items() if ref)
    return InputSource(kind, name, source.key, source.input, source.format, source.optional)
