"""Who may do what over REST: every caller with every request about a user's schedule, and about the service itself."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from graphschedule import labels

from tests.api.conftest import new_user
from tests.api.process import running
from tests.api.rest import Rest
from tests.operator.world import native, schedule
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.conftest import Platform
    from tests.api.process import Api
    from tests.api.tokens import Issuer
    from tests.operator.world import World

TASK = "cleanup-oauth-tokens"
KEY = {"Idempotency-Key": "monday"}


class Request(NamedTuple):
    """A request, and the status that it has if it is allowed; `{id}` stands for a schedule, `{user}` for its owner."""

    method: str
    path: str
    status: int
    body: Any = None
    query: dict[str, str] | None = None


BODY = {"graph": {"id": "{user}"}, "userId": "{user}", "cron": "0 9 * * 1"}
READS = {
    "get": Request("GET", "/schedules/{id}", 200),
    "next runs": Request("GET", "/schedules/{id}/next-runs", 200),
    "runs": Request("GET", "/schedules/{id}/runs", 200),
    "one run": Request("GET", "/schedules/{id}/runs/none", 404),
}
LISTS = {"list": Request("GET", "/schedules", 200, query={"userId": "{user}"})}
PREVIEW = {"preview": Request("GET", "/cron-preview", 200, query={"cron": "* * * * *"})}
CREATES = {"create": Request("POST", "/schedules", 201, BODY)}
CHANGES = {
    "replace": Request("PUT", "/schedules/{id}", 200, BODY),
    "patch": Request("PATCH", "/schedules/{id}", 200, {"cron": "0 8 * * *"}),
    "give back": Request("PATCH", "/schedules/{id}", 200, {"userId": "{user}"}),
    "pause": Request("POST", "/schedules/{id}:pause", 200),
    "resume": Request("POST", "/schedules/{id}:resume", 200),
    "run now": Request("POST", "/schedules/{id}:run", 409),  # nothing fires it here
}
DELETES = {"delete": Request("DELETE", "/schedules/{id}", 204)}
READ_TASKS = {"tasks": Request("GET", "/tasks", 200), "task": Request("GET", f"/tasks/{TASK}", 200)}
RUN_TASKS = {"run task": Request("POST", f"/tasks/{TASK}:run", 202)}

OF_SCHEDULES = READS | LISTS | PREVIEW | CREATES | CHANGES | DELETES
REQUESTS = OF_SCHEDULES | READ_TASKS | RUN_TASKS

ALLOWED: dict[str, dict[str, Request]] = {
    "the owner": OF_SCHEDULES,
    "another user": PREVIEW,
    "an administrator": REQUESTS,
    "an account without rights": {},
    "an account that may get": READS,
    "an account that may list": LISTS | PREVIEW,
    "an account that may create": CREATES,
    "an account that may patch": CHANGES,
    "an account that may delete": DELETES,
    "an account that may read tasks": READ_TASKS,
    "an account that may run tasks": RUN_TASKS,
    "an account with all rights elsewhere": {},
}
ACCOUNTS = {
    "without rights": None,
    "that may get": ("get", "graphschedules.graphschedule.io"),
    "that may list": ("list", "graphschedules.graphschedule.io"),
    "that may create": ("create", "graphschedules.graphschedule.io"),
    "that may patch": ("patch", "graphschedules.graphschedule.io"),
    "that may delete": ("delete", "graphschedules.graphschedule.io"),
    "that may read tasks": ("list", "cronjobs.batch"),
    "that may run tasks": ("create", "jobs.batch"),
}


@pytest.fixture(scope="module")
def api(world: World, platform: Platform, issuer: Issuer) -> Iterator[Api]:
    task = native("release-task")
    task["metadata"]["labels"] = {labels.TASK_LABEL: TASK}
    world.kubectl("apply", "--filename", "-", given=task)
    settings = {"jwt": issuer.settings(), "task_seconds": "0.1", "burst": "100000"}
    with running(world.cluster.kubeconfig, world.namespace, platform.url, **settings) as made:
        yield made


@pytest.fixture(scope="module")
def accounts(world: World) -> dict[str, str]:
    """Make service accounts with one right each; return their tokens."""
    tokens = {}
    for name, right in ACCOUNTS.items():
        account = name.replace(" ", "-")
        world.kubectl("create", "serviceaccount", account)
        if right is not None:
            verb, resource = right
            world.kubectl("create", "role", account, f"--verb={verb}", f"--resource={resource}")
            bound = f"--serviceaccount={world.namespace}:{account}"
            world.kubectl("create", "rolebinding", account, f"--role={account}", bound)
        tokens[f"an account {name}"] = world.kubectl("create", "token", account).strip()
    elsewhere = f"{world.namespace}-elsewhere"
    world.kubectl("create", "namespace", elsewhere)
    bound = f"--serviceaccount={world.namespace}:elsewhere"
    world.kubectl("create", "serviceaccount", "elsewhere")
    world.cluster.kubectl(
        "create", "rolebinding", "all", "--clusterrole=cluster-admin", bound, "--namespace", elsewhere
    )
    tokens["an account with all rights elsewhere"] = world.kubectl("create", "token", "elsewhere").strip()
    return tokens


@pytest.fixture(scope="module")
def owner(platform: Platform) -> str:
    return new_user(platform)


@pytest.fixture(scope="module")
def stranger(platform: Platform) -> str:
    return new_user(platform)


@pytest.fixture(scope="module")
def callers(api: Api, issuer: Issuer, accounts: dict[str, str], owner: str, stranger: str) -> dict[str, Rest]:
    """Give each caller of the matrix."""
    tokens = accounts | {
        "the owner": issuer.token(owner),
        "another user": issuer.token(stranger),
        "an administrator": issuer.token("admin", role="admin"),
    }
    return {name: Rest(api, token) for name, token in tokens.items()}


@pytest.fixture
def schedule_id(callers: dict[str, Rest], owner: str) -> str:
    """Give a schedule of the owner."""
    return str(callers["the owner"].create(filled(BODY, "", owner))["id"])


def filled(value: Any, schedule_id: str, user: str) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, Request):
        return Request(*(filled(each, schedule_id, user) for each in value))
    if isinstance(value, dict):
        return {name: filled(each, schedule_id, user) for name, each in value.items()}
    if isinstance(value, str):
        return value.replace("{id}", schedule_id).replace("{user}", user)
    return value


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("caller", ALLOWED)
def test_a_caller_may_do_what_is_allowed_and_nothing_else(
    callers: dict[str, Rest], schedule_id: str, owner: str, caller: str, name: str
) -> None:
    request = filled(REQUESTS[name], schedule_id, owner)
    given = (request.method, request.path, request.body, {"Prefer": "respond-async"})
    if name in ALLOWED[caller]:
        answer = callers[caller].ask(*given, **request.query or {})
        assert answer.status_code == request.status, answer.text
    else:
        assert callers[caller].problem(*given, **request.query or {})[:2] == (403, "forbidden")
        assert callers["the owner"].get(f"/schedules/{schedule_id}")["cron"] == BODY["cron"]


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("token", [None, "nonsense", "a.b.c"])
def test_who_shows_no_token_that_is_known_may_do_nothing(api: Api, token: str | None, name: str) -> None:
    request = REQUESTS[name]
    answer = Rest(api, token).ask(request.method, request.path.replace("{id}", "x"), request.body)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert answer.json()["type"].endswith("/unauthenticated")


# --- another user's id, in every place it can be put -----------------------------------------------------------------


@pytest.fixture
def other(callers: dict[str, Rest]) -> Rest:
    return callers["another user"]


def test_in_the_query_another_users_id_is_refused(other: Rest, owner: str) -> None:
    assert other.problem("GET", "/schedules", userId=owner)[:2] == (403, "forbidden")
    assert other.problem("GET", "/schedules", userId=owner, graphId=owner)[:2] == (403, "forbidden")


def test_in_the_query_another_users_graph_finds_nothing(other: Rest, owner: str, schedule_id: str) -> None:
    assert schedule_id
    assert other.get("/schedules", graphId=owner)["items"] == []


def test_in_the_body_another_users_id_is_refused(other: Rest, owner: str, stranger: str) -> None:
    mine = other.create(filled(BODY, "", stranger))
    path = f"/schedules/{mine['id']}"
    stolen = filled(BODY, "", owner)
    assert other.problem("POST", "/schedules", stolen)[:2] == (403, "forbidden")
    assert other.problem("POST", "/schedules", stolen, KEY)[:2] == (403, "forbidden")
    assert other.problem("PUT", path, stolen)[:2] == (403, "forbidden")
    assert other.problem("PATCH", path, {"userId": owner})[:2] == (403, "forbidden")
    assert other.get(path)["userId"] == mine["userId"]


def test_in_the_body_another_users_graph_is_refused(other: Rest, owner: str, stranger: str) -> None:
    status, kind, told = other.problem("POST", "/schedules", filled(BODY, "", stranger) | {"graph": {"id": owner}})
    assert (status, kind, told["reason"]) == (422, "invalid", "GraphNotAccessible")


def test_a_cursor_of_another_users_list_shows_none_of_it(callers: dict[str, Rest], other: Rest, owner: str) -> None:
    for _ in range(2):
        callers["the owner"].create(filled(BODY, "", owner))
    cursor = callers["the owner"].get("/schedules", limit=1)["nextCursor"]
    assert owner not in {each["userId"] for each in other.get("/schedules", cursor=cursor)["items"]}
    assert other.problem("GET", "/schedules", userId=owner, cursor=cursor)[:2] == (403, "forbidden")


def test_an_idempotency_key_of_another_user_makes_ones_own_schedule(
    callers: dict[str, Rest], other: Rest, owner: str, stranger: str
) -> None:
    theirs = callers["the owner"].create(filled(BODY, "", owner), KEY)
    mine = other.create(filled(BODY, "", stranger), KEY)
    assert mine["id"] != theirs["id"]
    assert mine["userId"] != theirs["userId"]


def test_a_run_of_another_users_schedule_is_not_found_below_ones_own(other: Rest, stranger: str) -> None:
    mine = other.create(filled(BODY, "", stranger))
    assert other.problem("GET", f"/schedules/{mine['id']}/runs/{builders.new_id()}")[:2] == (404, "not-found")


def test_accounts_see_only_the_namespaces_that_they_may_list(
    world: World, platform: Platform, accounts: dict[str, str]
) -> None:
    elsewhere = f"{world.namespace}-elsewhere"
    namespaces = json.dumps([world.namespace, elsewhere])
    with running(world.cluster.kubeconfig, world.namespace, platform.url, namespaces=namespaces) as api:
        for namespace in (world.namespace, elsewhere):
            given = json.dumps(schedule(f"in-{namespace}", userId="shared"))
            world.cluster.kubectl("apply", "--namespace", namespace, "--filename", "-", input=given)
        while len(api.result("get_graph_execution_schedules", user_id="shared")) < 2:
            continue
        for caller, namespace in (("that may list", world.namespace), ("with all rights elsewhere", elsewhere)):
            rest = Rest(api, accounts[f"an account {caller}"])
            assert [each["namespace"] for each in rest.get("/schedules", userId="shared")["items"]] == [namespace]
