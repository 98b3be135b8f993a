"""What a shard's CronJob and Secrets look like, which Secrets go, and when a CronJob may be changed or deleted."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels, payload, shards
from graphschedule_operator import memory, plan, shard
from graphschedule_operator.cache import Cache, Key, Shard, concerned_by
from graphschedule_operator.desired import accept
from graphschedule_operator.members import Member, Members, Pace
from graphschedule_operator.shard import Group

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphschedule_operator.cache import Object
    from graphschedule_operator.settings import Settings

    MakeSchedule = Callable[..., dict[str, Any]]

GROUP = Group("team", "0 9 * * *", "Europe/Berlin")
UID = "6a9f6a2e-0000-4000-8000-000000000001"


def live(settings: Settings, secret: str | None = "set-1", retired: dict[str, str] | None = None) -> dict[str, Any]:
    """Return a shard's CronJob as the server holds it."""
    made = dict(shard.cronjob(GROUP, GROUP.shard(0), secret, retired or {}, settings))
    made["metadata"] |= {
        "uid": UID,
        "creationTimestamp": "2026-05-01T00:00:00Z",
        "resourceVersion": "7",
        "generation": 1,
    }
    return made


def pod_of(cronjob: Object) -> dict[str, Any]:
    pod: dict[str, Any] = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    return pod


# --- groups and names -------------------------------------------------------------------------------------------------


def test_schedules_of_the_same_times_and_volumes_are_a_group(make_schedule: MakeSchedule, now: datetime) -> None:
    def group(**spec: object) -> Group:
        return shard.group_of("team", accept(make_schedule(**spec), now))

    secret = {"secretRef": {"name": "s"}, "key": "token"}
    assert group(inputs={"a": 1}) == group(inputs={"b": 2}, graph={"id": "other"}, userId="other")
    assert group(cron="0 9 * * mon-fri").hash == group(cron="0 9 * * 1-5").hash
    others = [group(), group(cron="0 8 * * *"), group(timeZone="Etc/UTC"), group(inputsFrom=[secret])]
    assert len({other.hash for other in others}) == len(others)


def test_names_fit_whatever_the_group_and_the_index() -> None:
    name = GROUP.shard(999_999).name
    assert len(name) <= labels.MAX_CRONJOB_NAME
    assert shard.parts_of(Shard("team", name)) == (GROUP.name, 999_999)


@pytest.mark.parametrize(
    ("name", "told", "expected"),
    [
        ("daily", GROUP.shard(3).name, GROUP.shard(3)),
        ("daily", "daily", None),
        ("daily", None, None),
        (GROUP.shard(3).name, GROUP.shard(3).name, None),
    ],
)
def test_a_status_tells_a_shard_from_a_cronjob_of_its_own(
    make_schedule: MakeSchedule, name: str, told: str | None, expected: Shard | None
) -> None:
    assert shard.told(make_schedule(name=name, status={"cronJobName": told} if told else None)) == expected


# --- manifests --------------------------------------------------------------------------------------------------------


def test_a_shard_fires_the_runner_on_its_secret(settings: Settings) -> None:
    made = live(settings)
    assert (made["spec"]["schedule"], made["spec"]["timeZone"]) == ("0 9 * * *", "Europe/Berlin")
    assert made["spec"]["suspend"] is False
    assert "ownerReferences" not in made["metadata"]
    pod = pod_of(made)
    assert pod["volumes"][0] == {"name": "payload", "secret": {"secretName": "set-1", "defaultMode": 0o440}}
    (container,) = pod["containers"]
    assert container["command"][:4] == ["graphschedule-runner", "execute", "--shard", f"{shard.FOLDER}/{shards.FILE}"]
    assert container["volumeMounts"][0] == {"name": "payload", "mountPath": shard.FOLDER, "readOnly": True}
    assert pod["securityContext"]["fsGroup"] == 65532
    job_labels = made["spec"]["jobTemplate"]["metadata"]["labels"]
    assert (job_labels[labels.SHARD_LABEL], job_labels[labels.SHARD_GROUP_LABEL]) == (GROUP.shard(0).name, GROUP.hash)
    assert labels.SCHEDULE_LABEL not in job_labels


def test_without_a_secret_it_is_suspended(settings: Settings) -> None:
    made = live(settings, secret=None)
    assert made["spec"]["suspend"] is True
    assert shard.named(made) is None


def test_a_member_is_told_its_shard_and_since_when_slots_are_its_own(
    make_schedule: MakeSchedule, now: datetime
) -> None:
    schedule = make_schedule()
    schedule["metadata"]["creationTimestamp"] = "2026-05-04T07:00:00Z"
    told = payload.RunPayload.decode(shard.line(accept(schedule, now).run, GROUP.shard(1), schedule))
    assert (told.cronjob, told.not_before) == (GROUP.shard(1).name, "2026-05-04T07:00:00Z")
    assert told.inputs == {"topic": "news"}


def test_a_secret_never_changes_and_goes_with_its_cronjob(settings: Settings) -> None:
    made = shard.secret(live(settings), "set-2", b"content")
    assert made["immutable"] is True
    assert base64.b64decode(made["data"][shards.FILE]) == b"content"
    (owner,) = made["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("CronJob", UID)


def test_a_secret_is_named_after_its_content_and_its_cronjob(settings: Settings) -> None:
    first, another = live(settings), live(settings)
    another["metadata"]["uid"] = "ffffffff-0000-4000-8000-000000000001"
    names = {shard.secret_name(cronjob, digest) for cronjob in (first, another) for digest in ("one", "two")}
    assert len(names) == 4
    assert all(name.startswith(GROUP.shard(0).name) for name in names)


# --- earlier Secrets --------------------------------------------------------------------------------------------------


def test_an_earlier_set_is_kept_for_as_long_as_its_jobs_may_take(settings: Settings, now: datetime) -> None:
    superseded = shard.superseded(live(settings), "set-2", "set-1", now)
    assert superseded == {"set-1": "2026-05-04T07:30:12Z"}
    assert shard.expired(superseded, now + timedelta(minutes=10)) == set()
    assert shard.expired(superseded, now + timedelta(minutes=10, seconds=1)) == {"set-1"}


def test_a_set_that_is_wanted_again_is_not_deleted(settings: Settings, now: datetime) -> None:
    cronjob = live(settings, "set-2", retired={"set-1": "2026-05-04T07:00:00Z"})
    assert shard.superseded(cronjob, "set-1", "set-2", now).keys() == {"set-2"}
    assert shard.superseded(cronjob, "set-2", None, now).keys() == {"set-1"}


def test_a_set_that_was_made_and_never_named_is_not_left_behind(settings: Settings, now: datetime) -> None:
    assert shard.superseded(live(settings), "set-3", "set-2", now).keys() == {"set-1", "set-2"}


@pytest.mark.parametrize("broken", ["", "x", "[]", "3", '{"set-1": "yesterday"}', '{"set-1": 3}'])
def test_what_somebody_broke_is_no_list_of_secrets(settings: Settings, now: datetime, broken: str) -> None:
    cronjob = live(settings)
    cronjob["metadata"]["annotations"][labels.RETIRED_ANNOTATION] = broken
    assert shard.superseded(cronjob, "set-1", None, now) == {}


# --- when a CronJob may be changed or deleted -------------------------------------------------------------------------

NINE = datetime(2026, 5, 4, 7, 0, tzinfo=UTC)
"""Nine o'clock in Berlin."""


@pytest.mark.parametrize(
    ("seconds", "last", "suspended", "made", "owes"),
    [
        pytest.param(-1, None, False, "2026-05-01T00:00:00Z", False, id="before the tick"),
        pytest.param(0, None, False, "2026-05-01T00:00:00Z", True, id="at the tick"),
        pytest.param(5, "2026-05-03T07:00:00Z", False, "2026-05-01T00:00:00Z", True, id="its Job is not made yet"),
        pytest.param(5, "2026-05-04T07:00:00Z", False, "2026-05-01T00:00:00Z", False, id="its Job is made"),
        pytest.param(5, "2026-05-04T07:00:03Z", False, "2026-05-01T00:00:00Z", False, id="the tick was forgotten"),
        pytest.param(5, None, True, "2026-05-01T00:00:00Z", False, id="suspended"),
        pytest.param(5, None, False, "2026-05-04T07:00:02Z", False, id="made after the tick"),
        pytest.param(101, None, False, "2026-05-01T00:00:00Z", False, id="too late to be waited for"),
    ],
)
def test_a_job_is_owed_from_the_tick_until_it_is_made(
    settings: Settings, seconds: int, last: str | None, suspended: bool, made: str, owes: bool
) -> None:
    cronjob = live(settings)
    cronjob["metadata"]["creationTimestamp"] = made
    cronjob["spec"]["suspend"] = suspended
    cronjob["status"] = {"lastScheduleTime": last} if last else {}
    assert memory.owes(cronjob, NINE + timedelta(seconds=seconds)) is owes


def test_a_schedule_that_somebody_wrote_otherwise_owes_nothing(settings: Settings) -> None:
    cronjob = live(settings)
    cronjob["spec"]["schedule"] = "@hourly"
    assert memory.owes(cronjob, NINE) is False


@pytest.mark.parametrize(
    ("seconds", "active", "suspended", "step"),
    [
        pytest.param(-60, False, False, plan.Delete, id="idle"),
        pytest.param(-60, True, False, plan.Suspend, id="at work"),
        pytest.param(-60, True, True, plan.Keep, id="at work, suspended"),
        pytest.param(-60, False, True, plan.Delete, id="idle, suspended"),
        pytest.param(1, False, False, plan.Keep, id="about to make a Job"),
    ],
)
def test_a_cronjob_goes_without_taking_a_job_along(
    settings: Settings, seconds: int, active: bool, suspended: bool, step: type[plan.Keep | plan.Suspend | plan.Delete]
) -> None:
    cronjob = live(settings)
    cronjob["spec"]["suspend"] = suspended
    cronjob["status"] = {"active": [{}]} if active else {}
    assert plan.retire(cronjob, NINE + timedelta(seconds=seconds)) == step(cronjob)


# --- news of shards ---------------------------------------------------------------------------------------------------


def test_news_of_a_shard_concerns_the_shard_though_somebody_took_its_labels(settings: Settings) -> None:
    cronjobs = Cache(concerned_by)
    made = live(settings)
    (concerned,) = cronjobs.put(made)
    assert isinstance(concerned, Shard)
    bare = {**made, "metadata": made["metadata"] | {"labels": {}, "annotations": {}, "resourceVersion": "8"}}
    (concerned,) = cronjobs.put(bare)
    assert isinstance(concerned, Shard)


# --- the memory of members --------------------------------------------------------------------------------------------

A, B = Key("team", "a"), Key("team", "b")


def test_changes_are_gathered_until_it_is_quiet_but_not_for_ever() -> None:
    members, pace = Members(), Pace(quiet=1.0, limit=3.0)
    assert members.rest(10.0, pace) == 0
    members.put(A, Member("a", 1), 10.0)
    assert members.rest(10.0, pace) == 1.0
    assert members.rest(11.0, pace) == 0
    members.put(B, Member("b", 1), 12.5)
    assert members.rest(12.5, pace) == 0.5
    members.wanted()
    members.drop(A, 13.0)
    assert members.rest(13.0, pace) == 1.0


def test_a_set_is_news_to_those_for_whom_it_changes() -> None:
    members = Members()
    members.put(A, Member("a", 1), 0.0)
    members.put(B, Member("b", 1), 0.0)
    assert set(members.apply(members.wanted())) == {A, B}
    members.put(A, Member("a, edited", 9), 0.0)
    members.drop(B, 0.0)
    assert set(members.waiting()) == {A}
    assert set(members.apply(members.wanted())) == {A, B}
    assert set(members.waiting()) == set()
    assert set(members.apply(members.wanted())) == set()


def test_a_set_is_known_when_all_who_were_members_before_the_start_were_looked_at() -> None:
    members = Members()
    members.remember(A)
    members.remember(B)
    assert not members.is_known
    members.put(A, Member("a", 1), 0.0)
    members.drop(B, 0.0)
    assert not members.is_known
    members.group = Group("team", "0 9 * * *", "Etc/UTC")
    assert members.is_known
    assert [*members.wanted()] == [A]
