"""How often blocks failed, and what their errors said: both sides of each boundary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.block_stats import block_stats, error_samples

from tests.support import builders
from tests.support.node_executions import make_node, make_node_executions, make_output

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
SINCE = NOW - timedelta(days=1)
TICK = timedelta(milliseconds=1)
FAILED, DONE = "FAILED", "COMPLETED"


def made(connection: Connection, name: str, statuses: list[str], added_time: datetime = NOW) -> str:
    """Make a block whose only node ran like this; return its id."""
    block_id = builders.make_block(connection, name=name)
    make_node_executions(connection, make_node(connection, block_id), statuses, added_time)
    return block_id


def test_every_status_counts_as_a_run_and_one_as_a_failure(platform_db: Engine) -> None:
    statuses = ["INCOMPLETE", "QUEUED", "RUNNING", DONE, DONE, DONE, "TERMINATED", "REVIEW", FAILED, FAILED]
    with platform_db.begin() as connection:
        block_id = made(connection, "Worker", statuses)
        assert block_stats(connection, SINCE, NOW) == [(block_id, "Worker", 10, 2)]


@pytest.mark.parametrize(("runs", "known"), [(9, False), (10, True)])
def test_a_block_needs_ten_runs(platform_db: Engine, runs: int, known: bool) -> None:
    with platform_db.begin() as connection:
        made(connection, "Worker", [FAILED] * runs)
        assert len(block_stats(connection, SINCE, NOW)) == known


@pytest.mark.parametrize(
    ("added_time", "counted"), [(SINCE - TICK, False), (SINCE, True), (NOW, True), (NOW + TICK, False)]
)
def test_runs_count_by_the_time_they_were_added(platform_db: Engine, added_time: datetime, counted: bool) -> None:
    with platform_db.begin() as connection:
        block_id = made(connection, "Worker", [DONE] * 10)
        make_node_executions(connection, make_node(connection, block_id), [FAILED], added_time)
        assert block_stats(connection, SINCE, NOW) == [(block_id, "Worker", 10 + counted, int(counted))]


def test_a_block_is_all_its_nodes_and_blocks_come_by_failures(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        first = made(connection, "A", [FAILED] * 3 + [DONE] * 7)
        second = made(connection, "B", [FAILED] * 3 + [DONE] * 7)
        make_node_executions(connection, make_node(connection, second), [FAILED], NOW)
        third = made(connection, "C", [DONE] * 10)
        found = block_stats(connection, SINCE, NOW)
    assert found == [(second, "B", 11, 4), (first, "A", 10, 3), (third, "C", 10, 0)]


def test_unknown_blocks_stand_for_themselves(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        ids = {made(connection, name, [FAILED] * 10) for name in ("A", "B")}
    forget_blocks(platform_db)
    with platform_db.begin() as connection:
        found = block_stats(connection, SINCE, NOW)
    assert {block.block_id for block in found} == ids
    assert [block.name for block in found] == ["Unknown", "Unknown"]


def forget_blocks(engine: Engine) -> None:
    """Delete all blocks though nodes need them, as a database without foreign keys lets happen."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            raw = connection.connection.dbapi_connection
            assert raw is not None
            cursor = raw.cursor()
            cursor.execute("PRAGMA foreign_keys = OFF")
            cursor.execute('DELETE FROM "AgentBlock"')
            cursor.execute("PRAGMA foreign_keys = ON")
            return
        connection.exec_driver_sql('ALTER TABLE platform."AgentNode" DROP CONSTRAINT "AgentNode_agentBlockId_fkey"')
        connection.exec_driver_sql('DELETE FROM platform."AgentBlock"')
        connection.commit()


def test_samples_are_the_first_errors_of_the_newest_failures(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        block_id, other = (builders.make_block(connection) for _ in range(2))
        place = make_node(connection, block_id)
        for minutes in range(4):
            (execution,) = make_node_executions(connection, place, [FAILED], NOW - timedelta(minutes=minutes))
            make_output(connection, execution, f"later {minutes}", NOW + TICK)
            make_output(connection, execution, f"first {minutes}", NOW)
        (theirs,) = make_node_executions(connection, make_node(connection, other), [FAILED], NOW)
        make_output(connection, theirs, "theirs", NOW)
        found = error_samples(connection, [block_id], SINCE, NOW, limit=3)
    assert found == {block_id: ["first 0", "first 1", "first 2"]}


def test_no_sample_comes_from_other_outputs_other_statuses_and_other_days(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        block_id = builders.make_block(connection)
        place = make_node(connection, block_id)
        silent, done = make_node_executions(connection, place, [FAILED, DONE], NOW)
        make_output(connection, silent, "result", NOW, name="result")
        make_output(connection, done, "handled", NOW)
        for added_time in (SINCE - TICK, NOW + TICK):
            (execution,) = make_node_executions(connection, place, [FAILED], added_time)
            make_output(connection, execution, "other day", added_time)
        assert error_samples(connection, [block_id], SINCE, NOW, limit=3) == {}


def test_an_error_may_be_any_json(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        block_id = builders.make_block(connection)
        (execution,) = make_node_executions(connection, make_node(connection, block_id), [FAILED], NOW)
        make_output(connection, execution, {"code": 7}, NOW)
        assert error_samples(connection, [block_id], SINCE, NOW, limit=3) == {block_id: ['{"code": 7}']}
