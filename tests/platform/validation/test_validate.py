"""Validation over a real database: what is loaded, and how many requests are judged at once (C §2.1)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet
from graphschedule.errors import InvalidValueError
from graphschedule_platform import catalogue, tables
from graphschedule_platform.validate import validate, validate_many
from graphschedule_platform.verdict import ExecutionRequest, VerdictKind
from sqlalchemy import event, update

from tests.support import builders
from tests.support.builders import Link, Node
from tests.support.facts import BLOCK_IDS, SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphschedule_platform.verdict import Verdict
    from sqlalchemy import Connection, Engine

STORE_VALUE = BLOCK_IDS["StoreValue"]
KEY = Fernet.generate_key().decode()
GITHUB_KEY = "github_api_key-oauth2_credentials"
GITHUB = {"id": "c1", "provider": "github", "type": "api_key", "title": None}


@pytest.fixture
def db(platform_db: Engine) -> Iterator[Connection]:
    """Give a connection to a platform with the blocks of our schemas."""
    with platform_db.connect() as connection:
        for schema in SCHEMAS:
            builders.make_block(
                connection,
                schema["id"],
                name=schema["name"],
                input_schema=schema["inputSchema"],
                output_schema=schema["outputSchema"],
            )
        yield connection


@pytest.fixture
def user(db: Connection) -> str:
    return builders.make_user(db)


def ask(graph: builders.Graph, user_id: str | None = None, **members: Any) -> ExecutionRequest:  # noqa: ANN401 - a request's members
    return ExecutionRequest(graph.id, user_id or graph.user_id, **members)


def judged(db: Connection, *requests: ExecutionRequest, cipher: str | None = None) -> list[Verdict]:
    return validate_many(db, requests, catalogue=catalogue.shipped(), cipher=cipher)


def kinds(verdicts: list[Verdict]) -> list[VerdictKind]:
    return [verdict.kind for verdict in verdicts]


def value_graph(db: Connection, user: str, text: str, **members: Any) -> builders.Graph:  # noqa: ANN401 - a graph's members
    """Make a graph with one starting node that says which version it is of."""
    graph = builders.make_graph(db, user, [Node(STORE_VALUE, {"input": text})], **members)
    builders.make_library_agent(db, graph)
    return graph


def started(verdict: Verdict) -> list[Mapping[str, Any]]:
    return list(verdict.starting_nodes.values())


def agent(graph_id: object, version: object, **constants: object) -> Node:
    whole = {"user_id": "u", "inputs": {}, "input_schema": {}, "output_schema": {}}
    return Node(BLOCK_IDS["AgentExecutor"], {**whole, "graph_id": graph_id, "graph_version": version, **constants})


def test_a_whole_graph_is_loaded_and_judged(db: Connection, user: str) -> None:
    entry = Node(BLOCK_IDS["AgentInput"], {"name": "topic"}, "entry")
    fill = Node(BLOCK_IDS["FillTextTemplate"], {"format": "{{x}}"}, "fill")
    issue = Node(BLOCK_IDS["GithubMakeIssue"], {"repo_url": "r", "title": "t"}, "issue")
    links = [Link("entry", "result", "fill", "values_#_x"), Link("fill", "output", "issue", "body")]
    graph = builders.make_graph(db, user, [entry, fill, issue], links)
    builders.make_library_agent(db, graph)

    (verdict,) = judged(db, ask(graph, inputs={"topic": "tea"}, credentials={GITHUB_KEY: GITHUB}))

    assert (verdict.kind, verdict.message) == (VerdictKind.VALID, "")
    assert verdict.starting_nodes == {"entry": {"name": "topic", "value": "tea"}}
    assert verdict.nodes_input_masks == {
        "issue": {"credentials": {"id": "c1", "provider": "github", "type": "api_key"}}
    }
    assert (verdict.graph_version, verdict.nodes_to_skip, verdict.credentials_checked) == (1, (), False)


def test_the_single_form_is_the_bulk_form_of_one(db: Connection, user: str) -> None:
    request = ask(value_graph(db, user, "one"))

    assert validate(db, request, catalogue=catalogue.shipped()) == judged(db, request)[0]


def test_no_version_means_the_highest_active_or_not(db: Connection, user: str) -> None:
    """2.1-1: `isActive` is not looked at."""
    graph = value_graph(db, user, "one")
    value_graph(db, user, "ten", graph_id=graph.id, version=10, is_active=False)
    value_graph(db, user, "nine", graph_id=graph.id, version=9)

    verdicts = judged(
        db, ask(graph), ask(graph, graph_version=9), ask(graph, graph_version=1), ask(graph, graph_version=2)
    )

    assert [verdict.graph_version for verdict in verdicts] == [10, 9, 1, None]
    assert [started(verdict) for verdict in verdicts[:3]] == [
        [{"input": "ten"}],
        [{"input": "nine"}],
        [{"input": "one"}],
    ]
    assert (verdicts[3].kind, verdicts[3].message) == (VerdictKind.GRAPH_NOT_FOUND, f"Graph #{graph.id} not found.")


def test_only_live_library_entries_and_approved_versions_count(db: Connection, user: str) -> None:
    """2.1-2: entries neither deleted nor archived; versions approved and not deleted."""
    guest = builders.make_user(db)
    graphs = [builders.make_graph(db, user, [Node(STORE_VALUE, {"input": 1})]) for _ in range(6)]
    builders.make_library_agent(db, graphs[0], user_id=guest)
    builders.make_library_agent(db, graphs[1], user_id=guest, is_archived=True)
    builders.make_library_agent(db, graphs[2], user_id=guest, is_deleted=True)
    builders.make_store_version(db, graphs[3])
    builders.make_store_version(db, graphs[4], status="PENDING")
    builders.make_store_version(db, graphs[5], is_deleted=True)

    assert kinds(judged(db, *(ask(graph, guest) for graph in graphs))) == [
        VerdictKind.VALID,
        VerdictKind.NOT_ACCESSIBLE,
        VerdictKind.NOT_ACCESSIBLE,
        VerdictKind.NOT_IN_LIBRARY,
        VerdictKind.NOT_ACCESSIBLE,
        VerdictKind.NOT_ACCESSIBLE,
    ]
    assert kinds(judged(db, *(ask(graph) for graph in graphs))) == [VerdictKind.NOT_IN_LIBRARY] * 6


def broken(db: Connection, user: str, node_id: str, **members: Any) -> builders.Graph:  # noqa: ANN401 - a graph's members
    """Make a graph that reports an error on its node, which tells that it was loaded."""
    return builders.make_graph(db, user, [Node(STORE_VALUE, {}, node_id)], **members)


def top(db: Connection, user: str, *nodes: Node) -> builders.Graph:
    graph = builders.make_graph(db, user, [Node(STORE_VALUE, {"input": 1}), *nodes])
    builders.make_library_agent(db, graph)
    return graph


def errors_of(db: Connection, graph: builders.Graph) -> set[str]:
    return set(judged(db, ask(graph))[0].node_errors)


def test_sub_graphs_are_loaded_at_every_depth(db: Connection, user: str) -> None:
    deepest = broken(db, user, "deepest")
    middle = builders.make_graph(db, user, [agent(deepest.id, 1), Node(STORE_VALUE, {}, "middle")])

    assert errors_of(db, top(db, user, agent(middle.id, 1))) == {"middle", "deepest"}


def test_sub_graphs_of_others_and_missing_ones_are_silently_absent(db: Connection, user: str) -> None:
    """2.1-1: they are looked for among the owner's graphs, by id and version."""
    foreign, own = broken(db, builders.make_user(db), "foreign"), broken(db, user, "own", version=2)

    graph = top(
        db,
        user,
        agent(foreign.id, 1),
        agent(own.id, 1),
        agent("none", 1),
        agent(own.id, "2"),
        agent("", 1),
        agent(own.id, 0),
        agent(own.id, True),
    )

    assert judged(db, ask(graph))[0].valid


def test_sub_graphs_are_those_of_the_graphs_owner_not_of_the_user(db: Connection, user: str) -> None:
    graph = top(db, user, agent(broken(db, user, "sub").id, 1))
    guest = builders.make_user(db)
    builders.make_library_agent(db, graph, user_id=guest)

    assert set(judged(db, ask(graph, guest))[0].node_errors) == {"sub"}


def test_graphs_that_call_each_other_are_loaded_once(db: Connection, user: str) -> None:
    graph_id = builders.new_id()
    other = builders.make_graph(db, user, [agent(graph_id, 1), Node(STORE_VALUE, {}, "other")])
    graph = builders.make_graph(db, user, [agent(other.id, 1), agent(graph_id, 1)], graph_id=graph_id)
    builders.make_library_agent(db, graph)

    assert errors_of(db, graph) == {"other"}


def test_a_second_version_of_a_sub_graph_at_a_deeper_level_is_not_loaded(db: Connection, user: str) -> None:
    """2.1-1: de-duplicated by id only."""
    first = broken(db, user, "first")
    broken(db, user, "second", graph_id=first.id, version=2)
    middle = builders.make_graph(db, user, [agent(first.id, 2)])

    assert errors_of(db, top(db, user, agent(first.id, 1), agent(middle.id, 1))) == {"first"}


def test_of_two_versions_of_a_sub_graph_at_one_level_the_last_counts(db: Connection, user: str) -> None:
    """2.12: the row that the database returns last; we order by version."""
    first = broken(db, user, "first")
    broken(db, user, "second", graph_id=first.id, version=2)

    assert errors_of(db, top(db, user, agent(first.id, 2), agent(first.id, 1))) == {"second"}


def test_a_link_out_of_the_graph_is_found(db: Connection, user: str) -> None:
    elsewhere = Node(STORE_VALUE, {"input": 1}, "elsewhere")
    builders.make_graph(db, user, [elsewhere])
    here = Node(STORE_VALUE, {}, "here")
    graph = builders.make_graph(db, user, [here], [Link("elsewhere", "output", "here", "input")])
    builders.make_library_agent(db, graph)

    (verdict,) = judged(db, ask(graph))

    assert verdict.message == "Link elsewhere.output -> here.input: node #elsewhere is not in the graph"


def test_optional_credentials_come_from_the_nodes_metadata(db: Connection, user: str) -> None:
    constants = {"repo_url": "r", "title": "t"}
    issue = Node(BLOCK_IDS["GithubMakeIssue"], constants, "issue", {"credentials_optional": True})
    entry = Node(BLOCK_IDS["AgentInput"], {"name": "x"}, "entry")
    graph = builders.make_graph(db, user, [entry, issue], [Link("entry", "result", "issue", "body")])
    builders.make_library_agent(db, graph)

    (verdict,) = judged(db, ask(graph))

    assert (verdict.kind, verdict.nodes_to_skip) == (VerdictKind.VALID, ("issue",))


def test_pins_merge_in_the_stored_order_of_keys(db: Connection, user: str) -> None:
    """2.12: jsonb keeps the base key before its pins, however they were written."""
    graph = builders.make_graph(db, user, [Node(STORE_VALUE, {"input_#_b": 2, "input": {"a": 1}})])
    builders.make_library_agent(db, graph)

    assert started(judged(db, ask(graph))[0]) == [{"input": {"a": 1, "b": 2}, "input_#_b": 2}]


def test_a_block_that_the_catalogue_does_not_know_is_invalid(db: Connection, user: str) -> None:
    block = builders.make_block(db)
    graph = builders.make_graph(db, user, [Node(block, {}, "odd")])
    builders.make_library_agent(db, graph)

    (verdict,) = judged(db, ask(graph))

    assert (verdict.kind, verdict.message) == (VerdictKind.ERROR, f"Invalid block {block} for node #odd")


@pytest.mark.parametrize("schema", ["", "[]", '{"properties": []}', '{"properties": {"input": 7}}'])
def test_a_block_whose_schema_cannot_be_read_spoils_only_its_graphs(db: Connection, user: str, schema: str) -> None:
    spoilt = builders.make_graph(db, user, [Node(BLOCK_IDS["Calculator"], {}, "n")])
    builders.make_library_agent(db, spoilt)
    blocks = tables.agent_block
    db.execute(update(blocks).where(blocks.c.id == BLOCK_IDS["Calculator"]).values(input_schema=schema))

    assert kinds(judged(db, ask(spoilt), ask(value_graph(db, user, "fine")))) == [VerdictKind.ERROR, VerdictKind.VALID]


def test_a_request_that_cannot_be_judged_harms_no_other(db: Connection, user: str) -> None:
    graph = value_graph(db, user, "fine")
    node_id = next(iter(judged(db, ask(graph))[0].starting_nodes))
    poisoned: Any = {node_id: ["no", "mask"]}

    verdicts = judged(db, ask(graph), ask(graph, nodes_input_masks=poisoned), ask(graph))

    assert kinds(verdicts) == [VerdictKind.VALID, VerdictKind.ERROR, VerdictKind.VALID]
    assert verdicts[1].message == "The graph or its inputs are of a form that cannot be judged; the log has the details"


@pytest.mark.parametrize("poison", ["\x00", "\ud800"])
def test_an_id_that_no_database_can_hold_harms_no_other_request(db: Connection, user: str, poison: str) -> None:
    graph = value_graph(db, user, "fine")

    verdicts = judged(db, ask(graph), ask(graph, poison), ExecutionRequest(poison, user), cipher=KEY)

    expected = [VerdictKind.VALID, VerdictKind.NOT_ACCESSIBLE, VerdictKind.GRAPH_NOT_FOUND]
    assert kinds(verdicts) == expected


def encrypted(*credentials: Mapping[str, Any]) -> str:
    return Fernet(KEY).encrypt(json.dumps({"credentials": credentials}).encode()).decode()


def test_with_the_key_credentials_are_checked_in_the_users_own_store(db: Connection) -> None:
    owner, guest, locked = (
        builders.make_user(db, integrations=text) for text in (encrypted(GITHUB), encrypted(), "not encrypted")
    )
    graph = builders.make_graph(
        db, owner, [Node(BLOCK_IDS["GithubMakeIssue"], {"repo_url": "r", "title": "t", "body": "b"}, "issue")]
    )
    for user_id in (owner, guest, locked):
        builders.make_library_agent(db, graph, user_id=user_id)
    requests = [ask(graph, user_id, credentials={GITHUB_KEY: GITHUB}) for user_id in (owner, guest, locked)]

    checked, unchecked = judged(db, *requests, cipher=KEY), judged(db, *requests)

    assert checked[0].valid
    assert checked[1].node_errors == {"issue": {"credentials": "Unknown credentials #c1"}}
    assert checked[2].node_errors == {
        "issue": {
            "credentials": "Credentials not available: "
            "the user's stored credentials do not open with the encryption key"
        }
    }
    assert {verdict.credentials_checked for verdict in checked} == {True}
    assert {(verdict.valid, verdict.credentials_checked) for verdict in unchecked} == {(True, False)}


def test_a_key_of_another_form_is_the_operators_fault_not_the_requests(db: Connection, user: str) -> None:
    with pytest.raises(InvalidValueError, match="ENCRYPTION_KEY"):
        judged(db, ask(value_graph(db, user, "x")), cipher="short")


def test_no_requests_need_no_database(db: Connection) -> None:
    assert judged(db) == []


def test_many_requests_take_as_many_queries_as_one(db: Connection, user: str) -> None:
    graphs = [top(db, user, agent(value_graph(db, user, "sub").id, 1)) for _ in range(20)]
    statements: list[str] = []
    event.listen(db, "before_cursor_execute", lambda *call: statements.append(call[2]))

    judged(db, ask(graphs[0]), cipher=KEY)
    for_one = len(statements)
    verdicts = judged(db, *(ask(graph) for graph in graphs for _ in range(50)), cipher=KEY)

    assert all(verdict.valid for verdict in verdicts)
    assert len(verdicts) == 1000
    assert len(statements) == 2 * for_one
