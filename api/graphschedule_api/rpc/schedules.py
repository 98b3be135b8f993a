"""Schedules over the drop-in: what the platform asks for, as resources, and resources as it knows them. Pure."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError

from graphschedule_api import schedule
from graphschedule_api.cache import id_of
from graphschedule_api.rpc.models import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from graphschedule.spec import GraphScheduleSpec

    from graphschedule_api.cache import Object
    from graphschedule_api.rpc.models import NewSchedule

ANY_VERSION = 0
"""Told of a schedule that runs the newest version, which the platform has no word for."""


def spec_of(asked: NewSchedule, now: datetime) -> GraphScheduleSpec:
    """Return the spec of a schedule to make.

    The zone is written out where the caller names none, for to the platform UTC is no oversight. A schedule whose graph
    cannot be run any more is deleted, as the old scheduler did (C §5.2, firing).

    Raises:
        InvalidValueError: a member cannot be used.

    """
    members = {
        "graph": {"id": asked.graph_id, "version": asked.graph_version},
        "userId": asked.user_id,
        "displayName": asked.name,
        "agentName": asked.name,
        "cron": asked.cron,
        "timeZone": asked.user_timezone or schedule.UTC_ZONE,
        "inputs": asked.input_data,
        "credentials": {name: credential.model_dump() for name, credential in asked.input_credentials.items()},
        "onPermanentFailure": "Delete",
    }
    return schedule.accepted(members, now)


def listed(found: Iterable[Object], now: datetime) -> list[Schedule]:
    """Return schedules in the order of their next runs, without those that are paused or never run (M5)."""
    running = [
        (following, each) for each in found if (following := _next_run(each, now)) and not schedule.is_paused(each)
    ]
    return [_view(each, following) for following, each in sorted(running, key=lambda pair: pair[0])]


def view(found: Object, now: datetime) -> Schedule:
    """Return a schedule as the platform knows it, paused or not; without a next run, its time is an empty text."""
    return _view(found, _next_run(found, now))


def _next_run(found: Object, now: datetime) -> datetime | None:
    with suppress(InvalidValueError):
        return schedule.next_run(found, now)
    return None


def _view(found: Object, following: datetime | None) -> Schedule:
    spec, schedule_id = found["spec"], id_of(found)
    return Schedule(
        schedule_id=schedule_id,
        user_id=spec["userId"],
        graph_id=spec["graph"]["id"],
        graph_version=spec["graph"].get("version", ANY_VERSION),
        agent_name=spec.get("agentName"),
        cron=spec["cron"],
        input_data=spec.get("inputs") or {},
        input_credentials=spec.get("credentials") or {},
        id=schedule_id,
        name=spec.get("displayName") or found["metadata"]["name"],
        next_run_time=following.isoformat() if following else "",
        timezone=schedule.zone_name(found),
    )
