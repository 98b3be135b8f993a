"""REST on a real API server: schedules made, read, listed, changed and deleted, and what is said of errors."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels

from tests.api.process import running
from tests.api.rest import Rest
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.api.rest import Query
    from tests.api.tokens import Issuer
    from tests.operator.world import World


@pytest.fixture(scope="module")
def api(world: World, platform: Platform, issuer: Issuer) -> Iterator[Api]:
    with running(world.cluster.kubeconfig, world.namespace, platform.url, jwt=issuer.settings()) as made:
        yield made


@pytest.fixture
def rest(api: Api, issuer: Issuer, user: str) -> Rest:
    """Give REST as a user of the platform sees it."""
    return Rest(api, issuer.token(user))


@pytest.fixture
def admin(api: Api, issuer: Issuer) -> Rest:
    return Rest(api, issuer.token("the-admin", role="admin"))


def draft(user: str, **members: object) -> dict[str, Any]:
    """Return what a schedule is asked for by; None leaves a member out."""
    whole = {
        "graph": {"id": user, "version": 3},
        "userId": user,
        "displayName": "Mondays",
        "cron": "0 9 * * mon",
        "timeZone": "Europe/Berlin",
        "inputs": {"text": "hello"},
    } | members
    return {name: value for name, value in whole.items() if value is not None}


# --- making and reading -----------------------------------------------------------------------------------------------


def test_a_schedule_is_made_placed_and_read_back(rest: Rest, world: World, user: str) -> None:
    answer = rest.ask("POST", "/schedules", draft(user))
    assert answer.status_code == 201
    made = answer.json()
    assert answer.headers["Location"] == f"/v1/schedules/{made['id']}"
    assert {name: made[name] for name in draft(user)} == draft(user)
    assert (made["namespace"], made["name"]) == (world.namespace, f"schedule-{made['id']}")
    assert (made["paused"], made["ready"], made["status"]) == (False, False, {})
    utc, local = (datetime.fromisoformat(made["nextRun"][name]) for name in ("utc", "local"))
    assert utc == local
    assert (utc.utcoffset(), local.isoweekday(), local.hour) == (timedelta(), 1, 9)
    read = rest.ask("GET", f"/schedules/{made['id']}")
    assert read.json() == made
    assert read.headers["ETag"] == answer.headers["ETag"]
    resource = world.get("graphschedule", made["name"])
    assert resource is not None
    assert answer.headers["ETag"] == f'"{resource["metadata"]["resourceVersion"]}"'


def test_a_user_need_not_say_who_it_is_but_an_administrator_must_say_for_whom(
    rest: Rest, admin: Rest, user: str
) -> None:
    assert rest.create(draft(user, userId=None))["userId"] == user
    status, kind, told = admin.problem("POST", "/schedules", draft(user, userId=None))
    assert (status, kind, told["errors"][0]["field"]) == (422, "invalid", "userId")
    assert admin.create(draft(user))["userId"] == user


def test_a_namespace_whose_quota_is_used_up_says_so(rest: Rest, world: World, user: str) -> None:
    world.kubectl("create", "quota", "full", "--hard", f"count/{labels.PLURAL}.{labels.GROUP}=0")
    try:
        # The API server watches quotas, so a new one holds after a moment.
        for _ in range(200):
            if rest.ask("POST", "/schedules", draft(user)).status_code != 201:
                break
        status, kind, told = rest.problem("POST", "/schedules", draft(user))
    finally:
        world.kubectl("delete", "quota", "full")
    assert (status, kind) == (409, "conflict")
    assert "quota: full" in told["detail"]


@pytest.mark.parametrize(
    ("members", "field", "words"),
    [
        ({"cron": "0 0 9 * * 1"}, "cron", "6 fields"),
        ({"cron": "0 0 30 2 *"}, "cron", "never fire"),
        ({"cron": None}, "cron", "required"),
        ({"timeZone": "Mars/Olympus"}, "timeZone", "IANA"),
        ({"graph": {"id": "a/b"}}, "graph.id", "match"),
        ({"graph": {"id": "a", "version": "three"}}, "graph.version", "integer"),
        ({"surprise": 1}, "surprise", "Extra inputs"),
        ({"inputs": [1]}, "inputs", "dictionary"),
        ({"inputs": {"text": "x" * 200_000}}, "inputs and credentials", "bytes"),
        ({"inputs": {"number": 2**64}}, "inputs and credentials", "64 bits"),
        ({"inputsFrom": [{"key": "token"}]}, "inputsFrom.0", "secretRef"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    rest: Rest, user: str, members: dict[str, object], field: str, words: str
) -> None:
    status, kind, told = rest.problem("POST", "/schedules", draft(user, **members))
    assert (status, kind) == (422, "invalid")
    assert told["errors"][0]["field"] == field
    assert words in told["errors"][0]["message"]


def test_a_graph_that_cannot_be_run_is_refused_with_its_nodes_errors(rest: Rest, user: str, platform: Platform) -> None:
    status, kind, told = rest.problem("POST", "/schedules", draft(user, graph={"id": builders.new_id()}))
    assert (status, kind, told["reason"]) == (422, "invalid", "GraphNotFound")
    with platform.engine.begin() as connection:
        block = builders.STORE_VALUE_BLOCK
        builders.make_block(connection, block, name="StoreValueBlock", input_schema=builders.STORE_VALUE_SCHEMA)
        node = builders.Node(block)
        graph = builders.make_graph(connection, user, [node])
        builders.make_library_agent(connection, graph)
    wanted = draft(user, graph={"id": graph.id})
    status, kind, told = rest.problem("POST", "/schedules", wanted)
    assert (status, kind, told["reason"]) == (422, "invalid", "GraphInvalid")
    assert told["nodeErrors"] == {node.id: {"input": "This field is required"}}


LONE_SURROGATE = b'{"graph": {"id": "g"}, "cron": "* * * * *", "inputs": {"text": "\\ud800"}}'


@pytest.mark.parametrize(
    ("content", "headers", "status", "kind"),
    [
        (b"{", {"Content-Type": "application/json"}, 400, "bad-request"),
        (b"\xff", {"Content-Type": "application/json"}, 400, "bad-request"),
        (b"[]", {"Content-Type": "application/json"}, 422, "invalid"),
        (b"", {"Content-Type": "application/json"}, 422, "invalid"),
        (LONE_SURROGATE, {"Content-Type": "application/json"}, 422, "invalid"),
        (b'{"\\ud800": 1}', {"Content-Type": "application/json"}, 422, "invalid"),
        (b"{}", {"Content-Type": "text/plain"}, 415, "unsupported-media-type"),
        (b"{}", {}, 415, "unsupported-media-type"),
        (b" " * 1_100_000, {"Content-Type": "application/json"}, 413, "too-large"),
    ],
)
def test_a_body_that_cannot_be_read_is_told(
    api: Api, issuer: Issuer, user: str, content: bytes, headers: dict[str, str], status: int, kind: str
) -> None:
    headers = headers | {"Authorization": f"Bearer {issuer.token(user)}"}
    for body in (content, iter([content])) if content else (content,):
        answer = api.http.post("/v1/schedules", content=body, headers=headers)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (status, kind), answer.text


def test_what_is_not_there_is_a_problem_too(rest: Rest) -> None:
    for path in (f"/schedules/{builders.new_id()}", "/schedules/x", "/nothing", f"/schedules/{builders.new_id()}/runs"):
        assert rest.problem("GET", path)[:2] == (404, "not-found")
    assert rest.problem("DELETE", "/schedules")[:2] == (405, "method-not-allowed")


# --- idempotency ------------------------------------------------------------------------------------------------------


def test_with_the_same_key_the_same_schedule_is_made_once_also_through_other_replicas(
    rest: Rest, world: World, platform: Platform, issuer: Issuer, user: str
) -> None:
    key = {"Idempotency-Key": "monday"}
    made = rest.create(draft(user), key)
    assert uuid.UUID(made["id"]).version == 5
    assert rest.create(draft(user, userId=None), key) == made
    with running(world.cluster.kubeconfig, world.namespace, platform.url, jwt=issuer.settings()) as other:
        assert Rest(other, issuer.token(user)).create(draft(user), key)["id"] == made["id"]
    assert len(rest.get("/schedules")["items"]) == 1
    resource = world.get("graphschedule", made["name"])
    assert resource is not None
    assert [*resource["metadata"]["annotations"]] == [labels.REQUEST_ANNOTATION]


def test_with_the_same_key_another_schedule_is_refused(rest: Rest, user: str) -> None:
    key = {"Idempotency-Key": "monday"}
    rest.create(draft(user), key)
    status, kind, told = rest.problem("POST", "/schedules", draft(user, cron="0 8 * * *"), key)
    assert (status, kind) == (409, "conflict")
    assert "idempotency key" in told["detail"]


def test_many_who_use_one_key_at_once_make_one_schedule(rest: Rest, user: str) -> None:
    key = {"Idempotency-Key": "monday"}
    with ThreadPoolExecutor(8) as callers:
        made = [*callers.map(lambda _: rest.create(draft(user), key), range(8))]
    assert len({each["id"] for each in made}) == 1
    assert len(rest.get("/schedules")["items"]) == 1


# --- listing ----------------------------------------------------------------------------------------------------------


def test_a_list_is_chosen_by_user_graph_and_state(rest: Rest, admin: Rest, world: World, user: str) -> None:
    plain, paused = rest.create(draft(user)), rest.create(draft(user, suspend=True))
    ready = rest.create(draft(user, cron="0 8 * * *"))
    condition = {
        "type": "Ready",
        "status": "True",
        "reason": "Ready",
        "message": "",
        "lastTransitionTime": "2026-05-04T09:00:00Z",
        "observedGeneration": 1,
    }
    world.patch("graphschedule", ready["name"], {"status": {"conditions": [condition]}}, "--subresource=status")
    while not (found := ids(rest, ready=True)):
        continue
    assert found == [ready["id"]]
    assert ids(rest, paused=True) == [paused["id"]]
    assert set(ids(rest, paused=False)) == {plain["id"], ready["id"]}
    assert set(ids(rest, graphId=user)) == set(ids(admin, userId=user)) == {plain["id"], paused["id"], ready["id"]}
    assert ids(rest, graphId=builders.new_id()) == ids(admin, userId=builders.new_id()) == []
    assert rest.get(f"/schedules/{paused['id']}")["nextRun"] is None


def ids(rest: Rest, **query: Query) -> list[str]:
    return [each["id"] for each in rest.get("/schedules", **query)["items"]]


@pytest.mark.parametrize("sort", ["createdAt", "name", "nextRun"])
def test_pages_follow_one_another_in_order_and_lose_none(rest: Rest, user: str, sort: str) -> None:
    hours = (5, 3, 9, 3, 1)
    made = [rest.create(draft(user, cron=f"0 {hour} * * *", suspend=hour == 9)) for hour in hours]

    def pages(sort: str, limit: int) -> list[str]:
        listed: list[str] = []
        cursor = None
        while True:
            page = rest.get("/schedules", sort=sort, limit=limit, cursor=cursor)
            assert 0 < len(page["items"]) <= limit
            listed += [each["id"] for each in page["items"]]
            cursor = page["nextCursor"]
            if cursor is None:
                return listed

    whole = pages(sort, 100)
    assert set(whole) == {each["id"] for each in made}
    assert pages(sort, 2) == whole
    assert pages(f"-{sort}", 2) == whole[::-1]
    if sort == "nextRun":
        assert whole[-1] == made[2]["id"]


@pytest.mark.parametrize("cursor", ["x", "e30", "bnVsbA", "WyJuYW1lIiwiYSIsImIiXQ", "ä", "WzEsMiwzXQ"])
def test_a_cursor_of_nobodys_is_refused(rest: Rest, cursor: str) -> None:
    assert rest.problem("GET", "/schedules", cursor=cursor)[:2] == (400, "bad-request")
    assert rest.problem("GET", "/schedules", limit=0)[:2] == (422, "invalid")
    assert rest.problem("GET", "/schedules", sort="colour")[:2] == (422, "invalid")


# --- changing ---------------------------------------------------------------------------------------------------------


def test_what_was_read_can_be_changed_and_sent_back(rest: Rest, user: str) -> None:
    made = rest.create(draft(user))
    answer = rest.ask("PUT", f"/schedules/{made['id']}", made | {"cron": "0 8 * * *"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["cron"] == "0 8 * * *"
    assert answer.json()["id"] == made["id"]


def test_a_schedule_is_replaced_whole_and_patched_in_part(rest: Rest, world: World, user: str) -> None:
    made = rest.create(draft(user, inputs={"text": "hello"}, agentName="agent"))
    path = f"/schedules/{made['id']}"
    replaced = rest.ask("PUT", path, draft(user, displayName=None, inputs={"other": None})).json()
    assert "displayName" not in replaced
    assert "agentName" not in replaced
    assert replaced["inputs"] == {"other": None}
    patch = {"timeZone": None, "inputs": {"other": None, "deep": {"a": 1}}, "graph": {"version": None}}
    patched = rest.ask("PATCH", path, patch, {"Content-Type": "application/merge-patch+json"})
    assert patched.status_code == 200, patched.text
    assert patched.json()["inputs"] == {"deep": {"a": 1}}
    assert patched.json()["graph"] == {"id": user}
    assert "timeZone" not in patched.json()
    resource = world.get("graphschedule", made["name"])
    assert resource is not None
    assert resource["spec"]["inputs"] == {"deep": {"a": 1}}


def test_a_change_is_judged_as_a_new_schedule_is(rest: Rest, user: str) -> None:
    made = rest.create(draft(user))
    path = f"/schedules/{made['id']}"
    for change in ({"cron": "x"}, {"cron": None}, {"graph": {"id": builders.new_id()}}, {"surprise": 1}):
        assert rest.problem("PATCH", path, change)[:2] == (422, "invalid")
        assert rest.problem("PUT", path, draft(user, **change))[:2] == (422, "invalid")
    assert rest.get(path)["cron"] == "0 9 * * mon"


def test_nobody_can_give_a_schedule_to_another_user(rest: Rest, admin: Rest, user: str, platform: Platform) -> None:
    made = rest.create(draft(user))
    path, other = f"/schedules/{made['id']}", builders.new_id()
    assert rest.problem("PATCH", path, {"userId": other})[:2] == (403, "forbidden")
    with platform.engine.begin() as connection:
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
    given = {"userId": graph.user_id, "graph": {"id": graph.id, "version": graph.version}, "inputs": None}
    status, kind, told = admin.problem("PATCH", path, given)
    assert (status, kind) == (422, "invalid")
    assert "userId" in told["detail"]


@pytest.mark.parametrize(
    ("method", "suffix", "body"),
    [
        ("PUT", "", {}),
        ("PATCH", "", {"cron": "0 8 * * *"}),
        ("DELETE", "", None),
        ("POST", ":pause", None),
    ],
)
def test_if_match_guards_every_change(rest: Rest, user: str, method: str, suffix: str, body: object) -> None:
    made = rest.create(draft(user))
    path = f"/schedules/{made['id']}"
    body = draft(user, cron="0 8 * * *") if method == "PUT" else body
    old = rest.ask("GET", path).headers["ETag"]
    rest.ask("PATCH", path, {"displayName": "renamed"})
    for tag in (old, '"1"', f"W/{rest.ask('GET', path).headers['ETag']}"):
        refused = rest.problem(method, path + suffix, body, {"If-Match": tag})
        assert refused[:2] == (412, "precondition-failed")
    assert rest.problem(method, path + suffix, body, {"If-Match": "123"})[:2] == (400, "bad-request")
    assert rest.get(path)["displayName"] == "renamed"
    present = rest.ask("GET", path).headers["ETag"]
    assert rest.ask(method, path + suffix, body, {"If-Match": f'"1", {present}'}).is_success


def test_if_match_notices_what_others_have_changed_though_no_news_has_come(rest: Rest, world: World, user: str) -> None:
    made = rest.create(draft(user))
    path = f"/schedules/{made['id']}"
    old = rest.ask("GET", path).headers["ETag"]
    world.patch("graphschedule", made["name"], {"spec": {"displayName": "renamed"}})
    assert rest.problem("DELETE", path, headers={"If-Match": old})[:2] == (412, "precondition-failed")
    assert rest.ask("DELETE", path, headers={"If-Match": "*"}).status_code == 204


def test_patches_at_once_lose_nothing(rest: Rest, user: str) -> None:
    made = rest.create(draft(user, inputs={}))
    path = f"/schedules/{made['id']}"
    with ThreadPoolExecutor(3) as callers:
        answers = [*callers.map(lambda n: rest.ask("PATCH", path, {"inputs": {f"n{n}": n}}), range(3))]
    done = {f"n{number}": number for number, answer in enumerate(answers) if answer.status_code == 200}
    assert all(answer.status_code in {200, 409} for answer in answers)
    assert done
    assert rest.get(path)["inputs"] == done


def test_a_schedule_is_paused_and_resumed(rest: Rest, user: str) -> None:
    made = rest.create(draft(user))
    path = f"/schedules/{made['id']}"
    for suffix, paused in ((":pause", True), (":pause", True), (":resume", False)):
        answer = rest.ask("POST", f"{path}{suffix}")
        assert (answer.status_code, answer.json()["paused"]) == (200, paused)
        assert rest.get(path)["paused"] is paused


def test_a_deleted_schedule_is_gone(rest: Rest, world: World, user: str) -> None:
    made = rest.create(draft(user))
    path = f"/schedules/{made['id']}"
    answer = rest.ask("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", ":pause"), ("GET", "/next-runs"), ("GET", "/runs")):
        assert rest.problem(method, path + suffix)[:2] == (404, "not-found")
    assert world.get("graphschedule", made["name"]) is None


# --- times ------------------------------------------------------------------------------------------------------------


def test_next_runs_are_told_in_zone_and_utc(rest: Rest, user: str) -> None:
    made = rest.create(draft(user, suspend=True))
    told = rest.get(f"/schedules/{made['id']}/next-runs", count=3)
    assert (told["timeZone"], told["paused"], len(told["items"])) == ("Europe/Berlin", True, 3)
    for each in told["items"]:
        local = datetime.fromisoformat(each["local"])
        assert (local.isoweekday(), local.hour, local.minute) == (1, 9, 0)
        assert each["utc"].endswith("Z")
        assert datetime.fromisoformat(each["utc"]) == local


def test_an_expression_is_previewed_with_those_that_are_due_then(rest: Rest, user: str) -> None:
    def due() -> list[int]:
        told = rest.get("/cron-preview", cron="17 3 * * *", timeZone="Europe/Berlin", count=2)
        assert [each["local"][11:16] for each in told["items"]] == ["03:17"] * 2
        return [each["schedules"] for each in told["items"]]

    assert due() == [0, 0]
    for members in ({"cron": "17 3 * * *"}, {"cron": "*/17 3 * * *"}, {"cron": "17 3 * * *", "suspend": True}):
        rest.create(draft(user, **members))
    tomorrow = datetime.now(UTC) + timedelta(days=2)
    rest.create(draft(user, cron="17 3 * * *", timeZone="Asia/Tokyo"))
    rest.create(draft(user, cron=f"17 3 {(tomorrow + timedelta(days=5)).day} * *"))
    assert due() == [2, 2]


@pytest.mark.parametrize(
    ("cron", "canonical", "words"),
    [
        ("0 9 * * 1", "0 9 * * 1", "At 09:00, only on Monday"),
        ("0 9 * * 7", "0 9 * * 0", "At 09:00, only on Sunday"),
        ("30 22 * * fri-mon", "30 22 * * 0,1,5,6", "At 22:30, only on Sunday, Monday, Friday, and Saturday"),
        ("0 9 13 * mon-fri", "0 9 13 * 1-5", "or on Monday, Tuesday, Wednesday, Thursday, and Friday"),
        ("*/5 * * * *", "*/5 * * * *", "Every 5 minutes"),
    ],
)
def test_an_expression_is_told_in_words_with_unix_weekdays(rest: Rest, cron: str, canonical: str, words: str) -> None:
    told = rest.get("/cron-preview", cron=cron)
    assert (told["canonical"], told["timeZone"]) == (canonical, "UTC")
    assert told["description"].endswith(words)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"cron": "0 0 9 * * 1"}, "cron"),
        ({"cron": "0 9 * * *", "timeZone": "Mars/Olympus"}, "timeZone"),
        ({}, "cron"),
        ({"cron": "0 9 * * *", "count": 101}, "count"),
    ],
)
def test_an_expression_that_cannot_be_used_is_told(rest: Rest, query: dict[str, Query], field: str) -> None:
    status, kind, told = rest.problem("GET", "/cron-preview", None, None, **query)
    assert (status, kind, told["errors"][0]["field"]) == (422, "invalid", field)
