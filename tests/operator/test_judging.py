"""Graphs judged on a real platform database, by an operator at a real API server: what the world becomes."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import psycopg
import pytest
from graphschedule.outcomes import Outcome
from graphschedule.slots import Slot
from graphschedule_platform import ledger, tables
from graphschedule_platform.ledger import Entry, Record
from psycopg import sql
from sqlalchemy import delete

from dev.cluster import ClusterError
from tests.operator.sets import GROUPED, the_shard, until_members
from tests.operator.world import Operator, World, condition, new_world, operator
from tests.support import builders
from tests.support.platforms import on_postgresql

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from sqlalchemy import Engine

    from dev.cluster import Cluster
    from dev.services.postgres import Postgres

pytestmark = on_postgresql


@pytest.fixture
def world(control_plane: Cluster) -> Iterator[World]:
    with new_world(control_plane) as made:
        yield made


@pytest.fixture
def graph(platform_db: Engine) -> builders.Graph:
    """Give a graph in its user's library."""
    return new_graph(platform_db)


def quick_operator(world: World, database_url: str) -> AbstractContextManager[Operator]:
    """Run an operator that soon notices what becomes of graphs."""
    return operator(world, database_url=database_url, validate_seconds="1", recheck_seconds="0.5")


def new_graph(engine: Engine) -> builders.Graph:
    with engine.begin() as connection:
        return builders.make_simple_graph(connection, builders.make_user(connection))


def of(graph: builders.Graph, **spec: object) -> dict[str, Any]:
    """Return the spec of a schedule of a graph."""
    return {"graph": {"id": graph.id, "version": graph.version}, "userId": graph.user_id, **spec}


def take_out_of_library(engine: Engine, graph: builders.Graph) -> None:
    entry = tables.library_agent
    with engine.begin() as connection:
        connection.execute(delete(entry).where(entry.c.agent_graph_id == graph.id))


def put_into_library(engine: Engine, graph: builders.Graph) -> None:
    with engine.begin() as connection:
        builders.make_library_agent(connection, graph)


@contextmanager
def outage(server: Postgres, url: str) -> Iterator[None]:
    """Have the server refuse a database during the block, and throw everybody out of it."""
    name = urlsplit(url).path.lstrip("/")
    allow = sql.SQL("ALTER DATABASE {} WITH ALLOW_CONNECTIONS {}")
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(allow.format(sql.Identifier(name), sql.Literal(False)))
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield
        connection.execute(allow.format(sql.Identifier(name), sql.Literal(True)))


def is_suspended(world: World, name: str) -> bool:
    cronjob = world.get("cronjob", name)
    assert cronjob is not None
    return bool(cronjob["spec"]["suspend"])


def test_a_schedule_does_not_fire_before_its_graph_can_be_run(
    world: World, platform_url: str, platform_db: Engine, graph: builders.Graph
) -> None:
    take_out_of_library(platform_db, graph)
    with quick_operator(world, platform_url):
        world.apply("early", **of(graph))
        told = world.until_condition("early", "GraphValid", "GraphNotInLibrary")
        assert told["status"] == "False"
        assert world.until_condition("early", "Ready", "GraphNotInLibrary")["message"] == told["message"]
        assert world.get("cronjob", "early") is None
        put_into_library(platform_db, graph)
        world.until_condition("early", "Ready", "Ready")
        assert not is_suspended(world, "early")
        world.until_events(
            "early", ("Warning", "GraphNotInLibrary"), ("Normal", "GraphValid"), ("Normal", "CronJobApplied")
        )


def test_the_faults_of_nodes_are_told(world: World, platform_url: str, platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        node = builders.Node(
            builders.make_block(
                connection, builders.STORE_VALUE_BLOCK, name="StoreValueBlock", input_schema=builders.STORE_VALUE_SCHEMA
            )
        )
        graph = builders.make_graph(connection, builders.make_user(connection), [node])
        builders.make_library_agent(connection, graph)
    with operator(world, database_url=platform_url):
        world.apply("faulty", **of(graph))
        told = world.until_condition("faulty", "GraphValid", "GraphInvalid")
    assert f"node {node.id}, input: This field is required" in told["message"]


def test_inputs_kept_elsewhere_are_not_missed(world: World, platform_url: str, graph: builders.Graph) -> None:
    with operator(world, database_url=platform_url):
        world.apply("secretive", **of(graph, inputsFrom=[{"secretRef": {"name": "inputs"}, "key": "text"}]))
        world.until_condition("secretive", "GraphValid", "GraphValid")


def test_what_was_valid_goes_on_and_what_is_edited_to_be_invalid_does_not(
    world: World, platform_url: str, platform_db: Engine, graph: builders.Graph
) -> None:
    with quick_operator(world, platform_url):
        for name in ("old", "edited"):
            world.apply(name, **of(graph))
            world.until_condition(name, "Ready", "Ready")
        take_out_of_library(platform_db, graph)
        world.until_condition("old", "Ready", "GraphNotInLibrary")
        assert not is_suspended(world, "old")
        world.apply("edited", **of(graph, inputs={"text": "new"}))
        told = world.until_condition("edited", "Scheduled", "NotAccepted")
        assert "suspended until it is" in told["message"]
        assert is_suspended(world, "edited")
        put_into_library(platform_db, graph)
        for name in ("old", "edited"):
            world.until_condition(name, "Ready", "Ready")
            assert not is_suspended(world, name)


def test_an_outage_makes_verdicts_unknown_and_stops_nothing(
    world: World, platform_url: str, postgres_server: Postgres, platform_db: Engine, graph: builders.Graph
) -> None:
    with quick_operator(world, platform_url) as running:
        world.apply("old", **of(graph))
        world.until_condition("old", "Ready", "Ready")
        platform_db.dispose()
        with outage(postgres_server, platform_url):
            told = world.until_condition("old", "GraphValid", "NotValidated")
            assert told["status"] == "Unknown"
            assert "not available" in told["message"]
            assert str(urlsplit(platform_url).password) not in told["message"]
            assert not is_suspended(world, "old")
            world.apply("old", **of(graph, cron="7 7 7 7 *"))
            world.until("cronjob", "old", lambda cronjob: cronjob["spec"]["schedule"] == "7 7 7 7 *")
            assert condition(world.until("graphschedule", "old", lambda _: True), "Ready")["status"] == "True"
            world.apply("new", **of(graph))
            world.until_condition("new", "GraphValid", "NotValidated")
            assert world.get("cronjob", "new") is None
            assert running.get("/readyz")[0] == 200
        for name in ("old", "new"):
            world.until_condition(name, "Ready", "Ready")
            world.until_condition(name, "GraphValid", "GraphValid")
        assert world.events("old") == []


# --- permanent failures ----------------------------------------------------------------------------------------------


def watchful_operator(world: World, database_url: str) -> AbstractContextManager[Operator]:
    """Run an operator that looks again at what is not valid, but takes its time with what was."""
    return operator(world, database_url=database_url, recheck_seconds="0.5", ledger_seconds="1")


def fail(world: World, engine: Engine, name: str, outcome: Outcome) -> None:
    """Put on record that a slot of a schedule failed just now, as the runner does."""
    made = world.until("graphschedule", name, lambda _: True)
    now = datetime.now(UTC)
    slot = Slot.at(made["metadata"]["uid"], now.replace(second=0, microsecond=0))
    entry = Entry(slot, world.namespace, name, made["spec"]["userId"], made["spec"]["graph"]["id"])
    with engine.begin() as connection:
        ledger.record_many(connection, [Record(entry, outcome.state, outcome.reason, "as the runner found")], now)


def until_all_ready(world: World, *names: str) -> None:
    for name in names:
        world.until_condition(name, "Ready", "Ready")


def test_a_graph_that_is_gone_costs_its_user_all_schedules_of_it_by_their_own_policies(
    world: World, platform_url: str, platform_db: Engine, graph: builders.Graph
) -> None:
    with watchful_operator(world, platform_url):
        world.apply("failing", **of(graph))
        world.apply("sibling", **of(graph, inputs={"text": "other"}))
        world.apply("condemned", **of(graph, onPermanentFailure="Delete"))
        world.apply("unrelated", **of(new_graph(platform_db), onPermanentFailure="Delete"))
        until_all_ready(world, "failing", "sibling", "condemned", "unrelated")
        world.apply("resting", **of(graph, suspend=True))
        world.until_condition("resting", "Ready", "Suspended")
        take_out_of_library(platform_db, graph)
        fail(world, platform_db, "failing", Outcome.GRAPH_NOT_IN_LIBRARY)
        for name in ("failing", "sibling"):
            told = world.until_condition(name, "Scheduled", "PermanentFailure")
            assert f"{world.namespace}/failing failed, GraphNotInLibrary: as the runner found" in told["message"]
            assert is_suspended(world, name)
        world.until_gone("graphschedule", "condemned")
        died = ("Warning", "PermanentFailure")
        world.until_events("condemned", ("Warning", "GraphNotInLibrary"), died, died)
        notes = [event["note"] for event in world.all("event") if event["regarding"]["name"] == "condemned"]
        assert any("deleted by the operator" in note and f"{world.namespace}/failing" in note for note in notes)
        world.until_condition("unrelated", "Ready", "Ready")
        put_into_library(platform_db, graph)
        world.until_condition("sibling", "Ready", "Ready")
        world.until_condition("failing", "Scheduled", "CronJobApplied")
        world.until_condition("resting", "Ready", "Suspended")
        assert not is_suspended(world, "failing")
        assert is_suspended(world, "resting")
        assert world.all("job") == []


def test_an_invalid_graph_costs_only_the_schedule_that_failed(
    world: World, platform_url: str, platform_db: Engine, graph: builders.Graph
) -> None:
    with quick_operator(world, platform_url):
        for name in ("failing", "sibling"):
            world.apply(name, **of(graph))
        until_all_ready(world, "failing", "sibling")
        with platform_db.begin() as connection:
            connection.execute(delete(tables.agent_node_link))
        world.until_condition("sibling", "Ready", "GraphInvalid")
        fail(world, platform_db, "failing", Outcome.GRAPH_INVALID)
        world.until_condition("failing", "Scheduled", "PermanentFailure")
        assert not is_suspended(world, "sibling")


def test_a_graph_that_is_back_before_anybody_acts_costs_nothing_nor_does_a_later_edit_that_is_invalid(
    world: World, platform_url: str, platform_db: Engine, graph: builders.Graph
) -> None:
    with watchful_operator(world, platform_url) as running:
        world.apply("lucky", **of(graph, onPermanentFailure="Delete"))
        until_all_ready(world, "lucky")
        fail(world, platform_db, "lucky", Outcome.GRAPH_NOT_IN_LIBRARY)
        world.until_condition("lucky", "Healthy", "SlotFailed")
        asked = 'graphschedule_operator_database_requests_total{result="answered"'
        seen = running.metric(asked)
        while running.metric(asked) < seen + 3:
            assert running.process.poll() is None
        world.until_condition("lucky", "Scheduled", "CronJobApplied")
        assert not is_suspended(world, "lucky")
        world.apply("lucky", **of(replace(graph, version=99), onPermanentFailure="Delete"))
        world.until_condition("lucky", "GraphValid", "GraphNotFound")
        world.until_condition("lucky", "Scheduled", "NotAccepted")
        world.apply("lucky", **of(graph, onPermanentFailure="Delete"))
        world.until_condition("lucky", "Scheduled", "CronJobApplied")


def test_a_deletion_that_is_refused_leaves_the_schedule_suspended_and_stops_no_other(
    world: World, platform_url: str, platform_db: Engine, graph: builders.Graph
) -> None:
    with forbidden_to_delete(world, "kept"), watchful_operator(world, platform_url):
        for name in ("kept", "condemned"):
            world.apply(name, **of(graph, onPermanentFailure="Delete"))
        until_all_ready(world, "kept", "condemned")
        until_not_deletable(world, "kept")
        take_out_of_library(platform_db, graph)
        fail(world, platform_db, "kept", Outcome.GRAPH_NOT_IN_LIBRARY)
        world.until_gone("graphschedule", "condemned")
        world.until_condition("kept", "Scheduled", "PermanentFailure")
        assert is_suspended(world, "kept")


def test_a_restart_with_a_database_writes_nothing(
    world: World, platform_url: str, platform_db: Engine, graph: builders.Graph
) -> None:
    gone = new_graph(platform_db)
    with watchful_operator(world, platform_url):
        world.apply("valid", **of(graph))
        world.apply("doomed", **of(gone))
        until_all_ready(world, "valid", "doomed")
        take_out_of_library(platform_db, gone)
        fail(world, platform_db, "doomed", Outcome.GRAPH_NOT_IN_LIBRARY)
        world.until_condition("doomed", "Scheduled", "PermanentFailure")
        world.apply("never", **of(gone))
        world.until_condition("never", "Ready", "GraphNotInLibrary")
    before = world.versions()
    with watchful_operator(world, platform_url) as restarted:
        # One look at the ledger's changes, one at its sums, and the judge's.
        while restarted.metric('graphschedule_operator_database_requests_total{result="answered"') < 3:
            assert restarted.process.poll() is None
        while restarted.metric("graphschedule_operator_reconcile_duration_seconds_count") < 3:
            assert restarted.process.poll() is None
        assert restarted.writes() == 0
    assert world.versions() == before


# --- schedules that fire together -------------------------------------------------------------------------------------


def test_a_shard_holds_whom_the_platform_would_run_and_no_other(
    world: World, platform_url: str, platform_db: Engine, graph: builders.Graph
) -> None:
    gone = new_graph(platform_db)
    with watchful_operator(world, platform_url):
        world.apply("steady", **GROUPED, **of(graph))
        world.apply("failing", **GROUPED, **of(gone))
        world.apply("condemned", **GROUPED, **of(gone, onPermanentFailure="Delete"))
        until_all_ready(world, "steady", "failing", "condemned")
        shard = the_shard(world)["metadata"]["name"]
        take_out_of_library(platform_db, gone)
        world.apply("never", **GROUPED, **of(gone))
        world.until_condition("never", "Ready", "GraphNotInLibrary")
        until_members(world, shard, "steady", "failing", "condemned")
        fail(world, platform_db, "failing", Outcome.GRAPH_NOT_IN_LIBRARY)
        world.until_condition("failing", "Scheduled", "PermanentFailure")
        world.until_gone("graphschedule", "condemned")
        until_members(world, shard, "steady")
        put_into_library(platform_db, gone)
        until_all_ready(world, "steady", "never")
        world.until_condition("failing", "Scheduled", "CronJobApplied")
        until_members(world, shard, "steady", "failing", "never")


def test_an_edit_in_an_outage_leaves_the_shard_as_it_was_even_after_a_restart(
    world: World, platform_url: str, postgres_server: Postgres, platform_db: Engine, graph: builders.Graph
) -> None:
    with quick_operator(world, platform_url):
        for name in ("edited", "other"):
            world.apply(name, **GROUPED, **of(graph, inputs={"text": "old"}))
        until_all_ready(world, "edited", "other")
        world.apply("resting", **GROUPED, **of(graph))
        until_all_ready(world, "resting")
        world.patch("graphschedule", "resting", {"spec": {"suspend": True}})
        world.until_condition("resting", "Ready", "Suspended")
        until_members(world, the_shard(world)["metadata"]["name"], "edited", "other")
    platform_db.dispose()
    shard = the_shard(world)
    with outage(postgres_server, platform_url):
        world.apply("edited", **GROUPED, **of(graph, inputs={"text": "new"}))
        with quick_operator(world, platform_url):
            told = world.until_condition("edited", "Scheduled", "NotAccepted")
            assert "stays as it was" in told["message"]
            assert the_shard(world)["spec"] == shard["spec"]
            for name in ("other", "resting"):
                assert world.until_condition(name, "GraphValid", "NotValidated")["status"] == "Unknown"
            world.until_condition("other", "Ready", "Ready")
            world.until_condition("resting", "Ready", "Suspended")
    with quick_operator(world, platform_url):
        until_all_ready(world, "edited", "other")
    assert until_members(world, shard["metadata"]["name"], "edited", "other")["edited"].inputs == {"text": "new"}


def until_not_deletable(world: World, name: str) -> None:
    """Try to delete a schedule, without doing it, until the API server has learnt to refuse."""
    with pytest.raises(ClusterError, match="denied"):
        while True:
            world.kubectl("delete", "graphschedule", name, "--dry-run=server")


@contextmanager
def forbidden_to_delete(world: World, name: str) -> Iterator[None]:
    """Have the API server refuse to delete a schedule during the block."""
    policy = f"keep-{world.namespace}"
    rule = {"apiGroups": ["graphschedule.io"], "apiVersions": ["*"], "resources": ["*"], "operations": ["DELETE"]}
    here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": world.namespace}}}
    kinds = {
        "ValidatingAdmissionPolicy": {
            "matchConstraints": {"resourceRules": [rule], **here},
            "validations": [{"expression": f"oldObject.metadata.name != '{name}'"}],
        },
        "ValidatingAdmissionPolicyBinding": {"policyName": policy, "validationActions": ["Deny"]},
    }
    for kind, spec in kinds.items():
        about = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": {"name": policy}}
        world.kubectl("create", "--filename", "-", given=about | {"spec": spec})
    yield
    for kind in kinds:
        world.kubectl("delete", kind, policy)
