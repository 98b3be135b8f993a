"""Slots: the fire times of a schedule, each of which becomes at most one execution.

A slot is (schedule uid, fire time). Everything that must happen exactly once derives its identity from it,
so that a retried, duplicated or re-delivered pod finds what the first one left (mission M10).
"""

from __future__ import annotations

import re
import uuid
from datetime import MAXYEAR, UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from graphschedule.errors import InvalidValueError

MANUAL_PREFIX = "manual:"
_UNIX_MINUTES = re.compile(r"[0-9]{8}")
_EARLIEST = datetime(2021, 4, 1, tzinfo=UTC)
"""CronJobs of batch/v1 are younger. This, and the eight digits (until the year 2160), tell the controller's names from
those that people end in a date (`-20260504`) or in Unix seconds."""
_FIRST_YEAR = 1970
_LAST_YEAR = MAXYEAR - 1


class Slot(NamedTuple):
    """One fire of one schedule.

    `key` is `2026-05-04T09:00:00Z` for a fire that cron asked for and `manual:<job uid>` for one that a person
    made (`kubectl create job --from`); `fire_time` is None for the latter.
    """

    schedule_uid: str
    key: str
    fire_time: datetime | None

    @classmethod
    def at(cls, schedule_uid: str, fire_time: datetime) -> Slot:
        """Return the slot of a fire time, an aware datetime; seconds are cut, for cron knows none."""
        instant = fire_time.astimezone(UTC).replace(second=0, microsecond=0)
        return cls(schedule_uid, format_instant(instant), instant)

    @classmethod
    def manual(cls, schedule_uid: str, job_uid: str) -> Slot:
        """Return the slot of a Job made by hand."""
        return cls(schedule_uid, f"{MANUAL_PREFIX}{job_uid}", None)

    @classmethod
    def of_job(cls, schedule_uid: str, cronjob_name: str, job_name: str, job_uid: str) -> Slot:
        """Return the slot of a Job as its pod sees it.

        The CronJob controller names a Job `<cronjob>-<unix minutes of the scheduled time>`
        (kubernetes, pkg/controller/cronjob/cronjob_controllerv2.go, getJobName); any other name was chosen by a person.
        """
        suffix = job_name.removeprefix(f"{cronjob_name}-")
        if suffix != job_name and _UNIX_MINUTES.fullmatch(suffix):
            fire_time = datetime.fromtimestamp(int(suffix) * 60, UTC)
            if fire_time >= _EARLIEST:
                return cls.at(schedule_uid, fire_time)
        return cls.manual(schedule_uid, job_uid)

    @property
    def execution_id(self) -> str:
        """The execution's id: UUIDv5 (RFC 9562 section 5.5) of the slot's key in the schedule's own namespace."""
        return _execution_id(self.schedule_uid, self.key)


@lru_cache(maxsize=4096)
def _execution_id(schedule_uid: str, key: str) -> str:
    """Return the id, which is asked for a dozen times while a slot is enqueued, of thousands at once."""
    return str(uuid.uuid5(uuid.UUID(schedule_uid), key))


def format_instant(instant: datetime) -> str:
    """Return an aware datetime as RFC 3339 in UTC with whole seconds: `2026-05-04T09:00:00Z`."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_instant(text: str, field: str = "time") -> datetime:
    """Return the aware datetime of an RFC 3339 text.

    Raises:
        InvalidValueError: the text is no such time, has no zone, or lies where fire times cannot be reckoned.

    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None or not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise InvalidValueError(
            field,
            text,
            f"write an RFC 3339 time with its zone, such as 2026-05-04T09:00:00Z, in {_FIRST_YEAR} to {_LAST_YEAR}",
        )
    return instant
