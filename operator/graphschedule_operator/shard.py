"""A shard: one CronJob and one Secret by which many schedules of the same times fire (M34). Pure.

The Secret holds the members' run payloads. It never changes, and is named after what it holds; the CronJob's pod
template names it. So another set of members is one write of the CronJob, and Jobs that were made before, with all their
retries, keep the set that they were made with.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from graphschedule import labels, shards, slots
from graphschedule.errors import InvalidValueError

from graphschedule_operator import manifests, memory
from graphschedule_operator.cache import Shard
from graphschedule_operator.manifests import Cargo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule.payload import InputSource, RunPayload

    from graphschedule_operator.cache import Object
    from graphschedule_operator.desired import Accepted
    from graphschedule_operator.settings import Settings

FOLDER = "/etc/graphschedule/shard"
MODE = 0o440
"""The pod's group may read it, and nobody write."""

KEPT = timedelta(minutes=10)
"""How long a Secret is kept after its CronJob names another: twice as long as a Job that needs it may take."""

_NAME = re.compile(r"(graphschedule-[0-9a-f]{10})-([0-9]{1,6})")
_NO_SECRET = "none"  # noqa: S105 - no password


@dataclass(frozen=True, slots=True)
class Group:
    """What the members of a shard have in common: the times, and the volumes of their runs' pod."""

    namespace: str
    cron: str
    zone: str
    inputs_from: tuple[InputSource, ...] = ()

    @property
    def name(self) -> str:
        """What the names of its shards begin with; each adds its index."""
        return f"graphschedule-{self.hash}"

    @property
    def hash(self) -> str:
        """Ten hexadecimal digits that stand for it in its namespace."""
        common = [self.cron, self.zone, [source._asdict() for source in self.inputs_from]]
        return hashlib.sha256(json.dumps(common, sort_keys=True).encode()).hexdigest()[:10]

    def shard(self, index: int) -> Shard:
        """Return one of its shards."""
        return Shard(self.namespace, f"{self.name}-{index}")

    def next_fire(self, after: datetime) -> datetime | None:
        """Return when its shards fire next."""
        return memory.next_fire(self.cron, self.zone, after)


def group_of(namespace: str, accepted: Accepted) -> Group:
    """Return the group of a schedule."""
    return Group(namespace, accepted.cron.canonical, accepted.zone, accepted.run.inputs_from)


def told(schedule: Object) -> Shard | None:
    """Return the shard that a schedule's status says it is a member of."""
    metadata = schedule["metadata"]
    name = (schedule.get("status") or {}).get("cronJobName")
    if name is None or name == labels.cronjob_name(metadata["name"]) or not _NAME.fullmatch(name):
        return None
    return Shard(metadata["namespace"], name)


def parts_of(shard: Shard) -> tuple[str, int]:
    """Return what the names of a shard's group begin with, and the shard's index; -1 if it is not named as we do."""
    match = _NAME.fullmatch(shard.name)
    return (match[1], int(match[2])) if match else (shard.name, -1)


def line(run: RunPayload, shard: Shard, schedule: Object) -> str:
    """Return what a shard holds of a member."""
    return run._replace(cronjob=shard.name, not_before=schedule["metadata"]["creationTimestamp"]).encode()


def cronjob(group: Group, shard: Shard, secret: str | None, retired: Mapping[str, str], settings: Settings) -> Object:
    """Return the CronJob of a shard; without a Secret it is one that is suspended until it has one.

    `retired` are the Secrets that it named before, and since when it does not (`superseded`). No schedule owns it.
    """
    annotations = {labels.MEMBERS_ANNOTATION: secret} if secret else {}
    if retired:
        annotations[labels.RETIRED_ANNOTATION] = json.dumps(retired, sort_keys=True)
    metadata = {
        "name": shard.name,
        "namespace": shard.namespace,
        "labels": _labels(shard) | {labels.SHARD_GROUP_LABEL: group.hash},
        "annotations": annotations,
    }
    source = {"secretName": secret or f"{shard.name}-{_NO_SECRET}", "defaultMode": MODE}
    cargo = Cargo(
        volume={"secret": source},
        folder=FOLDER,
        arguments=("--shard", f"{FOLDER}/{shards.FILE}"),
        inputs_from=group.inputs_from,
    )
    return manifests.cronjob(metadata, group.cron, group.zone, cargo, settings, suspended=secret is None)


def secret_name(cronjob: Object, digest: str) -> str:
    """Return the name of the Secret with a content of that digest.

    It is the CronJob's own: garbage collection of one that was deleted takes no Secret of one that has its name.
    """
    metadata = cronjob["metadata"]
    return f"{metadata['name']}-{metadata['uid'][:8]}-{digest}"


def secret(cronjob: Object, name: str, content: bytes) -> Object:
    """Return a Secret of a CronJob, which owns it, so that deletion is garbage collection."""
    metadata = cronjob["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": _labels(Shard(metadata["namespace"], metadata["name"])),
            "ownerReferences": [
                {
                    "apiVersion": "batch/v1",
                    "kind": "CronJob",
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                }
            ],
        },
        "immutable": True,
        "data": {shards.FILE: base64.b64encode(content).decode()},
    }


def named(cronjob: Object) -> str | None:
    """Return the Secret that a shard's CronJob names."""
    name: str | None = (cronjob["metadata"].get("annotations") or {}).get(labels.MEMBERS_ANNOTATION)
    return name


def superseded(cronjob: Object, secret: str, offered: str | None, now: datetime) -> dict[str, str]:
    """Return all Secrets that a CronJob which is to name `secret` named before, and since when it does not.

    So is the one that was `offered` last: it was made, but what was to name it may have failed.
    """
    earlier = _retired(cronjob)
    for other in (named(cronjob), offered):
        if other is not None:
            earlier.setdefault(other, slots.format_instant(now))
    earlier.pop(secret, None)
    return earlier


def expired(retired: Mapping[str, str], now: datetime) -> set[str]:
    """Return those of the Secrets that no Job can need any more."""
    return {name for name, since in retired.items() if now - slots.parse_instant(since) > KEPT}


def _retired(cronjob: Object) -> dict[str, str]:
    """Return what the CronJob's annotation says; one that somebody broke says nothing."""
    text = (cronjob["metadata"].get("annotations") or {}).get(labels.RETIRED_ANNOTATION, "{}")
    try:
        told = json.loads(text)
        for since in told.values():
            slots.parse_instant(since)
    except (ValueError, TypeError, AttributeError, InvalidValueError):
        return {}
    return dict(told)


def _labels(shard: Shard) -> dict[str, str]:
    return {labels.MANAGED_BY_LABEL: labels.MANAGED_BY, labels.SHARD_LABEL: shard.name}
