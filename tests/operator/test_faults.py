"""The operator when the API server, the way to it, or the operator itself fails: what the world becomes even so."""

from __future__ import annotations

import random
import signal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.operator.sets import GROUPED, the_shard, until_members
from tests.operator.world import World, condition, new_world, operator, schedule
from tests.support.api_proxy import ApiProxy, Request, proxied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from dev.cluster import Cluster

Object = dict[str, Any]


@pytest.fixture
def world(control_plane: Cluster) -> Iterator[World]:
    with new_world(control_plane) as made:
        yield made


@pytest.fixture
def proxy(control_plane: Cluster, tmp_path: Path) -> Iterator[ApiProxy]:
    with proxied(control_plane.kubeconfig, tmp_path) as running:
        yield running


def create(world: World, names: Sequence[str], **spec: object) -> None:
    items = [schedule(name, **spec) for name in names]
    world.kubectl("create", "--filename", "-", given={"apiVersion": "v1", "kind": "List", "items": items})


def watching(count: int) -> Callable[[list[Request]], bool]:
    """Return what holds once as many watches were asked for."""
    return lambda requests: sum(request.watches for request in requests) >= count


def assert_true(world: World, names: Sequence[str]) -> None:
    """Assert that the world has a CronJob for each of the schedules and no other, and that every status is true."""
    schedules = {item["metadata"]["name"]: item for item in world.all("graphschedule")}
    cronjobs = {item["metadata"]["name"]: item for item in world.all("cronjob")}
    assert sorted(schedules) == sorted(cronjobs) == sorted(names)
    for name, obj in schedules.items():
        made, ready = cronjobs[name], condition(obj, "Ready")
        assert [owner["uid"] for owner in made["metadata"]["ownerReferences"]] == [obj["metadata"]["uid"]]
        assert (made["spec"]["schedule"], made["spec"]["suspend"]) == (obj["spec"]["cron"], False)
        assert (ready["status"], ready["observedGeneration"]) == ("True", obj["metadata"]["generation"])
        assert obj["status"]["cronJobName"] == name


def until_ready(world: World, names: Sequence[str]) -> None:
    for name in names:
        world.until_condition(name, "Ready", "Ready")


# --- watches --------------------------------------------------------------------------------------------------------


def test_a_watch_that_falls_silent_is_opened_anew(world: World, proxy: ApiProxy) -> None:
    with operator(world, proxy.kubeconfig, silence_seconds="3"):
        world.apply("early")
        world.until_condition("early", "Ready", "Ready")
        proxy.until(watching(2))
        proxy.mute()
        world.apply("late")
        world.apply("early", cron="1 1 1 1 *")
        until_ready(world, ["early", "late"])
    assert_true(world, ["early", "late"])


def test_a_watch_that_fails_in_a_way_of_its_own_is_begun_anew(world: World, proxy: ApiProxy) -> None:
    with operator(world, proxy.kubeconfig) as running:
        world.apply("early")
        world.until_condition("early", "Ready", "Ready")
        proxy.until(watching(2))
        with proxy.gap(status=500):
            world.apply("early", cron="1 1 1 1 *")
            world.apply("late")
        until_ready(world, ["early", "late"])
        assert running.process.poll() is None
    assert_true(world, ["early", "late"])


# --- refusals and losses --------------------------------------------------------------------------------------------


def test_retry_after_holds_every_request_back(world: World, proxy: ApiProxy) -> None:
    names = [f"many-{number}" for number in range(40)]
    with operator(world, proxy.kubeconfig):
        proxy.until(watching(2))
        busy = proxy.fail("PATCH", "/cronjobs/many-", times=1, status=429, retry_after=2)
        create(world, names)
        proxy.until_spent(busy)
        until_ready(world, names)
    writes = [request.at for request in proxy.until(bool) if request.method == "PATCH"]
    # Those that were under way already when the refusal came are no more than the workers.
    pauses = [later - earlier for earlier, later in pairwise(writes[:20])]
    assert max(pauses) >= 1.9
    assert_true(world, names)


def test_a_busy_server_delays_the_start_and_no_more(world: World, proxy: ApiProxy) -> None:
    create(world, ["early"])
    proxy.fail("GET", "/graphschedules", times=2, status=429, retry_after=1)
    proxy.fail("GET", "watch=true", times=2, status=429, retry_after=1)
    with operator(world, proxy.kubeconfig):
        world.apply("late")
        until_ready(world, ["early", "late"])
    assert_true(world, ["early", "late"])


def test_a_list_that_expires_between_its_pages_is_read_from_its_start(world: World, proxy: ApiProxy) -> None:
    names = ["first", "second", "third"]
    create(world, names)
    expired = proxy.fail("GET", "continue=", times=1, status=410)
    with operator(world, proxy.kubeconfig, list_chunk="1"):
        proxy.until_spent(expired)
        until_ready(world, names)
    assert_true(world, names)


def test_conflicts_are_tried_again(world: World, proxy: ApiProxy) -> None:
    with operator(world, proxy.kubeconfig):
        faults = [proxy.fail("PATCH", part, times=3, status=409) for part in ("/cronjobs/ours", "/ours/status")]
        world.apply("ours", timeZone=None)
        for fault in faults:
            proxy.until_spent(fault)
        until_ready(world, ["ours"])
        world.until_events("ours", ("Warning", "TimeZoneDefaulted"))
    assert_true(world, ["ours"])


def test_a_field_that_another_manager_took_by_force_is_taken_back(world: World) -> None:
    with operator(world):
        world.apply("ours")
        until_ready(world, ["ours"])
        theirs = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "ours"}, "spec": {"suspend": True}}
        flags = ("--server-side", "--force-conflicts", "--field-manager=somebody", "--validate=false")
        world.kubectl("apply", *flags, "--filename", "-", given=theirs)

        def owned(cronjob: Object) -> bool:
            managers = {entry["manager"] for entry in cronjob["metadata"]["managedFields"]}
            return not cronjob["spec"]["suspend"] and "somebody" not in managers

        world.until("cronjob", "ours", owned)
    assert_true(world, ["ours"])


def test_an_answer_that_is_lost_makes_nothing_twice(world: World, proxy: ApiProxy) -> None:
    names = [f"many-{number}" for number in range(6)]
    with operator(world, proxy.kubeconfig):
        proxy.until(watching(2))
        faults = [proxy.lose("PATCH", "/cronjobs/", times=4), proxy.lose("PATCH", "/status", times=4)]
        create(world, names)
        until_ready(world, names)
        for fault in faults:
            proxy.until_spent(fault)
        until_ready(world, names)
    assert_true(world, names)


def test_a_server_that_breaks_now_and_then_is_worn_down(world: World, proxy: ApiProxy) -> None:
    names = [f"many-{number}" for number in range(6)]
    with operator(world, proxy.kubeconfig):
        faults = [proxy.fail(method, "", times=6, status=503) for method in ("PATCH", "GET")]
        create(world, names)
        until_ready(world, names)
        for fault in faults[:1]:
            proxy.until_spent(fault)
    assert_true(world, names)


# --- schedules that fire together -----------------------------------------------------------------------------------


def until_together(world: World, names: Sequence[str]) -> None:
    """Wait until schedules are ready, and assert that one shard fires them and nobody else."""
    until_ready(world, names)
    shard = str(the_shard(world)["metadata"]["name"])
    until_members(world, shard, *names)
    assert {item["status"]["cronJobName"] for item in world.all("graphschedule")} == {shard}


def test_answers_about_a_shard_that_are_lost_make_nothing_twice(world: World, proxy: ApiProxy) -> None:
    names = [f"many-{number}" for number in range(6)]
    with operator(world, proxy.kubeconfig):
        proxy.until(watching(2))
        parts = [("PATCH", "/cronjobs/"), ("POST", "/secrets"), ("PATCH", "/status")]
        faults = [proxy.lose(method, part, times=2) for method, part in parts]
        create(world, names, **GROUPED)
        for fault in faults:
            proxy.until_spent(fault)
        until_together(world, names)
    assert len(world.all("secret")) <= 2


@pytest.mark.parametrize("status", [409, 429, 503])
def test_a_shard_that_cannot_be_written_is_tried_again(world: World, proxy: ApiProxy, status: int) -> None:
    with operator(world, proxy.kubeconfig):
        fault = proxy.fail("PATCH", "/cronjobs/", times=3, status=status)
        create(world, ["a", "b"], **GROUPED)
        proxy.until_spent(fault)
        until_together(world, ["a", "b"])


def test_what_happened_to_a_shard_while_watches_were_down_is_found(world: World, proxy: ApiProxy) -> None:
    with operator(world, proxy.kubeconfig):
        proxy.until(watching(2))
        create(world, ["deleted", "edited", "untouched"], **GROUPED)
        until_together(world, ["deleted", "edited", "untouched"])
        shard = the_shard(world)
        with proxy.gap():
            world.kubectl("delete", "graphschedule", "deleted")
            world.kubectl("delete", "cronjob", shard["metadata"]["name"])
            world.apply("edited", **GROUPED, inputs={"topic": "weather"})
        made = world.until(
            "cronjob", shard["metadata"]["name"], lambda it: it["metadata"]["uid"] != shard["metadata"]["uid"]
        )
        until_together(world, ["edited", "untouched"])
        assert until_members(world, made["metadata"]["name"], "edited", "untouched")["edited"].inputs == {
            "topic": "weather"
        }


# --- ends -----------------------------------------------------------------------------------------------------------


def test_the_operator_outlives_a_restart_of_the_api_server(world: World) -> None:
    before, after = [f"before-{number}" for number in range(20)], ["after"]
    with operator(world) as running:
        create(world, before)
        world.cluster.restart_api_server()
        create(world, after)
        until_ready(world, [*before, *after])
        world.kubectl("delete", "cronjob", "before-0")
        world.kubectl("delete", "graphschedule", "before-1")
        world.until_gone("cronjob", "before-1")
        world.until("cronjob", "before-0", lambda _: True)
        assert running.process.poll() is None
        assert running.get("/readyz") == (200, "ready\n")
        until_ready(world, ["before-0"])
    assert_true(world, [name for name in [*before, *after] if name != "before-1"])


def test_an_operator_killed_again_and_again_amid_hundreds_of_schedules_converges(world: World) -> None:
    names = [f"many-{number}" for number in range(300)]
    # Ever more CronJobs are there at each kill.
    moments = sorted(random.Random(5).sample(range(10, 290), 4))
    create(world, names, timeZone=None)
    for moment in moments:
        with operator(world) as killed:
            world.until_count("cronjob", moment)
            killed.stop(signal.SIGKILL)
    with operator(world):
        world.until_count("graphschedule", len(names), lambda obj: condition(obj, "Ready").get("status") == "True")
    assert_true(world, names)
    told: dict[str, int] = {}
    for event in world.all("event"):
        name = event["regarding"]["name"]
        told[name] = told.get(name, 0) + 1
    assert set(told.values()) == {1}
    # A kill between a status and its Event loses the Event; no more than were in hand.
    assert len(told) >= len(names) - 16 * len(moments)


# --- deletion: last, for the garbage collector looks for new kinds only every 30 seconds ------------------------------


def test_what_was_deleted_while_watches_were_down_and_expired_is_found(world: World, proxy: ApiProxy) -> None:
    names = ["deleted", "bereft", "edited", "untouched"]
    with operator(world, proxy.kubeconfig) as running:
        proxy.until(watching(2))
        create(world, names)
        until_ready(world, names)
        with proxy.gap():
            world.kubectl("delete", "graphschedule", "deleted")
            world.until_gone("cronjob", "deleted")
            world.kubectl("delete", "cronjob", "bereft")
            world.apply("edited", cron="1 1 1 1 *")
        world.until("cronjob", "bereft", lambda _: True)
        world.until("cronjob", "edited", lambda cronjob: cronjob["spec"]["schedule"] == "1 1 1 1 *")
        until_ready(world, names[1:])
        running.until_metric('graphschedule_schedules{state="active"}', 3)
    assert_true(world, names[1:])
