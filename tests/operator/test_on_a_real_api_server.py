"""The operator as a process against a real API server and the real controllers: what the world becomes."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels, payload

from dev.cluster import ClusterError
from tests.operator.world import World, condition, native, new_world, operator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster import Cluster


@pytest.fixture(scope="module")
def world(control_plane: Cluster) -> Iterator[World]:
    """Yield a namespace with an operator at work."""
    with new_world(control_plane) as made, operator(made):
        yield made


@pytest.fixture
def name() -> str:
    return f"schedule-{uuid.uuid4().hex[:8]}"


# --- from a schedule to a CronJob -----------------------------------------------------------------------------------


def test_an_applied_schedule_gets_a_cronjob_and_a_status(world: World, name: str) -> None:
    world.apply(name, cron="0 9 * * fri-mon", timeZone="Europe/Berlin", inputs={"topic": "news"})
    world.until_condition(name, "Ready", "Ready")
    made = world.get("cronjob", name)
    assert made is not None
    assert (made["spec"]["schedule"], made["spec"]["timeZone"]) == ("0 9 * * 0,1,5,6", "Europe/Berlin")
    pod = made["spec"]["jobTemplate"]["spec"]["template"]
    assert payload.RunPayload.decode(pod["metadata"]["annotations"][labels.RUN_ANNOTATION]).inputs == {"topic": "news"}
    status = world.until("graphschedule", name, lambda _: True)["status"]
    assert status["cronJobName"] == name
    assert status["observedGeneration"] == 1
    assert len(status["nextFireTimes"]) == 5
    assert all(re.fullmatch(r".*T09:00:00\+0[12]:00", local) for local in status["nextFireTimesLocal"])
    assert world.events(name) == []


def test_an_edit_moves_the_cronjob(world: World, name: str) -> None:
    world.apply(name, cron="0 9 * * *")
    world.until("cronjob", name, lambda cronjob: cronjob["spec"]["schedule"] == "0 9 * * *")
    world.apply(name, cron="30 10 * * *", timeZone="Asia/Tokyo", graph={"id": "graph-2"})
    cronjob = world.until("cronjob", name, lambda cronjob: cronjob["spec"]["schedule"] == "30 10 * * *")
    assert cronjob["spec"]["timeZone"] == "Asia/Tokyo"
    assert cronjob["metadata"]["labels"][labels.GRAPH_LABEL] == "graph-2"
    moved = world.until("graphschedule", name, lambda obj: obj["status"]["observedGeneration"] == 2)
    assert moved["status"]["nextFireTimesLocal"][0].endswith("T10:30:00+09:00")


def test_a_long_name_gets_a_shorter_cronjob(world: World, name: str) -> None:
    long = name + "x" * 60
    world.apply(long)
    world.until_condition(long, "Ready", "Ready")
    status = world.until("graphschedule", long, lambda _: True)["status"]
    assert status["cronJobName"] == labels.cronjob_name(long)
    assert world.get("cronjob", labels.cronjob_name(long)) is not None


def test_a_missing_time_zone_means_utc_and_a_warning_that_is_told_once(world: World, name: str) -> None:
    world.apply(name, timeZone=None)
    told = world.until_condition(name, "Accepted", "TimeZoneDefaulted")
    assert told["status"] == "True"
    assert "Etc/UTC" in told["message"]
    world.until_condition(name, "Ready", "Ready")
    world.apply(name, timeZone=None, cron="1 1 1 1 *")
    world.until("cronjob", name, lambda cronjob: cronjob["spec"]["schedule"] == "1 1 1 1 *")
    world.until("graphschedule", name, lambda obj: obj["status"]["observedGeneration"] == 2)
    assert world.events(name) == [("Warning", "TimeZoneDefaulted")]


# --- what cannot be used --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "reason", "words"),
    [
        pytest.param({"cron": "61 * * * *"}, "InvalidCron", ["spec.cron", "61"], id="61"),
        pytest.param({"cron": "0 0 30 2 *"}, "InvalidCron", ["spec.cron", "never"], id="february-30"),
        pytest.param({"timeZone": "Mars/Olympus"}, "InvalidTimeZone", ["spec.timeZone", "Mars/Olympus"], id="mars"),
        pytest.param(
            {"inputs": {"text": "x" * 200_000}}, "InputsTooLarge", ["spec.inputs", str(payload.MAX_BYTES)], id="large"
        ),
    ],
)
def test_what_cannot_be_used_is_told_in_one_message_and_leaves_nothing(
    world: World, name: str, spec: dict[str, Any], reason: str, words: list[str]
) -> None:
    world.apply(name, **spec)
    told = world.until_condition(name, "Accepted", reason)
    assert told["status"] == "False"
    assert "\n" not in told["message"]
    assert all(word in told["message"] for word in words)
    assert world.until_condition(name, "Ready", reason)["message"] == told["message"]
    assert world.get("cronjob", name) is None
    world.until_events(name, ("Warning", reason))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        pytest.param({"cron": "0 0 9 * * 1"}, "five fields", id="seconds"),
        pytest.param({"cron": "@every 5m"}, "five fields", id="every"),
        pytest.param({"cron": "TZ=Asia/Tokyo 0 9 * * *"}, "spec.timeZone", id="zone in cron"),
    ],
)
def test_what_the_api_server_can_judge_alone_is_refused_at_once(
    world: World, name: str, spec: dict[str, Any], words: str
) -> None:
    with pytest.raises(ClusterError, match=words):
        world.apply(name, **spec)


def test_an_edit_that_cannot_be_used_suspends_the_cronjob_until_it_is_put_right(world: World, name: str) -> None:
    world.apply(name)
    world.until_condition(name, "Ready", "Ready")
    world.apply(name, timeZone="Mars/Olympus")
    told = world.until_condition(name, "Scheduled", "NotAccepted")
    assert "suspended" in told["message"]
    world.until("cronjob", name, lambda cronjob: cronjob["spec"]["suspend"])
    world.apply(name)
    world.until_condition(name, "Ready", "Ready")
    world.until("cronjob", name, lambda cronjob: not cronjob["spec"]["suspend"])
    world.until_events(name, ("Warning", "InvalidTimeZone"), ("Normal", "Accepted"), ("Normal", "CronJobApplied"))


# --- foreign hands --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"spec": {"schedule": "* * * * *"}}, id="schedule"),
        pytest.param({"spec": {"suspend": True}}, id="suspend"),
        pytest.param({"metadata": {"labels": {labels.SCHEDULE_LABEL: None}}}, id="our label"),
        pytest.param({"metadata": {"annotations": {labels.HASH_ANNOTATION: None}}}, id="our hash"),
        pytest.param(
            {
                "spec": {
                    "jobTemplate": {"spec": {"template": {"metadata": {"annotations": {labels.RUN_ANNOTATION: "x"}}}}}
                }
            },
            id="arguments",
        ),
        pytest.param(
            {"metadata": {"labels": {labels.SCHEDULE_LABEL: None}}, "spec": {"schedule": "* * * * *"}},
            id="our label and the schedule",
        ),
    ],
)
def test_an_edited_cronjob_is_put_back(world: World, name: str, edit: dict[str, Any]) -> None:
    world.apply(name)
    world.until_condition(name, "Ready", "Ready")
    before = world.until("cronjob", name, lambda _: True)
    world.patch("cronjob", name, edit)

    def applied(cronjob: dict[str, Any]) -> list[Any]:
        members = ("labels", "annotations", "ownerReferences")
        return [cronjob["spec"], *(cronjob["metadata"].get(member) for member in members)]

    after = world.until("cronjob", name, lambda cronjob: applied(cronjob) == applied(before))
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert condition(world.until("graphschedule", name, lambda _: True), "Ready")["status"] == "True"


def test_a_deleted_cronjob_is_made_again(world: World, name: str) -> None:
    world.apply(name)
    world.until_condition(name, "Ready", "Ready")
    before = world.until("cronjob", name, lambda _: True)["metadata"]["uid"]
    world.kubectl("delete", "cronjob", name)
    world.until("cronjob", name, lambda cronjob: cronjob["metadata"]["uid"] != before)


def test_a_cronjob_that_is_not_ours_is_never_taken_over(world: World, name: str) -> None:
    world.kubectl("create", "--filename", "-", given=native(name))
    before = world.get("cronjob", name)
    world.apply(name, cron="1 1 1 1 *")
    told = world.until_condition(name, "Scheduled", "NameConflict")
    assert name in told["message"]
    assert "rename" in told["message"]
    assert world.get("cronjob", name) == before
    world.until_events(name, ("Warning", "NameConflict"))
    world.kubectl("delete", "cronjob", name)
    world.patch("graphschedule", name, {"metadata": {"annotations": {"look": name}}})
    world.until_condition(name, "Ready", "Ready")


def test_of_two_schedules_with_one_cronjob_name_the_first_keeps_it(world: World, name: str) -> None:
    long = name + "x" * 60
    short = labels.cronjob_name(long)
    world.apply(long)
    world.until_condition(long, "Ready", "Ready")
    world.apply(short)
    told = world.until_condition(short, "Scheduled", "NameConflict")
    assert f"GraphSchedule {long}" in told["message"]


# --- deletion: last, for the garbage collector looks for new kinds only every 30 seconds ------------------------------


def test_deleting_the_schedule_removes_the_cronjob(world: World, name: str) -> None:
    world.apply(name)
    world.until_condition(name, "Ready", "Ready")
    world.kubectl("delete", "graphschedule", name)
    world.until_gone("cronjob", name)


def test_a_schedule_made_anew_under_its_old_name_gets_a_cronjob_of_its_own(world: World, name: str) -> None:
    world.apply(name)
    world.until_condition(name, "Ready", "Ready")
    world.kubectl("delete", "graphschedule", name)
    world.apply(name, cron="5 5 5 5 *")
    world.until_condition(name, "Ready", "Ready")
    made = world.until("graphschedule", name, lambda _: True)
    cronjob = world.until("cronjob", name, lambda cronjob: cronjob["spec"]["schedule"] == "5 5 5 5 *")
    assert cronjob["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert world.events(name) == []
