"""What to do about a schedule's CronJob, given what is wanted and what is there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphschedule_operator import memory
from graphschedule_operator.cache import Object, controller_of, owning_schedule
from graphschedule_operator.drift import contains

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Keep:
    """It is as wanted: `live`, or none."""

    live: Object | None


@dataclass(frozen=True, slots=True)
class Create:
    """There is none, as far as we can see."""

    wanted: Object


@dataclass(frozen=True, slots=True)
class Update:
    """It is ours and differs.

    `forget_missed`: the CronJob controller, which remembers only when it last fired, would make up a slot that
    passed while the CronJob was suspended or had another schedule. It must be told that it has seen the time up to
    now before it sees the change (mission M7: resuming never fires retroactively).
    """

    wanted: Object
    live: Object
    forget_missed: bool


@dataclass(frozen=True, slots=True)
class Suspend:
    """The spec cannot be used: what an earlier one asked for must not go on firing."""

    live: Object


@dataclass(frozen=True, slots=True)
class Wait:
    """It belonged to an earlier schedule of the same name and is being garbage-collected."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """It is somebody else's, and stays so."""

    owner: str


@dataclass(frozen=True, slots=True)
class Delete:
    """Nothing fires by it any more."""

    live: Object


Step = Keep | Create | Update | Suspend | Wait | Refuse


def plan(schedule: Object, wanted: Object | None, live: Object | None) -> Step:
    """Return the one step that brings the CronJob to what is wanted; None is wanted of a spec that cannot be used."""
    if live is None:
        return Keep(None) if wanted is None else Create(wanted)
    if not is_ours(schedule, live):
        return _foreign(schedule, live)
    if wanted is None:
        return Keep(live) if live["spec"].get("suspend") else Suspend(live)
    if contains(live, wanted):
        return Keep(live)
    return update(wanted, live)


def update(wanted: Object, live: Object) -> Update:
    """Return the step that makes a CronJob of ours as wanted."""
    return Update(wanted, live, forget_missed=_would_make_up(live["spec"], wanted["spec"]))


def retire(live: Object, now: datetime) -> Keep | Suspend | Delete:
    """Return the step by which a CronJob goes that is not needed any more; neither a due Job nor an active one is lost.

    Its Jobs go with it. Keep it means to look again later.
    """
    if memory.owes(live, now):
        return Keep(live)
    if not (live.get("status") or {}).get("active"):
        return Delete(live)
    return Keep(live) if live["spec"].get("suspend") else Suspend(live)


def is_ours(schedule: Object, cronjob: Object) -> bool:
    """Tell whether the schedule is the CronJob's controller."""
    owner = controller_of(cronjob)
    return owner is not None and owner["uid"] == schedule["metadata"]["uid"]


def _foreign(schedule: Object, live: Object) -> Step:
    metadata = schedule["metadata"]
    if owning_schedule(live) == (metadata["namespace"], metadata["name"]):
        return Wait()
    owner = controller_of(live)
    return Refuse("nobody" if owner is None else f"{owner['kind']} {owner['name']}")


def _would_make_up(live: Object, wanted: Object) -> bool:
    if wanted["suspend"]:
        return False
    return bool(live.get("suspend")) or any(live.get(name) != wanted[name] for name in ("schedule", "timeZone"))
