"""The one step that is taken for a CronJob, for every state of the world."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_operator import plan
from graphschedule_operator.desired import accept, desired

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from graphschedule_operator.settings import Settings

OTHER = "ffffffff-0000-4000-8000-000000000000"


@pytest.fixture
def schedule(make_schedule: Callable[..., dict[str, Any]]) -> dict[str, Any]:
    return make_schedule()


@pytest.fixture
def wanted(schedule: dict[str, Any], settings: Settings, now: datetime) -> dict[str, Any]:
    return dict(desired(schedule, accept(schedule, now), settings))


@pytest.fixture
def live(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the wanted CronJob as the server holds it, with a default of the server's."""
    applied = copy.deepcopy(wanted)
    applied["spec"]["jobTemplate"]["spec"]["template"]["spec"]["schedulerName"] = "default-scheduler"
    return applied


def test_nothing_is_created_for_a_spec_that_cannot_be_used(schedule: dict[str, Any]) -> None:
    assert plan.plan(schedule, None, None) == plan.Keep(None)


def test_a_cronjob_that_is_not_there_is_created(schedule: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert plan.plan(schedule, wanted, None) == plan.Create(wanted)


def test_a_cronjob_as_wanted_is_kept(schedule: dict[str, Any], wanted: dict[str, Any], live: dict[str, Any]) -> None:
    assert plan.plan(schedule, wanted, live) == plan.Keep(live)


@pytest.mark.parametrize(
    ("edits", "forget_missed"),
    [
        ({"schedule": "0 8 * * *"}, True),
        ({"timeZone": "Etc/UTC"}, True),
        ({"suspend": True}, True),
        ({"concurrencyPolicy": "Forbid"}, False),
    ],
)
def test_an_edited_cronjob_is_put_back_and_makes_up_no_slot_of_another_schedule(
    schedule: dict[str, Any],
    wanted: dict[str, Any],
    live: dict[str, Any],
    edits: dict[str, Any],
    *,
    forget_missed: bool,
) -> None:
    live["spec"] |= edits
    assert plan.plan(schedule, wanted, live) == plan.Update(wanted, live, forget_missed=forget_missed)


def test_suspending_needs_no_forgetting(schedule: dict[str, Any], wanted: dict[str, Any], live: dict[str, Any]) -> None:
    wanted["spec"]["suspend"] = True
    live["spec"]["schedule"] = "0 8 * * *"
    assert plan.plan(schedule, wanted, live) == plan.Update(wanted, live, forget_missed=False)


def test_a_field_we_no_longer_set_is_an_update_because_the_hash_differs(
    schedule: dict[str, Any], wanted: dict[str, Any], live: dict[str, Any]
) -> None:
    live["metadata"]["annotations"] = {"graphschedule.io/applied-hash": "of an earlier manifest"}
    assert plan.plan(schedule, wanted, live) == plan.Update(wanted, live, forget_missed=False)


def test_a_cronjob_of_a_spec_that_became_unusable_is_suspended_once(
    schedule: dict[str, Any], live: dict[str, Any]
) -> None:
    assert plan.plan(schedule, None, live) == plan.Suspend(live)
    live["spec"]["suspend"] = True
    assert plan.plan(schedule, None, live) == plan.Keep(live)


def owner(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "graphschedule.io/v1", "kind": kind, "name": name, "uid": OTHER, "controller": True}


@pytest.mark.parametrize(
    ("owners", "step"),
    [
        ([], plan.Refuse("nobody")),
        ([owner("Rollout", "daily")], plan.Refuse("Rollout daily")),
        ([owner("GraphSchedule", "other")], plan.Refuse("GraphSchedule other")),
        ([owner("GraphSchedule", "daily")], plan.Wait()),
        ([owner("GraphSchedule", "daily") | {"controller": False}], plan.Refuse("nobody")),
    ],
)
@pytest.mark.parametrize("usable", [True, False])
def test_a_cronjob_of_somebody_else_is_left_alone(
    schedule: dict[str, Any],
    wanted: dict[str, Any],
    live: dict[str, Any],
    owners: list[dict[str, Any]],
    step: plan.Step,
    *,
    usable: bool,
) -> None:
    live["metadata"]["ownerReferences"] = owners
    assert plan.plan(schedule, wanted if usable else None, live) == step
