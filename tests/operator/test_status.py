"""The truth table: facts to status, and what of it is written and told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule.status import Reason
from graphschedule_operator.desired import PAYLOAD_FIELDS, Accepted, accept
from graphschedule_operator.events import Event, manifest, transitions
from graphschedule_operator.status import Facts, Obstacle, State, differences, state_of, status

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphschedule.status import GraphScheduleStatus

    MakeSchedule = Callable[..., dict[str, Any]]

CRONJOB = {"metadata": {"name": "daily"}}
TABLE = [
    # spec, wrong field, CronJob there, obstacle → Ready, Accepted, Scheduled, state, fires
    pytest.param(
        {}, None, True, None,
        ("True", "Ready"), ("True", "Accepted"), ("True", "CronJobApplied"), State.ACTIVE, True,
        id="as it should be",
    ),
    pytest.param(
        {"timeZone": None}, None, True, None,
        ("True", "Ready"), ("True", "TimeZoneDefaulted"), ("True", "CronJobApplied"), State.ACTIVE, True,
        id="no time zone",
    ),
    pytest.param(
        {"suspend": True}, None, True, None,
        ("True", "Suspended"), ("True", "Accepted"), ("True", "Suspended"), State.SUSPENDED, False,
        id="suspended",
    ),
    pytest.param(
        {}, "spec.cron", False, None,
        ("False", "InvalidCron"), ("False", "InvalidCron"), ("False", "NotAccepted"), State.INVALID, False,
        id="bad cron, never valid",
    ),
    pytest.param(
        {}, "spec.timeZone", True, None,
        ("False", "InvalidTimeZone"), ("False", "InvalidTimeZone"), ("False", "NotAccepted"), State.INVALID, False,
        id="bad zone, once valid",
    ),
    pytest.param(
        {}, PAYLOAD_FIELDS, False, None,
        ("False", "InputsTooLarge"), ("False", "InputsTooLarge"), ("False", "NotAccepted"), State.INVALID, False,
        id="inputs too large",
    ),
    pytest.param(
        {}, "spec.graph.id", False, None,
        ("False", "InvalidSpec"), ("False", "InvalidSpec"), ("False", "NotAccepted"), State.INVALID, False,
        id="another field",
    ),
    pytest.param(
        {}, None, False, Obstacle(Reason.NAME_CONFLICT, "taken"),
        ("False", "NameConflict"), ("True", "Accepted"), ("False", "NameConflict"), State.BLOCKED, False,
        id="the name is taken",
    ),
    pytest.param(
        {}, None, True, Obstacle(Reason.APPLY_FAILED, "quota"),
        ("False", "ApplyFailed"), ("True", "Accepted"), ("False", "ApplyFailed"), State.BLOCKED, False,
        id="refused by the API server",
    ),
    pytest.param(
        {"suspend": True}, None, False, Obstacle(Reason.NAME_CONFLICT, "taken"),
        ("False", "NameConflict"), ("True", "Accepted"), ("False", "NameConflict"), State.BLOCKED, False,
        id="suspended, but the name is taken",
    ),
    pytest.param(
        {}, "spec.cron", False, Obstacle(Reason.NAME_CONFLICT, "taken"),
        ("False", "InvalidCron"), ("False", "InvalidCron"), ("False", "NameConflict"), State.INVALID, False,
        id="bad cron, and the name is taken",
    ),
]  # fmt: skip


def judge(schedule: dict[str, Any], now: datetime, wrong: str | None = None) -> Accepted | InvalidValueError:
    return InvalidValueError(wrong, "x", "do better") if wrong else accept(schedule, now)


@pytest.fixture
def facts(make_schedule: MakeSchedule, now: datetime) -> Facts:
    schedule = make_schedule()
    return Facts(schedule, judge(schedule, now), CRONJOB, None, now)


def wire(current: GraphScheduleStatus) -> dict[str, Any]:
    return current.model_dump(mode="json", by_alias=True, exclude_none=True)


def reported(facts: Facts, **members: object) -> Facts:
    """Return the facts after their status was written, and whatever else then changed."""
    schedule = {**facts.schedule, "status": wire(status(facts))}
    return replace(facts, schedule=schedule, **members)  # type: ignore[arg-type] # each test names real members


@pytest.mark.parametrize(
    ("spec", "wrong", "there", "obstacle", "ready", "accepted", "scheduled", "state", "fires"), TABLE
)
def test_every_combination_of_facts_has_its_conditions(
    make_schedule: MakeSchedule,
    now: datetime,
    spec: dict[str, Any],
    wrong: str | None,
    there: bool,
    obstacle: Obstacle | None,
    ready: tuple[str, str],
    accepted: tuple[str, str],
    scheduled: tuple[str, str],
    state: State,
    fires: bool,
) -> None:
    schedule = make_schedule(**spec)
    current = status(Facts(schedule, judge(schedule, now, wrong), CRONJOB if there else None, obstacle, now))
    told = {str(kind.type): (kind.status, kind.reason) for kind in current.conditions}
    assert (told["Ready"], told["Accepted"], told["Scheduled"]) == (ready, accepted, scheduled)
    assert all(kind.message and kind.observed_generation == 4 for kind in current.conditions)
    assert current.observed_generation == 4
    assert state_of(current) is state
    assert len(current.next_fire_times) == (5 if fires else 0)
    assert current.cron_job_name == ("daily" if there else None)


def test_messages_say_what_is_wrong_and_what_became_of_the_cronjob(facts: Facts) -> None:
    refused = InvalidValueError("spec.cron", "61 * * * *", "minutes end at 59")
    by_type = {str(kind.type): kind.message for kind in status(replace(facts, verdict=refused)).conditions}
    assert by_type["Accepted"] == by_type["Ready"] == str(refused)
    assert "CronJob daily is suspended" in by_type["Scheduled"]
    never = {str(kind.type): kind.message for kind in status(replace(facts, verdict=refused, cronjob=None)).conditions}
    assert "no CronJob was made" in never["Scheduled"]


def test_next_fire_times_are_shown_in_utc_and_in_the_schedules_zone(facts: Facts) -> None:
    current = status(facts)
    assert current.next_fire_times[:2] == ("2026-05-05T07:00:00Z", "2026-05-06T07:00:00Z")
    assert current.next_fire_times_local[:2] == ("2026-05-05T09:00:00+02:00", "2026-05-06T09:00:00+02:00")


def test_a_condition_keeps_its_time_while_its_status_stays(facts: Facts) -> None:
    later = facts.now + timedelta(hours=1)
    refused = InvalidValueError("spec.cron", "x", "y")
    kept = status(reported(facts, now=later))
    changed = status(reported(facts, now=later, verdict=refused))
    assert {kind.last_transition_time for kind in kept.conditions} == {"2026-05-04T07:30:12Z"}
    moved = {str(kind.type) for kind in changed.conditions if kind.last_transition_time == "2026-05-04T08:30:12Z"}
    assert moved == {"Ready", "Accepted", "Scheduled"}


@pytest.mark.parametrize(
    ("memory", "known", "shown"),
    [
        (None, None, None),
        ("2026-05-04T07:00:00Z", None, "2026-05-04T07:00:00Z"),
        ("2026-05-04T07:00:00Z", "2026-05-03T07:00:00Z", "2026-05-04T07:00:00Z"),
        ("2026-05-04T07:30:12Z", "2026-05-03T07:00:00Z", "2026-05-03T07:00:00Z"),
        ("2026-05-04T07:30:12Z", None, None),
        (None, "2026-05-03T07:00:00Z", "2026-05-03T07:00:00Z"),
    ],
)
def test_the_last_fire_is_what_the_controller_remembers_unless_we_moved_its_memory(
    make_schedule: MakeSchedule, facts: Facts, memory: str | None, known: str | None, shown: str | None
) -> None:
    schedule = make_schedule(status={"lastFireTime": known} if known else None)
    cronjob = CRONJOB | {"status": {"lastScheduleTime": memory}}
    assert status(replace(facts, schedule=schedule, cronjob=cronjob)).last_fire_time == shown


def test_a_status_that_is_known_needs_no_write(facts: Facts) -> None:
    assert differences(facts.schedule, status(facts)) != {}
    again = reported(facts, now=facts.now + timedelta(minutes=1))
    assert differences(again.schedule, status(again)) == {}


def test_only_members_that_differ_are_written_and_empty_ones_are_removed(facts: Facts) -> None:
    schedule = reported(facts).schedule
    suspended = replace(
        facts, schedule=schedule, verdict=accept({**schedule, "spec": {**schedule["spec"], "suspend": True}}, facts.now)
    )
    written = differences(schedule, status(suspended))
    assert set(written) == {"activeSince", "conditions", "nextFireTimes", "nextFireTimesLocal"}
    assert written["nextFireTimes"] is None


REFUSED = InvalidValueError("spec.cron", "x", "y")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        pytest.param(None, {}, [], id="a good start is no news"),
        pytest.param(None, {"verdict": REFUSED}, [("Warning", "InvalidCron")], id="a bad start is"),
        pytest.param({}, {}, [], id="no change"),
        pytest.param({}, {"verdict": REFUSED}, [("Warning", "InvalidCron")], id="became unusable"),
        pytest.param(
            {"verdict": REFUSED}, {}, [("Normal", "Accepted"), ("Normal", "CronJobApplied")], id="became usable"
        ),
        pytest.param({"verdict": REFUSED}, {"verdict": REFUSED}, [], id="still unusable"),
        pytest.param(
            {"verdict": REFUSED},
            {"verdict": InvalidValueError("spec.cron", "z", "y")},
            [("Warning", "InvalidCron")],
            id="unusable in another way",
        ),
        pytest.param(
            {"obstacle": Obstacle(Reason.NAME_CONFLICT, "taken")}, {}, [("Normal", "CronJobApplied")], id="name is free"
        ),
    ],
)
def test_events_are_told_on_transitions_only(
    facts: Facts, before: dict[str, Any] | None, after: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    known = facts.schedule if before is None else reported(replace(facts, **before)).schedule
    current = status(replace(facts, schedule=known, **after))
    assert [(event.type, event.reason) for event in transitions(known, current)] == told


def test_a_defaulted_time_zone_is_told_once_as_a_warning(make_schedule: MakeSchedule, now: datetime) -> None:
    schedule = make_schedule(timeZone=None)
    facts = Facts(schedule, accept(schedule, now), CRONJOB, None, now)
    (event,) = transitions(schedule, status(facts))
    assert (event.type, event.reason) == ("Warning", "TimeZoneDefaulted")
    again = reported(facts)
    assert list(transitions(again.schedule, status(again))) == []


def test_an_event_object_regards_the_schedule_and_keeps_to_the_limits(make_schedule: MakeSchedule) -> None:
    schedule = make_schedule(name="n" * 253)
    made = manifest(schedule, Event("Warning", "InvalidCron", "x" * 2000), "pod-1", datetime(2026, 5, 4, tzinfo=UTC))
    assert made["regarding"]["uid"] == schedule["metadata"]["uid"]
    assert made["eventTime"] == "2026-05-04T00:00:00.000000Z"
    assert len(made["note"]) == 1024
    assert len(made["metadata"]["generateName"]) < 248
