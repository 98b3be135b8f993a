"""The catalogue of block kinds: shipped, and refreshed from a running platform (C §2.11, §2.12)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform.catalogue import (
    AGENT_EXECUTOR,
    ORCHESTRATOR,
    BlockKind,
    CatalogueEntry,
    load,
    refreshed,
    shipped,
)

if TYPE_CHECKING:
    from pathlib import Path

NOTE = "cc10ff7b-7753-4ff2-9af6-9399b1a7eddc"
LISTED = {"id": "new", "name": "NewBlock", "uiType": "Input", "staticOutput": True, "inputSchema": {}}


def test_the_shipped_catalogue_holds_the_blocks_of_the_release() -> None:
    """2.11: 538 blocks, 15 of them disabled, by kind as counted there."""
    blocks = shipped()
    kinds = [entry.kind for entry in blocks.values()]

    assert len(blocks) == 538
    assert sum(entry.disabled for entry in blocks.values()) == 15
    assert {kind: kinds.count(kind) for kind in BlockKind} == {
        BlockKind.STANDARD: 496,
        BlockKind.AYRSHARE: 13,
        BlockKind.INPUT: 11,
        BlockKind.WEBHOOK: 10,
        BlockKind.WEBHOOK_MANUAL: 2,
        BlockKind.OUTPUT: 1,
        BlockKind.AI: 1,
        BlockKind.HUMAN_IN_THE_LOOP: 1,
        BlockKind.MCP_TOOL: 1,
        BlockKind.NOTE: 1,
        BlockKind.AGENT: 1,
    }
    assert (blocks[AGENT_EXECUTOR].name, blocks[ORCHESTRATOR].name) == ("AgentExecutorBlock", "OrchestratorBlock")


def test_a_refreshed_catalogue_follows_the_platform() -> None:
    blocks = refreshed(shipped(), [LISTED, {"id": NOTE, "name": "NoteBlock", "uiType": "Note"}])

    assert blocks["new"] == CatalogueEntry("NewBlock", BlockKind.INPUT)
    assert not blocks[NOTE].disabled
    assert blocks[AGENT_EXECUTOR].disabled


def test_a_kind_nobody_knew_is_judged_as_an_ordinary_block() -> None:
    assert refreshed({}, [{**LISTED, "uiType": "Quantum"}])["new"].kind is BlockKind.STANDARD


def test_the_environment_names_the_file_to_refresh_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "blocks.json"
    file.write_text(json.dumps([LISTED]), "utf-8")

    assert load() == shipped()
    assert "new" in load(file)
    monkeypatch.setenv("BLOCK_CATALOGUE", str(file))
    assert "new" in load()


@pytest.mark.parametrize("text", ["", "{", "7", '{"id": "x"}', '[{"id": "x"}]', "[[]]", '["x"]'])
def test_a_file_that_is_no_such_document_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "blocks.json"
    file.write_text(text, "utf-8")

    with pytest.raises(InvalidValueError, match="BLOCK_CATALOGUE"):
        load(file)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="BLOCK_CATALOGUE"):
        load(tmp_path / "none.json")
