"""Enqueueing against real servers: PostgreSQL with RabbitMQ, and SQLite without a broker."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule.outcomes import Outcome, SlotState
from graphschedule_platform import database, tables
from graphschedule_platform.delivery import Delivery
from graphschedule_platform.enqueue import Enqueuer
from graphschedule_platform.publisher import BrokerAddress, Publisher
from graphschedule_platform.repair import repair
from graphschedule_platform.rows import node_execution_id
from sqlalchemy import select, update

from dev.services import topology
from tests.support import builders
from tests.support.platforms import JUDGE, NOON, Platform, fire, on_postgresql, outcomes, payload_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphschedule.payload import RunPayload
    from graphschedule_platform.fires import Fire


def test_a_fire_becomes_a_queued_execution_with_its_inputs(platform: Platform, payload: RunPayload) -> None:
    one = fire(payload)
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.ENQUEUED]
    assert platform.statuses() == {one.id: "QUEUED"}
    data = tables.agent_node_execution_input_output
    with platform.engine.connect() as connection:
        inputs = connection.execute(select(data.c.name, data.c.data)).all()
    assert sorted(map(tuple, inputs)) == [("name", "text"), ("value", "hello")]
    assert platform.slots()[one.id].state is SlotState.ENQUEUED
    assert platform.slots()[one.id].graph_version == 1


@on_postgresql
def test_its_message_carries_every_field_of_the_contract(platform: Platform, payload: RunPayload) -> None:
    one = fire(payload)
    platform.enqueuer().enqueue_many([one])
    with platform.engine.connect() as connection:
        workspace = connection.scalar(select(tables.user_workspace.c.id))
    assert platform.messages() == [
        {
            "user_id": payload.user_id,
            "graph_exec_id": one.id,
            "graph_id": payload.graph_id,
            "graph_version": 1,
            "nodes_input_masks": {},
            "nodes_to_skip": [],
            "execution_context": {
                "user_id": payload.user_id,
                "graph_id": payload.graph_id,
                "graph_exec_id": one.id,
                "graph_version": 1,
                "node_id": None,
                "node_exec_id": None,
                "human_in_the_loop_safe_mode": True,
                "sensitive_action_safe_mode": False,
                "dry_run": False,
                "user_timezone": "Europe/Berlin",
                "root_execution_id": one.id,
                "parent_execution_id": None,
                "workspace_id": workspace,
                "session_id": None,
            },
        }
    ]


def test_a_second_attempt_finds_the_first_ones_execution(platform: Platform, payload: RunPayload) -> None:
    one = fire(payload)
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.ENQUEUED]
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.ALREADY_ENQUEUED]
    assert platform.count(tables.agent_graph_execution) == 1
    assert len(platform.messages()) == len([one] if platform.publisher else [])


def test_a_slot_given_twice_is_enqueued_once(platform: Platform, payload: RunPayload) -> None:
    assert outcomes(platform.enqueuer(), [fire(payload), fire(payload)]) == [Outcome.ENQUEUED] * 2
    assert platform.count(tables.agent_graph_execution) == 1


def test_many_fires_of_many_schedules_are_enqueued_together(platform: Platform, payload: RunPayload) -> None:
    others = [payload._replace(schedule_uid=builders.new_id(), inputs={"text": number}) for number in range(30)]
    fires = [fire(other, minute) for other in others for minute in range(2)]
    assert outcomes(platform.enqueuer(), fires) == [Outcome.ENQUEUED] * len(fires)
    assert platform.statuses() == {one.id: "QUEUED" for one in fires}
    if platform.publisher:
        assert {message["graph_exec_id"] for message in platform.messages()} == {one.id for one in fires}


def test_a_refused_fire_leaves_nothing_but_its_record(platform: Platform, payload: RunPayload) -> None:
    absent = fire(payload._replace(graph_id=builders.new_id()))
    (result,) = platform.enqueuer().enqueue_many([absent])
    assert result.outcome is Outcome.GRAPH_NOT_FOUND
    assert platform.count(tables.agent_graph_execution) == 0
    row = platform.slots()[absent.id]
    assert (row.state, row.reason, row.message) == (SlotState.FAILED, "GraphNotFound", result.message)
    assert platform.messages() == []


def test_node_errors_are_kept_whole(platform: Platform, payload: RunPayload) -> None:
    with platform.engine.begin() as connection:
        required = builders.make_block(
            connection,
            builders.STORE_VALUE_BLOCK,
        )
        lonely = builders.Node(required)
        graph = builders.make_graph(connection, payload.user_id, [lonely])
        builders.make_library_agent(connection, graph)
    one = fire(payload_of(graph))
    (result,) = platform.enqueuer().enqueue_many([one])
    assert result.outcome is Outcome.GRAPH_INVALID
    assert result.node_errors == {lonely.id: {"input": "This field is required"}}
    assert platform.slots()[one.id].node_errors == result.node_errors


def test_a_refused_slot_is_enqueued_once_the_graph_is_mended(platform: Platform, payload: RunPayload) -> None:
    library = tables.library_agent
    one = fire(payload)
    with platform.engine.begin() as connection:
        connection.execute(update(library).values(is_deleted=True))
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.GRAPH_NOT_IN_LIBRARY]
    with platform.engine.begin() as connection:
        connection.execute(update(library).values(is_deleted=False))
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.ENQUEUED]


def test_the_same_slot_always_has_the_same_ids(platform: Platform, payload: RunPayload) -> None:
    one = fire(payload)
    platform.enqueuer().enqueue_many([one])
    made = tables.agent_node_execution
    with platform.engine.connect() as connection:
        node_execution, node = connection.execute(select(made.c.id, made.c.agent_node_id)).one()
    assert node_execution == node_execution_id(one.id, node)


@on_postgresql
def test_one_poisoned_fire_harms_no_other(platform: Platform, payload: RunPayload) -> None:
    poisoned = fire(payload._replace(schedule_uid=builders.new_id(), inputs={"text": "\ud800"}))
    healthy = [fire(payload, minute) for minute in range(9)]
    results = outcomes(platform.enqueuer(), [*healthy[:4], poisoned, *healthy[4:]])
    assert results == [Outcome.ENQUEUED] * 4 + [Outcome.GRAPH_ERROR] + [Outcome.ENQUEUED] * 5
    assert len(platform.messages()) == len(healthy)
    assert platform.slots()[poisoned.id].state is SlotState.FAILED


@on_postgresql
def test_a_broker_that_is_down_leaves_no_execution(platform: Platform, payload: RunPayload) -> None:
    nowhere = Publisher(BrokerAddress.from_url("amqp://user:secret@127.0.0.1:1/"))
    one = fire(payload)
    (result,) = platform.enqueuer(delivery=Delivery(nowhere)).enqueue_many([one])
    assert result.outcome is Outcome.TRANSIENT
    assert "127.0.0.1:1" in result.message
    assert "secret" not in result.message
    assert platform.count(tables.agent_graph_execution) == 0
    assert platform.slots()[one.id].reason == "Transient"
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.ENQUEUED]


@on_postgresql
def test_a_database_that_is_down_is_a_passing_fault(platform: Platform, payload: RunPayload) -> None:
    nowhere = database.engine("postgresql://user:secret@127.0.0.1:1/platform")
    (result,) = platform.enqueuer(engine=nowhere).enqueue_many([fire(payload)])
    assert result.outcome is Outcome.TRANSIENT
    assert "127.0.0.1:1" in result.message
    assert "secret" not in result.message


@on_postgresql
def test_a_returned_message_is_a_failure_and_the_retry_sends_it(platform: Platform, payload: RunPayload) -> None:
    assert platform.broker_url
    with topology.channel(platform.broker_url) as channel:
        channel.queue_unbind(topology.QUORUM.name, topology.EXCHANGE, topology.ROUTING_KEY)
    one = fire(payload)
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.TRANSIENT]
    assert platform.statuses() == {one.id: "QUEUED"}
    assert "NO_ROUTE" in platform.slots()[one.id].message
    topology.declare(platform.broker_url, topology.QUORUM)
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.ENQUEUED]
    assert [message["graph_exec_id"] for message in platform.messages()] == [one.id]


class Unconfirmed(Publisher):
    """A broker connection that loses its confirms: messages arrive, but nobody learns of it."""

    def publish_many(self, bodies: Sequence[bytes]) -> list[str | None]:
        super().publish_many(bodies)
        return ["connection lost"] * len(bodies)


@on_postgresql
@pytest.mark.parametrize(("status", "sent"), [("QUEUED", 2), ("RUNNING", 1), ("FAILED", 1), ("TERMINATED", 1)])
def test_an_unknown_outcome_is_sent_again_only_while_the_execution_waits(
    platform: Platform, payload: RunPayload, status: str, sent: int
) -> None:
    assert platform.broker_url
    one = fire(payload)
    unconfirmed = Unconfirmed(BrokerAddress.from_url(platform.broker_url))
    assert outcomes(platform.enqueuer(delivery=Delivery(unconfirmed)), [one]) == [Outcome.TRANSIENT]
    unconfirmed.close()
    with platform.engine.begin() as connection:
        connection.execute(update(tables.agent_graph_execution).values(execution_status=status))
    assert outcomes(platform.enqueuer(), [one]) == [Outcome.ENQUEUED]
    assert len(platform.messages()) == sent


@on_postgresql
def test_duplicates_at_once_send_each_message_once(platform: Platform, payload: RunPayload) -> None:
    assert platform.broker_url
    fires = [fire(payload, minute) for minute in range(40)]
    seen: list[Outcome] = []
    runners = [
        threading.Thread(target=_run_apart, args=(platform.url, platform.broker_url, order, seen))
        for order in (fires, fires[::-1], fires[20:] + fires[:20])
    ]
    for runner in runners:
        runner.start()
    for runner in runners:
        runner.join()
    assert Counter(seen) == {Outcome.ENQUEUED: 40, Outcome.ALREADY_ENQUEUED: 80}
    assert Counter(message["graph_exec_id"] for message in platform.messages()) == {one.id: 1 for one in fires}


def _run_apart(url: str, broker_url: str, fires: Sequence[Fire], seen: list[Outcome]) -> None:
    engine = database.engine(url)
    with Publisher(BrokerAddress.from_url(broker_url)) as publisher:
        for one in fires:
            seen += outcomes(Enqueuer(engine, JUDGE, Delivery(publisher)), [one])
    engine.dispose()


@on_postgresql
def test_repair_finishes_what_is_old_enough(platform: Platform, payload: RunPayload) -> None:
    assert platform.broker_url
    old, young = fire(payload, 0), fire(payload, 1)
    unconfirmed = Delivery(Unconfirmed(BrokerAddress.from_url(platform.broker_url)))
    platform.enqueuer(delivery=unconfirmed, clock=lambda: NOON).enqueue_many([old])
    platform.enqueuer(delivery=unconfirmed, clock=lambda: NOON + timedelta(seconds=90)).enqueue_many([young])
    unconfirmed.close()
    topology.take_all(platform.broker_url)
    repaired = repair(
        platform.engine, Delivery(platform.publisher), timedelta(seconds=60), lambda: NOON + timedelta(seconds=100)
    )
    assert (repaired.finished, repaired.faults) == ([old.id], {})
    assert [message["graph_exec_id"] for message in platform.messages()] == [old.id]
    assert platform.slots()[old.id].state is SlotState.ENQUEUED
    assert platform.slots()[young.id].state is SlotState.FAILED


def test_what_is_not_begun_when_asked_to_stop_is_left_alone(platform: Platform, payload: RunPayload) -> None:
    assert outcomes(platform.enqueuer(stopping=lambda: True), [fire(payload)]) == [Outcome.TRANSIENT]
    assert platform.slots() == {}


@on_postgresql
def test_safe_modes_come_from_the_library_and_an_unset_zone_is_utc(platform: Platform) -> None:
    with platform.engine.begin() as connection:
        user_id = builders.make_user(connection)
        graph = builders.make_simple_graph(connection, user_id)
        flags = {"human_in_the_loop_safe_mode": False, "sensitive_action_safe_mode": True}
        connection.execute(update(tables.library_agent).values(settings=flags))
    platform.enqueuer().enqueue_many([fire(payload_of(graph))])
    told = platform.messages()[0]["execution_context"]
    assert told["user_timezone"] == "UTC"
    assert told["human_in_the_loop_safe_mode"] is False
    assert told["sensitive_action_safe_mode"] is True


@on_postgresql
def test_columns_of_newer_releases_are_filled(platform: Platform, payload: RunPayload) -> None:
    with platform.engine.begin() as connection:
        for table, column in [
            ("AgentGraphExecution", '"scheduleId" text'),
            ("AgentGraphExecution", '"organizationId" text'),
            ("LibraryAgent", '"lastRunAt" timestamp(3)'),
            ("LibraryAgent", '"organizationId" text'),
        ]:
            connection.exec_driver_sql(f'ALTER TABLE platform."{table}" ADD COLUMN {column}')
        connection.exec_driver_sql("""UPDATE platform."LibraryAgent" SET "organizationId" = 'acme'""")
    one = fire(payload)
    platform.enqueuer(clock=lambda: NOON).enqueue_many([one])
    with platform.engine.connect() as connection:
        execution = connection.exec_driver_sql(
            'SELECT "scheduleId", "organizationId" FROM platform."AgentGraphExecution"'
        ).one()
        last_run = connection.exec_driver_sql('SELECT "lastRunAt" FROM platform."LibraryAgent"').scalar_one()
    assert tuple(execution) == (payload.schedule_uid, "acme")
    assert last_run.replace(tzinfo=UTC) == NOON
    assert platform.messages()[0]["execution_context"]["organization_id"] == "acme"
