"""What a GraphSchedule says and what one is made of. Pure."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson
import pydantic
from graphschedule import cron, labels, payload
from graphschedule.errors import InvalidValueError
from graphschedule.slots import parse_instant
from graphschedule.spec import GraphScheduleSpec
from graphschedule.status import ConditionType
from graphschedule_platform.verdict import ExecutionRequest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule_api.cache import Object

UTC_ZONE = "UTC"
MAX_BYTES = payload.MAX_BYTES - 4096
"""Limit of inputs and credentials: a run's arguments hold them, and names and ids besides."""

_ARGUMENTS = "spec.inputs and spec.credentials"
_NEXT_RUNS_KEPT = 16384
_CRONS_KEPT = 16384


def accepted(members: Mapping[str, Any], now: datetime) -> GraphScheduleSpec:
    """Return the spec that members, spelt as in the resource, make.

    Raises:
        InvalidValueError: one cannot be used, the cron expression never fires, or there is too much of inputs.

    """
    try:
        spec = GraphScheduleSpec.model_validate(members)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise InvalidValueError(".".join(("spec", *map(str, first["loc"]))), first["input"], first["msg"]) from error
    _next(spec.cron, spec.time_zone or UTC_ZONE, now.replace(second=0, microsecond=0))
    try:
        size = len(orjson.dumps([members.get("inputs"), members.get("credentials")]))
    except orjson.JSONEncodeError as error:  # Python reads more than JSON's other readers do
        remedy = f"integers may have 64 bits, and text must be Unicode ({error})"
        raise InvalidValueError(_ARGUMENTS, "a value in them", remedy) from error
    if size > MAX_BYTES:
        remedy = f"they may take {MAX_BYTES} bytes as JSON together; keep large values elsewhere and pass a reference"
        raise InvalidValueError(_ARGUMENTS, f"{size} bytes", remedy)
    return spec


def manifest(spec: GraphScheduleSpec, namespace: str, schedule_id: str, request: str | None = None) -> Object:
    """Return the resource of a schedule that the API makes: the id is its label and, with a prefix, its name.

    `request` is kept with it, for whoever asks for it with the same idempotency key again.
    """
    return {
        "apiVersion": labels.API_VERSION,
        "kind": labels.KIND,
        "metadata": {
            "name": name_of(schedule_id),
            "namespace": namespace,
            "labels": {labels.SCHEDULE_ID_LABEL: schedule_id},
            "annotations": {labels.REQUEST_ANNOTATION: request} if request else {},
        },
        "spec": spec_members(spec),
    }


def spec_members(spec: GraphScheduleSpec) -> dict[str, Any]:
    """Return a spec as the resource spells it, without what is as if it were not there."""
    return spec.model_dump(by_alias=True, exclude_none=True, exclude_defaults=True)


def name_of(schedule_id: str) -> str:
    """Return the name of the resource that the API makes for an id."""
    return f"schedule-{schedule_id}"


def request_of(spec: GraphScheduleSpec) -> ExecutionRequest:
    """Return what a schedule asks the platform to run; inputs from Secrets and ConfigMaps are unknown here."""
    return ExecutionRequest(
        graph_id=spec.graph.id,
        user_id=spec.user_id,
        graph_version=spec.graph.version,
        inputs=spec.inputs,
        credentials={name: credential.model_dump(exclude_none=True) for name, credential in spec.credentials.items()},
    )


class Times(NamedTuple):
    """When a schedule fires: its cron expression, its zone and, while its breaker is open, from when on again."""

    cron: str
    zone: str
    until: str | None = None


def times_of(schedule: Object) -> Times:
    """Return when a schedule fires."""
    suspension = (schedule.get("status") or {}).get("suspension") or {}
    return Times(schedule["spec"]["cron"], zone_name(schedule), suspension.get("until"))


def is_paused(schedule: Object) -> bool:
    """Tell whether nothing of it fires until somebody acts: it is suspended, or its graph is not valid any more."""
    suspension = (schedule.get("status") or {}).get("suspension")
    return bool(schedule["spec"].get("suspend")) or (suspension is not None and "until" not in suspension)


def is_ready(schedule: Object) -> bool:
    """Tell whether the operator has it fire as its spec asks."""
    conditions = (schedule.get("status") or {}).get("conditions") or ()
    return any(each["type"] == ConditionType.READY and each["status"] == "True" for each in conditions)


def zone_name(schedule: Object) -> str:
    """Return the name of its time zone."""
    name: str = schedule["spec"].get("timeZone") or UTC_ZONE
    return name


def next_run(schedule: Object, now: datetime) -> datetime:
    """Return the next time a schedule fires: `next_time` of its times.

    Raises:
        InvalidValueError: it has none.

    """
    return next_time(times_of(schedule), now)


def next_time(times: Times, now: datetime) -> datetime:
    """Return the next time, in its zone; an open breaker moves it to after its cool-off.

    Raises:
        InvalidValueError: there is none.

    """
    return _next(times.cron, times.zone, start_of(times, now).replace(second=0, microsecond=0))


def start_of(times: Times, now: datetime) -> datetime:
    """Return after when a schedule fires next."""
    return max(now, parse_instant(times.until)) if times.until else now


@lru_cache(maxsize=_CRONS_KEPT)
def parsed(expression: str) -> cron.Cron:
    """Return a cron expression, read once for all schedules that share it.

    Raises:
        InvalidValueError: it cannot be read.

    """
    return cron.parse(expression)


@lru_cache(maxsize=_NEXT_RUNS_KEPT)
def _next(expression: str, zone_name: str, minute: datetime) -> datetime:
    """Return the next run after a minute has begun, reckoned once for all schedules of the same times."""
    zone = cron.time_zone(zone_name)
    following = parsed(expression).next_after(minute, zone)
    if following is None:
        raise InvalidValueError("spec.cron", expression, "it never fires; name a day that some month has")
    return following.astimezone(zone)
