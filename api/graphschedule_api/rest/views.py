"""Schedules, runs and tasks as REST tells them, and drafts as specs. Pure."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC
from typing import TYPE_CHECKING, Any

import orjson
from fastapi.responses import Response
from graphschedule.errors import InvalidValueError
from pydantic.alias_generators import to_camel

from graphschedule_api import schedule
from graphschedule_api.cache import id_of, version_of
from graphschedule_api.tasks import name_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from graphschedule.spec import GraphScheduleSpec
    from graphschedule_platform.runs import Run
    from graphschedule_platform.task_runs import TaskRun

    from graphschedule_api.cache import Object

JSON = "application/json"


def response(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer in JSON; times are RFC 3339."""
    return Response(orjson.dumps(content, option=orjson.OPT_UTC_Z), status, dict(headers or {}), JSON)


def schedule_response(found: Object, now: datetime, status: int = 200, **headers: str) -> Response:
    """Return an answer with a schedule and its version."""
    return response(view(found, now), status, {"ETag": etag(found), **headers})


def etag(found: Object) -> str:
    """Return the entity tag of a schedule: its resource version (RFC 9110 section 8.8.3)."""
    return f'"{version_of(found)}"'


def view(found: Object, now: datetime) -> dict[str, Any]:
    """Return a schedule."""
    metadata, paused = found["metadata"], schedule.is_paused(found)
    return {
        "id": id_of(found),
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "createdAt": metadata["creationTimestamp"],
        **found["spec"],
        "paused": paused,
        "ready": schedule.is_ready(found),
        "nextRun": None if paused else _next_run(found, now),
        "status": found.get("status") or {},
    }


def moment(local: datetime) -> dict[str, datetime]:
    """Return a time in UTC and as it is."""
    return {"utc": local.astimezone(UTC), "local": local}


def run_view(run: Run) -> dict[str, Any]:
    """Return a run."""
    return {to_camel(name): value for name, value in run._asdict().items()}


def task_view(cronjob: Object, newest: TaskRun | None) -> dict[str, Any]:
    """Return a task."""
    spec = cronjob["spec"]
    return {
        "name": name_of(cronjob),
        "cron": spec["schedule"],
        "suspended": bool(spec.get("suspend")),
        "lastRun": newest
        and {
            "state": newest.state,
            "message": newest.message,
            "counts": newest.counts,
            "job": newest.job,
            "startedAt": newest.started_at,
            "finishedAt": newest.finished_at,
        },
    }


def merged(target: Any, patch: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return a JSON value with a patch merged into it (RFC 7396 section 2)."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def with_overrides(
    spec: GraphScheduleSpec, inputs: Mapping[str, Any], credentials: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the members of a spec with other inputs and credentials laid over its own."""
    members = schedule.spec_members(spec)
    members["inputs"] = {**spec.inputs, **inputs}
    members["credentials"] = {**members.get("credentials", {}), **credentials}
    return members


def _next_run(found: Object, now: datetime) -> dict[str, datetime] | None:
    with suppress(InvalidValueError):
        return moment(schedule.next_run(found, now))
    return None
