"""What a GraphSchedule asks for: `accept` judges it, `desired` says which CronJob it means. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import pydantic
from graphschedule import arguments, cron, labels, payload, spec
from graphschedule.errors import InvalidValueError

from graphschedule_operator import manifests
from graphschedule_operator.manifests import Cargo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule_operator.cache import Object
    from graphschedule_operator.settings import Settings

PAYLOAD_FIELDS = "spec.inputs and spec.credentials"
"""What an error about the size of the run payload names as its field."""

NEXT_FIRE_TIMES = 5
UTC_ZONE = "Etc/UTC"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A spec that can be used, and what was read from it.

    `payload` is `run` encoded for a pod of its own; `fire_times` are the next ones, in the schedule's zone.
    """

    spec: spec.GraphScheduleSpec
    cron: cron.Cron
    run: payload.RunPayload
    payload: str
    fire_times: tuple[datetime, ...]

    @property
    def zone(self) -> str:
        """The zone as a CronJob's `spec.timeZone`."""
        return self.spec.time_zone or UTC_ZONE


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
    run = arguments.payload_of(schedule, read, labels.cronjob_name(schedule["metadata"]["name"]))
    return Accepted(read, expression, run, _encoded(run), fires)


def desired(schedule: Object, accepted: Accepted, settings: Settings, *, suspended: bool = False) -> Object:
    """Return the CronJob of an accepted GraphSchedule that has one of its own, as we apply it.

    `suspended`: the operator itself keeps it from firing, whatever `spec.suspend` says. The schedule owns it, so that
    deletion is garbage collection.
    """
    metadata = schedule["metadata"]
    ours = {
        "name": labels.cronjob_name(metadata["name"]),
        "namespace": metadata["namespace"],
        "labels": arguments.run_labels(schedule, accepted.spec),
        "ownerReferences": [_owner(metadata)],
    }
    return manifests.cronjob(
        ours,
        accepted.cron.canonical,
        accepted.zone,
        _cargo(accepted),
        settings,
        suspended=accepted.spec.suspend or suspended,
    )


def _read_spec(schedule: Object) -> spec.GraphScheduleSpec:
    try:
        return spec.GraphScheduleSpec.model_validate(schedule.get("spec", {}))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("spec", *map(str, first["loc"])))
        raise InvalidValueError(field, first["input"], first["msg"]) from error


def _encoded(run: payload.RunPayload) -> str:
    encoded = run.encode()
    size = len(encoded.encode())
    if size > payload.MAX_BYTES:
        raise InvalidValueError(
            PAYLOAD_FIELDS,
            size,
            f"together they may take {payload.MAX_BYTES} bytes; keep large data in a ConfigMap (spec.inputsFrom), or "
            "in a store that the graph reads, and pass its address",
        )
    return encoded


def _cargo(accepted: Accepted) -> Cargo:
    return Cargo(
        volume=arguments.volume(),
        folder=arguments.FOLDER,
        arguments=arguments.OPTIONS,
        annotations={labels.RUN_ANNOTATION: accepted.payload},
        inputs_from=accepted.run.inputs_from,
    )


def _owner(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.KIND,
        "name": metadata["name"],
        "uid": metadata["uid"],
        "controller": True,
    }
