"""How the API follows the API server: news, gaps, outages, and its own writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.process import running
from tests.operator.world import schedule
from tests.support.api_proxy import proxied

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.operator.world import World
    from tests.support.api_proxy import ApiProxy

PATIENCE_SECONDS = 30


@pytest.fixture
def proxy(world: World, tmp_path: Path) -> Iterator[ApiProxy]:
    with proxied(world.cluster.kubeconfig, tmp_path) as made:
        yield made


@pytest.fixture
def api(proxy: ApiProxy, world: World, platform: Platform) -> Iterator[Api]:
    """Give an API that reaches the API server by the proxy, in pages of two."""
    world.kubectl("delete", "graphschedules", "--all")
    with running(proxy.kubeconfig, world.namespace, platform.url, list_chunk="2") as made:
        yield made


def until(holds: Callable[[], object]) -> None:
    """Ask until something holds: the API tells nobody of its news."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def names(api: Api) -> set[str]:
    return {each["name"] for each in api.result("get_graph_execution_schedules")}


def add(api: Api, platform: Platform) -> dict[str, Any]:
    graph = platform.graph
    made: dict[str, Any] = api.result(
        "add_graph_execution_schedule",
        user_id=graph.user_id,
        graph_id=graph.id,
        graph_version=graph.version,
        cron="0 9 * * 1",
        input_data={},
        input_credentials={},
    )
    return made


def make(world: World, *wanted: str) -> None:
    items = [schedule(name) for name in wanted]
    world.kubectl("apply", "--filename", "-", given={"apiVersion": "v1", "kind": "List", "items": items})


def test_what_is_there_before_the_start_is_known_page_by_page(
    world: World, platform: Platform, proxy: ApiProxy
) -> None:
    world.kubectl("delete", "graphschedules", "--all")
    make(world, *"abcde")
    with running(proxy.kubeconfig, world.namespace, platform.url, list_chunk="2") as api:
        assert names(api) == set("abcde")
        pages = [request for request in proxy.until(len) if "limit=2" in request.path]
        assert len(pages) == 3


def test_news_is_followed(api: Api, world: World) -> None:
    make(world, "a", "b")
    until(lambda: names(api) == {"a", "b"})
    world.kubectl("delete", "graphschedule", "a")
    world.patch("graphschedule", "b", {"spec": {"graph": {"id": "other"}}})
    until(lambda: names(api) == {"b"} and api.result("get_graph_execution_schedules", graph_id="other"))
    assert api.result("get_graph_execution_schedules", graph_id="graph-1") == []
    assert api.metric("graphschedule_api_schedules") == 1


def test_what_changes_while_the_watch_has_lost_its_place_is_found_by_a_list(
    api: Api, world: World, proxy: ApiProxy
) -> None:
    make(world, "changed", "deleted", "replaced", "same")
    until(lambda: len(names(api)) == 4)
    with proxy.gap():
        world.kubectl("delete", "graphschedule", "deleted", "replaced")
        world.patch("graphschedule", "changed", {"spec": {"userId": "user-1", "displayName": "renamed"}})
        make(world, "replaced", "new")
    until(lambda: names(api) == {"renamed", "replaced", "same", "new"})
    assert api.metric("graphschedule_api_relists_total") == 2
    make(world, "later")
    until(lambda: "later" in names(api))


def test_a_watch_that_breaks_goes_on_where_it_was(api: Api, world: World, proxy: ApiProxy) -> None:
    make(world, "a", "b")
    until(lambda: len(names(api)) == 2)
    with proxy.gap(status=500):
        world.kubectl("delete", "graphschedule", "a")
        make(world, "c")
    until(lambda: names(api) == {"b", "c"})
    assert api.metric("graphschedule_api_relists_total") == 1


def test_what_was_written_is_read_at_once_though_the_watch_is_silent(
    api: Api, platform: Platform, proxy: ApiProxy
) -> None:
    proxy.until(lambda requests: any(request.watches for request in requests))
    proxy.mute()
    made = add(api, platform)
    own = {"schedule_id": made["id"], "user_id": made["user_id"]}
    assert names(api) == {made["name"]}
    api.result("pause_execution_schedule", **own)
    assert names(api) == set()
    api.result("resume_execution_schedule", **own)
    assert names(api) == {made["name"]}
    api.result("delete_graph_execution_schedule", **own)
    assert names(api) == set()


def test_what_was_made_through_another_replica_is_found_before_the_watch_tells_of_it(
    api: Api, world: World, platform: Platform, proxy: ApiProxy
) -> None:
    proxy.until(lambda requests: any(request.watches for request in requests))
    proxy.mute()
    with running(world.cluster.kubeconfig, world.namespace, platform.url) as other:
        made = add(other, platform)
    own = {"schedule_id": made["id"], "user_id": made["user_id"]}
    assert api.result("delete_graph_execution_schedule", **own)["id"] == made["id"]


def test_a_schedule_that_is_gone_by_now_is_not_found_and_known_no_more(
    api: Api, world: World, platform: Platform, proxy: ApiProxy
) -> None:
    made = add(api, platform)
    proxy.until(lambda requests: any(request.watches for request in requests))
    proxy.mute()
    world.kubectl("delete", "graphschedule", made["name"])
    own = {"schedule_id": made["id"], "user_id": made["user_id"]}
    status, refusal = api.error("pause_execution_schedule", **own)
    assert (status, refusal["type"]) == (400, "NotFoundError")
    assert names(api) == set()


def test_without_an_api_server_reads_tell_their_age_and_writes_are_refused(
    api: Api, platform: Platform, proxy: ApiProxy
) -> None:
    made = add(api, platform)
    assert "Age" not in api.call("get_graph_execution_schedules").headers
    with proxy.gap():
        until(lambda: "Age" in api.call("get_graph_execution_schedules").headers)
        assert api.metric("graphschedule_api_cache_age_seconds") > 0
        assert names(api) == {made["name"]}
        proxy.fail("POST", "graphschedules", times=1, status=500)
        proxy.fail("PATCH", "graphschedules", times=1, status=503)
        own = {"schedule_id": made["id"], "user_id": made["user_id"]}
        for method, members in (
            ("add_graph_execution_schedule", new_of(made)),
            ("pause_execution_schedule", own),
        ):
            status, refusal = api.error(method, **members)
            assert (status, refusal["type"]) == (503, "ServiceUnavailableError")
            assert "on purpose" not in str(refusal)
        assert api.http.get("/readyz").status_code == 200
    until(lambda: "Age" not in api.call("get_graph_execution_schedules").headers)


def new_of(made: dict[str, Any]) -> dict[str, Any]:
    """Return the body that adds a schedule once more."""
    given = ("user_id", "graph_id", "graph_version", "cron", "input_data", "input_credentials")
    return {name: made[name] for name in given}


def test_a_busy_api_server_is_asked_again_after_the_pause_that_it_wants(
    api: Api, platform: Platform, proxy: ApiProxy
) -> None:
    fault = proxy.fail("POST", "graphschedules", times=2, status=429, retry_after=0)
    assert add(api, platform)["id"]
    assert fault.times == 0
