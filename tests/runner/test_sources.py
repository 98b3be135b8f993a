"""Inputs from Secrets and ConfigMaps, laid out as the kubelet shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.outcomes import SlotState
from graphschedule.payload import InputSource
from graphschedule_platform.tables import agent_graph_execution
from graphschedule_runner import sources
from sqlalchemy import select

from dev.services import topology
from tests.runner.commands import SLOT, environment_of, refused, run, written
from tests.support import builders
from tests.support.platforms import JUDGE, fire, on_postgresql, payload_of

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from graphschedule.payload import RunPayload

    from tests.support.platforms import Platform

KEY = "sk-A1b2C3d4E5f6"
KEYS, TEXTS = InputSource("Secret", "api-keys"), InputSource("ConfigMap", "texts")


def show(folder: Path, index: int, **files: str | bytes) -> None:
    """Lay out a volume as the kubelet does: each key a link into a folder that is replaced as a whole."""
    content = folder / str(index) / "..2026_05_04"
    content.mkdir(parents=True)
    (folder / str(index) / "..data").symlink_to(content.name)
    for name, text in files.items():
        (content / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        (folder / str(index) / name).symlink_to(f"..data/{name}")


def found(payload: RunPayload, folder: Path) -> dict[str, Any]:
    """Return the inputs of a run, which must be complete."""
    complete, _ = sources.complete(fire(payload), JUDGE, folder)
    return dict(complete.payload.inputs)


def said(payload: RunPayload, folder: Path) -> str:
    """Return why the inputs of a run cannot be used."""
    same, judge = sources.complete(fire(payload), JUDGE, folder)
    assert same.payload == payload
    (verdict,) = judge(None, [same.request])  # type: ignore[arg-type] # nobody asks the database
    return verdict.message


@pytest.fixture
def bare() -> RunPayload:
    """Give the payload of a schedule on no platform, with an input of its own."""
    return payload_of(builders.Graph("graph-1", 1, "user-1"))


@pytest.mark.parametrize(
    ("source", "inputs"),
    [
        (KEYS, {"a": "1", "b": " x\n", "text": '["ä"]'}),
        (KEYS._replace(key="a"), {"text": "hello", "a": "1"}),
        (KEYS._replace(key="a", input="text"), {"text": "1"}),
        (KEYS._replace(key="text", format="Json"), {"text": ["ä"]}),
        (KEYS._replace(key="text", input="list", format="Json"), {"text": "hello", "list": ["ä"]}),
        (KEYS._replace(key="c", optional=True), {"text": "hello"}),
    ],
)
def test_a_source_gives_its_keys_or_one_of_them(
    bare: RunPayload, tmp_path: Path, source: InputSource, inputs: dict[str, Any]
) -> None:
    show(tmp_path, 0, a="1", b=" x\n", text='["ä"]')
    assert found(bare._replace(inputs_from=(source,)), tmp_path) == inputs


def test_a_later_source_wins(bare: RunPayload, tmp_path: Path) -> None:
    show(tmp_path, 0, a="first", b="first")
    show(tmp_path, 1, b="second", text="second")
    payload = bare._replace(inputs={"text": "own", "own": 1}, inputs_from=(KEYS, TEXTS))
    assert found(payload, tmp_path) == {"own": 1, "a": "first", "b": "second", "text": "second"}


def test_a_source_that_need_not_exist_is_gone_without(bare: RunPayload, tmp_path: Path) -> None:
    payload = bare._replace(inputs_from=(KEYS._replace(optional=True),))
    (tmp_path / "0").mkdir()
    assert found(payload, tmp_path) == {"text": "hello"}


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        (KEYS, ["spec.inputsFrom[1]: 'Secret api-keys'", "namespace agents", "create it, or set optional: true"]),
        (KEYS._replace(key="token"), ["spec.inputsFrom[1]: 'Secret api-keys, key token'", "create it"]),
        (TEXTS._replace(key="token"), ["spec.inputsFrom[1]: 'ConfigMap texts, key token'"]),
    ],
)
def test_what_is_missing_is_named_with_field_value_and_remedy(
    bare: RunPayload, tmp_path: Path, source: InputSource, parts: list[str]
) -> None:
    show(tmp_path, 0, a="1")
    (tmp_path / "1").mkdir()
    message = said(bare._replace(inputs_from=(TEXTS, source)), tmp_path)
    assert [part for part in parts if part not in message] == []


@pytest.mark.parametrize(
    ("content", "format_", "part"),
    [
        (f'{{"{KEY}"', "Json", "format Json takes JSON in UTF-8"),
        (b"\xff" + KEY.encode(), "Json", "format Json takes JSON in UTF-8"),
        (b"\xff" + KEY.encode(), "Text", "format Text takes text in UTF-8"),
        ("[" * 100_000, "Json", "format Json takes JSON in UTF-8"),
        (f'"{KEY * 80_000}"', "Json", "together they may take 1048576 bytes"),
    ],
    ids=["no JSON", "JSON of no encoding", "text of no encoding", "too deep", "too large"],
)
def test_what_cannot_be_read_is_named_and_not_quoted(
    bare: RunPayload, tmp_path: Path, content: str | bytes, format_: str, part: str
) -> None:
    show(tmp_path, 0, token=content)
    message = said(bare._replace(inputs_from=(KEYS._replace(format=format_),)), tmp_path)
    assert message.startswith("spec.inputs")
    assert part in message
    assert "sk-" not in message


def execute(platform: Platform, payload: RunPayload, folder: Path) -> subprocess.CompletedProcess[str]:
    file, inputs = written(payload, folder), folder / "inputs"
    return run(environment_of(platform), "execute", "--payload", file, "--inputs", inputs, "--slot", SLOT)


def test_a_missing_key_is_on_record_and_the_same_slot_runs_once_it_is_there(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    payload = payload._replace(inputs_from=(KEYS._replace(key="token", input="text"),))
    (tmp_path / "inputs" / "0").mkdir(parents=True)
    refused(
        execute(platform, payload, tmp_path), 64, "BadArguments", "spec.inputsFrom[0]: 'Secret api-keys, key token'"
    )
    row = platform.slots()[fire(payload).id]
    assert (row.state, row.reason) == (SlotState.FAILED, "BadArguments")
    assert row.message.startswith("spec.inputsFrom[0]")
    assert platform.statuses() == {}

    (tmp_path / "inputs" / "0" / "token").write_text(KEY)
    done = execute(platform, payload, tmp_path)
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    with platform.engine.connect() as connection:
        assert connection.scalar(select(agent_graph_execution.c.inputs)) == {"text": KEY}


@on_postgresql
def test_an_execution_that_is_written_gets_finished_without_its_inputs(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    assert platform.broker_url
    payload = payload._replace(inputs_from=(KEYS,))
    show(tmp_path / "inputs", 0, text=KEY)
    with topology.channel(platform.broker_url) as channel:
        channel.queue_unbind(topology.QUORUM.name, topology.EXCHANGE, topology.ROUTING_KEY)
    refused(execute(platform, payload, tmp_path), 75, "NO_ROUTE")
    topology.declare(platform.broker_url, topology.QUORUM)
    (tmp_path / "inputs").rename(tmp_path / "gone")
    assert execute(platform, payload, tmp_path).returncode == 0
    assert [message["graph_exec_id"] for message in platform.messages()] == [fire(payload).id]


def test_a_refusal_that_quotes_an_input_does_not_quote_a_secret(platform: Platform, tmp_path: Path) -> None:
    choice = {"name": {"type": "string"}, "value": {"type": "string", "enum": ["yes", "no"]}}
    with platform.engine.begin() as connection:
        builders.make_block(connection, builders.INPUT_BLOCK, input_schema={"type": "object", "properties": choice})
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
    payload = payload_of(graph)._replace(inputs_from=(KEYS,))
    show(tmp_path / "inputs", 0, text=KEY)
    done = execute(platform, payload, tmp_path)
    refused(done, 69, "Failed to convert *** to the type of `value`")
    assert KEY not in done.stdout + done.stderr
    assert KEY not in platform.slots()[fire(payload).id].message


@on_postgresql
def test_a_row_that_the_database_refuses_is_not_quoted(platform: Platform, payload: RunPayload, tmp_path: Path) -> None:
    with platform.engine.begin() as connection:
        connection.exec_driver_sql('ALTER TABLE platform."AgentGraphExecution" ADD CONSTRAINT none CHECK (false)')
    show(tmp_path / "inputs", 0, text=KEY)
    done = execute(platform, payload._replace(inputs_from=(KEYS,)), tmp_path)
    refused(done, 75, "IntegrityError", "violates check constraint")
    assert KEY not in done.stdout + done.stderr
    assert KEY not in platform.slots()[fire(payload).id].message
