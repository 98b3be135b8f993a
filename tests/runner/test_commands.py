"""The runner's commands as programs: what they do, what they print, and how they refuse."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.slots import Slot
from graphschedule_platform import tables

from dev.services import topology
from tests.runner.commands import SLOT, command, environment_of, refused, run, written
from tests.support import builders
from tests.support.platforms import NOON, Platform, fire, on_postgresql, payload_of

if TYPE_CHECKING:
    from graphschedule.payload import RunPayload

    from dev.services import Service

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def payload_file(payload: RunPayload, tmp_path: Path) -> Path:
    return written(payload, tmp_path)


def test_execute_does_by_hand_what_the_pod_does(platform: Platform, payload: RunPayload, payload_file: Path) -> None:
    done = run(environment_of(platform), "execute", "--payload", payload_file, "--slot", SLOT)
    assert done.returncode == 0, done.stderr
    execution_id = fire(payload).id
    assert done.stdout.startswith(f"Enqueued agents/daily slot {SLOT} execution {execution_id} in ")
    record = json.loads(done.stderr.splitlines()[-1])
    assert (record["reason"], record["executionId"]) == ("Enqueued", execution_id)
    assert record["elapsedSeconds"] > 0
    assert platform.statuses() == {execution_id: "QUEUED"}


def test_the_pod_takes_its_slot_from_its_job(platform: Platform, payload: RunPayload, payload_file: Path) -> None:
    minutes = int(NOON.timestamp()) // 60
    job = {"GRAPHSCHEDULE_JOB_NAME": f"daily-{minutes}", "GRAPHSCHEDULE_JOB_UID": builders.new_id()}
    by_hand = {"GRAPHSCHEDULE_JOB_NAME": "try-it", "GRAPHSCHEDULE_JOB_UID": builders.new_id()}
    for names in (job, job, by_hand):
        assert run(environment_of(platform) | names, "execute", "--payload", payload_file).returncode == 0
    manual = Slot.manual(payload.schedule_uid, by_hand["GRAPHSCHEDULE_JOB_UID"])
    assert platform.statuses().keys() == {fire(payload).id, manual.execution_id}


def test_the_last_words_are_one_json_line(platform: Platform, payload: RunPayload, tmp_path: Path) -> None:
    last_words = tmp_path / "termination-log"
    last_words.touch()
    absent = written(payload._replace(graph_id=builders.new_id()), tmp_path)
    where = ("--payload", absent, "--slot", SLOT, "--termination-log", last_words)
    done = run(environment_of(platform), "execute", *where)
    refused(done, 65, "GraphNotFound", "not found")
    told = json.loads(last_words.read_text())
    assert (told["reason"], told["exitCode"], told["slot"]) == ("GraphNotFound", 65, SLOT)


def test_a_graph_that_is_invalid_is_told_with_its_node_errors(platform: Platform, tmp_path: Path) -> None:
    with platform.engine.begin() as connection:
        schema = builders.STORE_VALUE_SCHEMA
        block = builders.make_block(connection, builders.STORE_VALUE_BLOCK, input_schema=schema)
        lonely = builders.Node(block)
        graph = builders.make_graph(connection, builders.make_user(connection), [lonely])
        builders.make_library_agent(connection, graph)
    file = written(payload_of(graph), tmp_path)
    done = run(environment_of(platform), "execute", "--payload", file, "--slot", SLOT)
    refused(done, 68, f"node {lonely.id} input: This field is required")
    assert platform.count(tables.agent_graph_execution) == 0


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("{", "it must be JSON"),
        ("[]", "JSON object"),
        ('{"format": 99}', "format 1"),
        ('{"format": 1, "namespace": "a"}', "schedule_uid"),
    ],
)
def test_a_bad_payload_is_refused_by_name(tmp_path: Path, text: str, part: str) -> None:
    file = tmp_path / "run.json"
    file.write_text(text)
    done = run({"DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}, "execute", "--payload", file, "--slot", SLOT)
    refused(done, 64, "payload", part)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://root:secret@host/db"}, "DATABASE_URL"),
        ({"DB_POOL_SIZE": "none"}, "DB_POOL_SIZE: 'none'"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: 'LOUD'"),
        ({"ENABLE_CREDIT": "perhaps"}, "ENABLE_CREDIT: 'perhaps'"),
        ({"ENCRYPTION_KEY": "secret"}, "ENCRYPTION_KEY"),
    ],
)
def test_a_bad_setting_is_refused_by_name_and_value(
    platform: Platform, payload_file: Path, change: dict[str, str], part: str
) -> None:
    done = run(environment_of(platform) | change, "execute", "--payload", payload_file, "--slot", SLOT)
    refused(done, 64, part)
    assert "secret" not in done.stdout + done.stderr
    assert platform.count(tables.agent_graph_execution) == 0


def test_a_slot_that_is_no_time_is_refused(platform: Platform, payload_file: Path) -> None:
    done = run(environment_of(platform), "execute", "--payload", payload_file, "--slot", "noon")
    refused(done, 64, "'noon'", "2026-05-04T09:00:00Z")


@on_postgresql
@pytest.mark.parametrize(
    "change",
    [
        {"DATABASE_URL": "postgresql://user:secret@127.0.0.1:1/platform"},
        {"RABBITMQ_URL": "amqp://user:secret@127.0.0.1:1/"},
    ],
)
def test_a_server_that_is_down_is_told_once_and_leaves_nothing(
    platform: Platform, payload_file: Path, change: dict[str, str]
) -> None:
    done = run(environment_of(platform) | change, "execute", "--payload", payload_file, "--slot", SLOT)
    refused(done, 75, "127.0.0.1:1")
    assert len(done.stdout.splitlines()) == 1
    assert "secret" not in done.stdout + done.stderr
    assert platform.count(tables.agent_graph_execution) == 0


@on_postgresql
def test_a_broker_must_be_named(platform: Platform, payload_file: Path) -> None:
    done = run({"DATABASE_URL": platform.url}, "execute", "--payload", payload_file, "--slot", SLOT)
    refused(done, 64, "RABBITMQ_URL")


@on_postgresql
def test_a_database_without_our_ledger_names_the_remedy(
    empty_database: Service, broker: Service, payload_file: Path
) -> None:
    environment = {"DATABASE_URL": empty_database.url, "RABBITMQ_URL": broker.url}
    refused(run(environment, "execute", "--payload", payload_file, "--slot", SLOT), 70, "schema")
    refused(run(environment, "db", "upgrade"), 70, "DATABASE_URL")


@on_postgresql
def test_repair_publishes_what_was_left(platform: Platform, payload: RunPayload, payload_file: Path) -> None:
    assert platform.broker_url
    with topology.channel(platform.broker_url) as channel:
        channel.queue_unbind(topology.QUORUM.name, topology.EXCHANGE, topology.ROUTING_KEY)
    environment = environment_of(platform)
    refused(run(environment, "execute", "--payload", payload_file, "--slot", SLOT), 75, "NO_ROUTE")
    refused(run(environment, "repair", "--older-than", "0"), 75, "0 slots, 1 not yet")
    topology.declare(platform.broker_url, topology.QUORUM)
    assert run(environment, "repair", "--older-than", "0").stdout == "finished 1 slots, 0 not yet\n"
    assert [message["graph_exec_id"] for message in platform.messages()] == [fire(payload).id]


@on_postgresql
def test_work_in_hand_is_finished_on_sigterm(platform: Platform, payload_file: Path) -> None:
    """A lock holds the runner in the middle of its first transaction; there it is told to stop."""
    started = subprocess.Popen(
        command("execute", "--payload", payload_file, "--slot", SLOT),
        env=os.environ | environment_of(platform),
        stdout=subprocess.PIPE,
        text=True,
    )
    waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with platform.engine.begin() as lock, platform.engine.connect() as watch:
        lock.exec_driver_sql('LOCK TABLE platform."AgentGraphExecution" IN ACCESS EXCLUSIVE MODE')
        while not watch.exec_driver_sql(waits).scalar():
            assert started.poll() is None
            watch.rollback()
        started.send_signal(signal.SIGTERM)
    said, _ = started.communicate(timeout=60)
    assert (started.returncode, said.split()[0]) == (0, "Enqueued")
    assert len(platform.messages()) == 1


def test_the_sample_graph_runs_in_a_fresh_standalone_database(tmp_path: Path) -> None:
    environment = {"DATABASE_URL": f"sqlite:///{tmp_path}/fresh.db"}
    for arguments in (["db", "upgrade"], ["db", "upgrade"], ["graph", "import", EXAMPLES / "sample-graph.json"]):
        done = run(environment, *arguments)
        assert done.returncode == 0, done.stderr
    assert run(environment, "graph", "import", EXAMPLES / "sample-graph.json").returncode == 0
    told = run(environment, "validate", "-f", EXAMPLES / "every-minute.yaml", "--output", "json")
    assert json.loads(told.stdout)["verdict"] == "valid"
    assert next(iter(json.loads(told.stdout)["startingNodes"].values()))["value"] == "the news of the minute"
    elsewhere = run(environment, "validate", "-f", EXAMPLES / "inputs-from-secret.yaml", "--output", "json")
    assert json.loads(elsewhere.stdout)["verdict"] == "valid"


@on_postgresql
def test_a_graph_is_not_loaded_into_a_platforms_own_database(platform: Platform) -> None:
    with platform.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM graphschedule.alembic_version WHERE version_num LIKE 'standalone%%'")
    done = run(environment_of(platform), "graph", "import", EXAMPLES / "sample-graph.json")
    refused(done, 70, "belongs to a platform")


def test_executions_are_listed_with_status_and_inputs(
    platform: Platform, payload: RunPayload, payload_file: Path
) -> None:
    environment = environment_of(platform)
    run(environment, "execute", "--payload", payload_file, "--slot", SLOT)
    (listed,) = json.loads(run(environment, "executions", "list", "-o", "json", "--schedule", "daily").stdout)
    assert (listed["executionId"], listed["status"], listed["inputs"]) == (fire(payload).id, "QUEUED", payload.inputs)
    assert json.loads(run(environment, "executions", "list", "-o", "json", "--schedule", "other").stdout) == []
    assert "agents/daily" in run(environment, "executions", "list").stdout


def test_a_batch_is_judged_line_by_line(platform: Platform, payload: RunPayload, tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [
        {"graphId": payload.graph_id, "userId": payload.user_id, "inputs": {"text": "a\u2028b"}},
        {"graphId": builders.new_id(), "userId": payload.user_id, "graphVersion": 3, "credentials": None},
        {"graphId": payload.graph_id, "userId": builders.new_id(), "nodesInputMasks": {}},
    ]
    file = tmp_path / "batch.jsonl"
    file.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines) + "\n", "utf-8")
    done = run(environment_of(platform), "validate", "--batch", file, "--output", "json")
    assert done.returncode == 0, done.stderr
    verdicts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [verdict["verdict"] for verdict in verdicts] == ["valid", "graph_not_found", "not_accessible"]
    assert verdicts[0].keys() >= {
        "verdict", "message", "nodeErrors", "startingNodes", "nodesInputMasks", "nodesToSkip"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "part"),
    [
        ("{", "it must be JSON"),
        ('{"graphId": "g"}', "graphId and userId"),
        ('{"graphId": "g", "userId": "u", "cron": "x"}', "graphId"),
        ('{"graphId": "g", "userId": "u", "inputs": []}', "inputs"),
        ('{"graphId": "g", "userId": "u", "graphVersion": "1"}', "graphVersion"),
    ],
)
def test_a_line_that_is_no_request_is_named_by_its_number(tmp_path: Path, line: str, part: str) -> None:
    file = tmp_path / "batch.jsonl"
    file.write_text(f"\n{line}\n")
    done = run({"DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}, "validate", "--batch", file)
    refused(done, 64, "line 2", part)


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        ("* * * * *", "61 * * * *", "61"),
        ("* * * * *", "@every 5m", "@every 5m"),
        ("Etc/UTC", "Mars/Olympus", "Mars/Olympus"),
        ("graph:", "grap:", "spec.graph"),
        ("kind: GraphSchedule", "kind: CronJob", "CronJob"),
        (
            "timeZone:",
            "inputsFrom: [{key: token}]\n  timeZone:",
            "spec.inputsFrom.0: {'key': 'token'} is not valid: must have",
        ),
        ("timeZone:", "heartbeatUrl: mailto:me\n  timeZone:", "spec.heartbeatUrl: 'mailto:me'"),
    ],
)
def test_a_schedule_that_cannot_be_is_refused_by_field_and_value(tmp_path: Path, old: str, new: str, part: str) -> None:
    file = tmp_path / "schedule.yaml"
    file.write_text((EXAMPLES / "every-minute.yaml").read_text().replace(old, new))
    refused(run({"DATABASE_URL": f"sqlite:///{tmp_path}/none.db"}, "validate", "-f", file), 64, part)
