"""The drop-in, by what C §5 says of paths, bodies, results and errors, on a real API server."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from graphschedule import labels

from tests.support import builders

if TYPE_CHECKING:
    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.operator.world import World

CREDENTIAL = {"id": "c-1", "title": "Mine", "provider": "github", "type": "api_key"}


def new(user: str, **members: object) -> dict[str, Any]:
    """Return the body of a schedule to add."""
    return {
        "user_id": user,
        "graph_id": user,
        "graph_version": 3,
        "cron": "0 9 * * 1",
        "input_data": {"text": "hello"},
        "input_credentials": {},
        "name": "Mondays",
        "user_timezone": "Europe/Berlin",
    } | members


def add(api: Api, user: str, **members: object) -> dict[str, Any]:
    made: dict[str, Any] = api.result("add_graph_execution_schedule", **new(user, **members))
    return made


def listed(api: Api, **filters: object) -> list[str]:
    return [each["id"] for each in api.result("get_graph_execution_schedules", **filters)]


# --- adding ---------------------------------------------------------------------------------------------------------


def test_a_schedule_is_added_and_told_as_the_platform_tells_it(api: Api, user: str) -> None:
    made = add(api, user, input_credentials={"github": CREDENTIAL})
    assert uuid.UUID(made["id"]).version == 4
    following = datetime.fromisoformat(made.pop("next_run_time"))
    assert made == {
        "schedule_id": made["id"],
        "user_id": user,
        "graph_id": user,
        "graph_version": 3,
        "agent_name": "Mondays",
        "cron": "0 9 * * 1",
        "input_data": {"text": "hello"},
        "input_credentials": {"github": CREDENTIAL},
        "id": made["id"],
        "name": "Mondays",
        "timezone": "Europe/Berlin",
    }
    local = following.astimezone(ZoneInfo("Europe/Berlin"))
    assert (local.isoweekday(), local.hour, local.minute) == (1, 9, 0)
    assert following.utcoffset() == local.utcoffset()
    assert timedelta() < following - datetime.now(UTC) <= timedelta(days=7)


def test_a_schedule_is_a_resource_with_its_id_as_a_label(api: Api, world: World, user: str) -> None:
    made = add(api, user)
    resource = world.get("graphschedule", f"schedule-{made['id']}")
    assert resource is not None
    assert resource["metadata"]["labels"] == {labels.SCHEDULE_ID_LABEL: made["id"]}
    assert resource["spec"] == {
        "graph": {"id": user, "version": 3},
        "userId": user,
        "displayName": "Mondays",
        "agentName": "Mondays",
        "cron": "0 9 * * 1",
        "timeZone": "Europe/Berlin",
        "inputs": {"text": "hello"},
        "suspend": False,
        "onPermanentFailure": "Delete",
    }


def test_name_and_zone_have_defaults(api: Api, world: World, user: str) -> None:
    body = {name: value for name, value in new(user).items() if name not in {"name", "user_timezone"}}
    made = api.result("add_graph_execution_schedule", **body)
    assert (made["timezone"], made["agent_name"]) == ("UTC", None)
    assert made["name"] == f"schedule-{made['id']}"
    assert made["next_run_time"].endswith("T09:00:00+00:00")
    resource = world.get("graphschedule", made["name"])
    assert resource is not None
    assert resource["spec"]["timeZone"] == "UTC"


def test_members_that_are_unknown_are_ignored(api: Api, user: str) -> None:
    assert add(api, user, organization_id="", team_id=None)["user_id"] == user


@pytest.mark.parametrize(
    ("members", "words"),
    [
        pytest.param({"cron": "0 0 9 * * 1"}, "6 fields", id="seconds"),
        pytest.param({"cron": "61 * * * *"}, "spec.cron", id="minute"),
        pytest.param({"cron": "0 0 30 2 *"}, "never fire", id="february-30"),
        pytest.param({"cron": ""}, "spec.cron", id="empty"),
        pytest.param({"user_timezone": "Mars/Olympus"}, "spec.timeZone", id="zone"),
        pytest.param({"graph_version": 0}, "spec.graph.version", id="version"),
        pytest.param({"user_id": "a b"}, "spec.userId", id="user"),
        pytest.param({"name": "x" * 201}, "spec.displayName", id="name"),
        pytest.param({"input_data": {"text": "x" * 200_000}}, "spec.inputs", id="size"),
    ],
)
def test_what_cannot_be_used_is_a_value_error_that_says_what_to_write(
    api: Api, user: str, members: dict[str, object], words: str
) -> None:
    status, refusal = api.error("add_graph_execution_schedule", **new(user, **members))
    assert (status, refusal["type"], refusal["extras"]) == (400, "ValueError", None)
    (message,) = refusal["args"]
    assert words in message


def test_a_graph_that_is_not_there_is_refused(api: Api, user: str) -> None:
    missing = builders.new_id()
    status, refusal = api.error("add_graph_execution_schedule", **new(user, graph_id=missing))
    assert status == 400
    assert refusal == {"type": "GraphNotFoundError", "args": [f"Graph #{missing} not found."], "extras": None}


def test_a_graph_of_somebody_else_is_refused(api: Api, user: str, platform: Platform) -> None:
    members = {"graph_id": platform.graph.id, "graph_version": 1}
    status, refusal = api.error("add_graph_execution_schedule", **new(user, **members))
    assert (status, refusal["type"]) == (400, "GraphNotAccessibleError")


def test_a_graph_that_left_the_library_is_refused(api: Api, user: str, platform: Platform) -> None:
    with platform.engine.begin() as connection:
        graph = builders.make_graph(connection, user)
    members = {"graph_id": graph.id, "graph_version": 1}
    status, refusal = api.error("add_graph_execution_schedule", **new(user, **members))
    message = f"Graph #{graph.id} is not in your library"
    assert status == 400
    assert refusal == {"type": "GraphNotInLibraryError", "args": [message], "extras": None}


def test_an_invalid_graph_is_refused_with_its_node_errors(api: Api, user: str, platform: Platform) -> None:
    with platform.engine.begin() as connection:
        block = builders.STORE_VALUE_BLOCK
        builders.make_block(connection, block, name="StoreValueBlock", input_schema=builders.STORE_VALUE_SCHEMA)
        node = builders.Node(block)
        graph = builders.make_graph(connection, user, [node])
        builders.make_library_agent(connection, graph)
    members = {"graph_id": graph.id, "graph_version": 1}
    status, refusal = api.error("add_graph_execution_schedule", **new(user, **members))
    assert status == 400
    assert refusal == {
        "type": "GraphValidationError",
        "args": ["Graph validation failed: 1 issues on 1 nodes"],
        "extras": {"node_errors": {node.id: {"input": "This field is required"}}},
    }


def test_a_graph_without_a_beginning_is_a_value_error(api: Api, user: str, platform: Platform) -> None:
    with platform.engine.begin() as connection:
        graph = builders.make_graph(connection, user)
        builders.make_library_agent(connection, graph)
    members = {"graph_id": graph.id, "graph_version": 1}
    status, refusal = api.error("add_graph_execution_schedule", **new(user, **members))
    assert (status, refusal["type"], refusal["extras"]) == (400, "ValueError", None)
    assert refusal["args"][0].startswith("No starting nodes found")


def test_nothing_is_made_of_what_is_refused(api: Api, user: str) -> None:
    api.error("add_graph_execution_schedule", **new(user, cron="61 * * * *"))
    api.error("add_graph_execution_schedule", **new(user, graph_id=builders.new_id()))
    assert listed(api, user_id=user) == []


# --- listing --------------------------------------------------------------------------------------------------------


def test_schedules_are_listed_by_user_and_graph_in_the_order_of_their_next_runs(
    api: Api, user: str, platform: Platform
) -> None:
    later = add(api, user, cron="0 0 1 1 *")["id"]
    sooner = add(api, user, cron="* * * * *")["id"]
    other = platform.graph
    others = add(api, other.user_id, graph_id=other.id, graph_version=1)["id"]
    assert listed(api, user_id=user) == [sooner, later]
    assert listed(api, graph_id=user) == [sooner, later]
    assert listed(api, graph_id=user, user_id=user) == [sooner, later]
    assert listed(api, graph_id=other.id, user_id=user) == []
    assert listed(api, user_id=builders.new_id()) == []
    assert {sooner, later, others} <= set(listed(api))
    assert {sooner, later, others} <= set(listed(api, graph_id=None, user_id=None))


def test_a_listed_schedule_is_told_as_when_it_was_added(api: Api, user: str) -> None:
    made = add(api, user, input_credentials={"github": CREDENTIAL})
    assert api.result("get_graph_execution_schedules", user_id=user) == [made]


def test_schedules_of_others_hands_are_listed_by_their_uid_and_broken_ones_are_passed_over(
    api: Api, world: World, user: str
) -> None:
    world.apply("broken", userId=user, cron="61 * * * *")
    world.apply("by-hand", userId=user, graph={"id": "graph-1"}, timeZone=None)
    resource = world.get("graphschedule", "by-hand")
    assert resource is not None
    until_listed(api, user, 1)
    (told,) = api.result("get_graph_execution_schedules", user_id=user)
    assert told["id"] == told["schedule_id"] == resource["metadata"]["uid"]
    assert (told["name"], told["timezone"], told["graph_version"]) == ("by-hand", "UTC", 0)
    assert (told["input_data"], told["input_credentials"], told["agent_name"]) == ({}, {}, None)


def until_listed(api: Api, user: str, count: int) -> None:
    """Ask until so many schedules of a user are listed: the API tells nobody of its news."""
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while len(listed(api, user_id=user)) != count:
        assert datetime.now(UTC) < deadline


# --- pausing and resuming -------------------------------------------------------------------------------------------


def test_a_paused_schedule_is_hidden_until_it_is_resumed(api: Api, world: World, user: str) -> None:
    made = add(api, user)
    own = {"schedule_id": made["id"], "user_id": user}
    assert api.result("pause_execution_schedule", **own) is True
    assert listed(api, user_id=user) == []
    resource = world.get("graphschedule", f"schedule-{made['id']}")
    assert resource is not None
    assert resource["spec"]["suspend"] is True
    assert api.result("pause_execution_schedule", **own) is True
    assert api.result("resume_execution_schedule", **own) is True
    assert api.result("resume_execution_schedule", **own) is True
    assert api.result("get_graph_execution_schedules", user_id=user) == [made]


def test_a_schedule_that_the_operator_keeps_from_firing_for_good_is_hidden(api: Api, world: World, user: str) -> None:
    made = add(api, user)
    since = {"since": "2026-05-04T09:00:00Z", "message": "gone"}
    name = f"schedule-{made['id']}"
    suspended = {"status": {"suspension": {"reason": "PermanentFailure", **since}}}
    world.patch("graphschedule", name, suspended, "--subresource=status")
    until_listed(api, user, 0)
    until = {"reason": "BreakerOpen", "until": "2126-01-01T00:00:00Z"}
    world.patch("graphschedule", name, {"status": {"suspension": until}}, "--subresource=status")
    until_listed(api, user, 1)
    (told,) = api.result("get_graph_execution_schedules", user_id=user)
    assert told["next_run_time"].startswith("2126-01-07T09:00:00")


# --- deleting -------------------------------------------------------------------------------------------------------


def test_a_deleted_schedule_is_returned_and_gone(api: Api, world: World, user: str) -> None:
    made = add(api, user)
    own = {"schedule_id": made["id"], "user_id": user}
    assert api.result("delete_graph_execution_schedule", **own) == made
    assert listed(api, user_id=user) == []
    assert world.get("graphschedule", f"schedule-{made['id']}") is None
    status, refusal = api.error("delete_graph_execution_schedule", **own)
    assert (status, refusal["type"]) == (400, "NotFoundError")


def test_a_paused_schedule_can_be_deleted(api: Api, user: str) -> None:
    made = add(api, user)
    own = {"schedule_id": made["id"], "user_id": user}
    api.result("pause_execution_schedule", **own)
    assert api.result("delete_graph_execution_schedule", **own) == made


def test_a_schedule_of_others_hands_can_be_deleted(api: Api, world: World, user: str) -> None:
    world.apply("never", userId=user, cron="0 0 30 2 *")
    resource = world.get("graphschedule", "never")
    assert resource is not None
    own = {"schedule_id": resource["metadata"]["uid"], "user_id": user}
    deadline = datetime.now(UTC) + timedelta(seconds=30)
    while (answer := api.call("delete_graph_execution_schedule", **own)).status_code == 400:
        assert datetime.now(UTC) < deadline
    assert (answer.json()["name"], answer.json()["next_run_time"]) == ("never", "")
    world.until_gone("graphschedule", "never")


@pytest.mark.parametrize(
    "method", ["delete_graph_execution_schedule", "pause_execution_schedule", "resume_execution_schedule"]
)
def test_only_the_own_and_existing_schedules_can_be_changed(api: Api, user: str, method: str) -> None:
    made = add(api, user)
    other = builders.new_id()
    status, refusal = api.error(method, schedule_id=made["id"], user_id=other)
    message = f"user {other} does not own schedule {made['id']}"
    assert (status, refusal) == (400, {"type": "NotAuthorizedError", "args": [message], "extras": None})
    for unknown in (builders.new_id(), "", "../../namespaces", "x" * 300):
        status, refusal = api.error(method, schedule_id=unknown, user_id=user)
        message = f"schedule {unknown} does not exist"
        assert (status, refusal) == (400, {"type": "NotFoundError", "args": [message], "extras": None})
    assert listed(api, user_id=user) == [made["id"]]


# --- shapes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "members"),
    [
        ("add_graph_execution_schedule", {}),
        ("add_graph_execution_schedule", new("u", graph_version="three")),
        ("add_graph_execution_schedule", new("u", input_data=[])),
        ("add_graph_execution_schedule", new("u", input_credentials={"github": {"id": "1"}})),
        ("delete_graph_execution_schedule", {"schedule_id": "1"}),
        ("pause_execution_schedule", {"user_id": "1"}),
        ("resume_execution_schedule", {"user_id": None, "schedule_id": "1"}),
        ("get_graph_execution_schedules", {"user_id": 1}),
    ],
)
def test_a_body_of_another_shape_is_told_member_by_member(api: Api, method: str, members: dict[str, object]) -> None:
    status, told = api.error(method, **members)
    assert status == 422
    assert all(problem["loc"][0] == "body" and problem["msg"] for problem in told["detail"])


@pytest.mark.parametrize("content", [b"", b"{", b"[]"])
def test_a_body_that_is_no_object_is_told(api: Api, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.http.post("/get_graph_execution_schedules", content=content, headers=headers)
    assert (answer.status_code, answer.json()["detail"][0]["loc"][0]) == (422, "body")


def test_a_body_that_is_no_text_is_a_value_error(api: Api) -> None:
    headers = {"Content-Type": "application/json"}
    answer = api.http.post("/get_graph_execution_schedules", content=b"\xff", headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (400, "ValueError")


# --- health ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", ["/health_check", "/health_check_async"])
def test_the_health_of_the_rpc_is_a_word(api: Api, method: str, path: str) -> None:
    answer = api.http.request(method, path)
    assert (answer.status_code, answer.json()) == (200, "OK")


def test_probes_and_metrics_are_served(api: Api) -> None:
    for path in ("/healthz", "/readyz"):
        answer = api.http.get(path)
        assert (answer.status_code, answer.text) == (200, "ready\n")
    assert api.metric("graphschedule_api_schedules") >= 0
    assert api.metric('graphschedule_api_request_duration_seconds_count{code="200",method="GET",route="/healthz"}') >= 1


# --- many at once ---------------------------------------------------------------------------------------------------


def test_many_who_come_at_once_are_judged_together_and_answered_each(api: Api, user: str) -> None:
    graphs = [user, builders.new_id()] * 20
    before = api.metric("graphschedule_api_database_requests_total")
    with ThreadPoolExecutor(len(graphs)) as callers:
        bodies = [new(user, graph_id=graph) for graph in graphs]
        answers = list(callers.map(lambda body: api.call("add_graph_execution_schedule", **body), bodies))
    assert [answer.status_code for answer in answers] == [200, 400] * 20
    assert all(graph in answer.text for graph, answer in zip(graphs, answers, strict=True))
    assert api.metric("graphschedule_api_database_requests_total") - before < len(graphs)
    assert len(listed(api, user_id=user)) == 20
