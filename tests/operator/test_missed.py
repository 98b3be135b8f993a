"""Which slots there should have been, and what is said of one that left no trace: as tables of facts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.outcomes import Outcome, SlotState
from graphschedule_operator.missed import Evidence, Finding, Warned, due, explain, owed

if TYPE_CHECKING:
    from collections.abc import Callable

NINE = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(*minutes: int) -> list[datetime]:
    return [NINE + minute * MINUTE for minute in minutes]


def cronjob(memory: str | None = None, **spec: object) -> dict[str, Any]:
    live = {"schedule": "*/5 * * * *", "timeZone": "Etc/UTC", "suspend": False} | spec
    return {"spec": live, "status": {"lastScheduleTime": memory} if memory else {}}


@pytest.mark.parametrize(
    ("since", "live", "expected"),
    [
        pytest.param("2026-05-04T08:00:00Z", cronjob(), at(5, 10, 15), id="active all the time"),
        pytest.param("2026-05-04T08:00:00Z", None, at(5, 10, 15), id="its CronJob was deleted"),
        pytest.param("2026-05-04T09:07:30Z", cronjob(), at(10, 15), id="resumed meanwhile"),
        pytest.param("2026-05-04T09:10:00Z", cronjob(), at(15), id="active from a slot on, which is not owed"),
        pytest.param(None, cronjob(), [], id="not active"),
        pytest.param("2026-05-04T08:00:00Z", cronjob(suspend=True), [], id="its CronJob is suspended"),
        pytest.param("2026-05-04T08:00:00Z", cronjob(schedule="0 * * * *"), [], id="its times are being changed"),
        pytest.param("2026-05-04T08:00:00Z", cronjob(timeZone="Asia/Tokyo"), [], id="its zone is being changed"),
        pytest.param(
            "2026-05-04T08:00:00Z", cronjob("2026-05-04T09:11:12Z"), at(15), id="its times were changed, not told yet"
        ),
        pytest.param("2026-05-04T08:00:00Z", cronjob("2026-05-04T09:10:00Z"), at(5, 10, 15), id="it has fired"),
    ],
)
def test_slots_are_due_while_the_schedule_is_active(
    make_schedule: Callable[..., dict[str, Any]],
    since: str | None,
    live: dict[str, Any] | None,
    expected: list[datetime],
) -> None:
    schedule = make_schedule(cron="*/5 * * * *", timeZone=None, status={"activeSince": since} if since else {})
    fire_times = due(schedule, NINE, NINE + 15 * MINUTE)
    assert list(owed(fire_times, schedule, live)) == expected


def test_each_search_begins_where_the_last_one_ended(make_schedule: Callable[..., dict[str, Any]]) -> None:
    schedule = make_schedule(cron="*/5 * * * *", timeZone=None, status={"activeSince": "2026-05-04T08:00:00Z"})
    ends = [NINE + minutes * MINUTE for minutes in (0, 4, 5, 6, 10, 15)]
    found = [due(schedule, after, until) for after, until in pairwise(ends)]
    assert [fire_time for times in found for fire_time in times] == at(5, 10, 15)


@pytest.mark.parametrize("spec", [{"cron": "61 * * * *"}, {"timeZone": "Mars/Olympus"}])
def test_an_edit_that_was_not_judged_yet_owes_no_slots(
    make_schedule: Callable[..., dict[str, Any]], spec: dict[str, Any]
) -> None:
    schedule = make_schedule(**spec, status={"activeSince": "2026-05-04T08:00:00Z"})
    assert due(schedule, NINE, NINE + 15 * MINUTE) == ()


def job(*conditions: dict[str, str], **status: str) -> dict[str, Any]:
    started = {"startTime": "2026-05-04T09:00:01Z"} | status
    return {"status": {**started, "conditions": [{"status": "True", **condition} for condition in conditions]}}


def pod(*, state: dict[str, Any] | None = None, unscheduled: str | None = None) -> dict[str, Any]:
    status: dict[str, Any] = {"containerStatuses": [{"state": state}]} if state else {}
    if unscheduled:
        reason = {"reason": "Unschedulable", "message": unscheduled}
        status["conditions"] = [{"type": "PodScheduled", "status": "False", **reason}]
    return {"status": status}


DEADLINE = {"type": "Failed", "reason": "DeadlineExceeded", "message": "was active too long"}
BACKOFF = {"type": "Failed", "reason": "BackoffLimitExceeded", "message": "too often"}
WARNED = (Warned("FailedMount", "secret x not found"), Warned("FailedScheduling", "no node"))
QUOTA = (Warned("FailedCreate", "exceeded quota: none"),)


def missed(reason: str) -> tuple[SlotState, str]:
    return SlotState.MISSED, reason


@pytest.mark.parametrize(
    ("evidence", "found", "words"),
    [
        pytest.param(Evidence(None), missed("NotStarted"), "kube-controller-manager", id="no CronJob"),
        pytest.param(Evidence(cronjob()), missed("NotStarted"), "made no Job", id="the controller never fired"),
        pytest.param(Evidence(cronjob("2026-05-04T08:55:00Z")), missed("NotStarted"), "made no Job", id="nor since"),
        pytest.param(Evidence(cronjob("2026-05-04T08:55:12Z")), missed("NotStarted"), "made no Job", id="nor after us"),
        pytest.param(
            Evidence(cronjob(), warnings=QUOTA), missed("FailedCreate"), "exceeded quota: none", id="no Job by quota"
        ),
        pytest.param(Evidence(cronjob("2026-05-04T09:05:00Z")), missed("Coalesced"), "later slot", id="passed over"),
        pytest.param(Evidence(cronjob("2026-05-04T09:00:00Z")), missed("JobGone"), "deleted", id="Job deleted"),
        pytest.param(Evidence(None, job()), None, "", id="still at it"),
        pytest.param(Evidence(None, {"status": {}}), missed("JobNotStarted"), "Job controller", id="no Job controller"),
        pytest.param(
            Evidence(None, job({"type": "Complete"})), missed("NotRecorded"), "another database", id="other database"
        ),
        pytest.param(Evidence(None, job(DEADLINE)), missed("DeadlineExceeded"), "too long", id="deadline"),
        pytest.param(
            Evidence(None, job(DEADLINE), (), WARNED), missed("FailedScheduling"), "too long; no node", id="no pod left"
        ),
        pytest.param(
            Evidence(None, job(DEADLINE), [pod(unscheduled="no node is free")]),
            missed("Unschedulable"),
            "no node is free",
            id="unschedulable",
        ),
        pytest.param(
            Evidence(None, job(DEADLINE), [pod(state={"waiting": {"reason": "ImagePullBackOff", "message": "gone"}})]),
            missed("ImagePullBackOff"),
            "gone",
            id="no image",
        ),
        pytest.param(
            Evidence(None, job(DEADLINE), [pod(state={"waiting": {"reason": "ContainerCreating"}})], WARNED[:1]),
            missed("FailedMount"),
            "secret x",
            id="no volume",
        ),
        pytest.param(
            Evidence(None, job(BACKOFF), [pod(state={"terminated": {"exitCode": 75, "message": "no database"}})]),
            (SlotState.FAILED, Outcome.TRANSIENT.reason),
            "no database",
            id="the runner could not even record it",
        ),
        pytest.param(
            Evidence(None, job(BACKOFF), [pod(state={"terminated": {"exitCode": 137}})]),
            missed("BackoffLimitExceeded"),
            "too often",
            id="killed",
        ),
    ],
)
def test_what_the_cluster_has_on_a_slot_says_why_it_was_missed(
    evidence: Evidence, found: tuple[SlotState, str] | None, words: str
) -> None:
    finding = explain(NINE, evidence)
    if found is None:
        assert finding is None
        return
    assert isinstance(finding, Finding)
    assert (finding.state, finding.reason) == found
    assert words in finding.message


def test_a_run_that_began_and_did_not_end_has_failed() -> None:
    finding = explain(NINE, Evidence(None, job(DEADLINE)), claimed=True)
    assert finding is not None
    assert (finding.state, finding.reason) == (SlotState.FAILED, "DeadlineExceeded")
    assert "not known to be in the queue; was active too long" in finding.message
    assert explain(NINE, Evidence(None, job()), claimed=True) is None
