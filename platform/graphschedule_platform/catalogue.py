"""What the database does not say of a block: its kind and whether it is disabled (C §2.11).

A catalogue of one platform release is shipped as package data. The running platform's own answer to
`GET /api/blocks` refreshes it, for settings of the platform decide which blocks it offers (C §2.12).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from graphschedule.errors import InvalidValueError

PATH_VARIABLE = "BLOCK_CATALOGUE"
"""Environment variable naming a file that holds the platform's answer to `GET /api/blocks`."""

AGENT_EXECUTOR = "e189baac-8c20-45a1-94a7-55177ea42565"
"""Id of the block whose nodes run a sub-graph (C §2.1)."""

ORCHESTRATOR = "3b191d9f-356f-482d-8238-ba04b6d18381"
"""Id of the one ordinary block that overrides a rule of validation (C §2.11)."""


class BlockKind(StrEnum):
    """The platform's `uiType` of a block (C §2.4); one we do not know is judged as an ordinary block."""

    STANDARD = "Standard"
    INPUT = "Input"
    OUTPUT = "Output"
    NOTE = "Note"
    WEBHOOK = "Webhook"
    WEBHOOK_MANUAL = "Webhook (manual)"
    AGENT = "Agent"
    AI = "AI"
    AYRSHARE = "Ayrshare"
    HUMAN_IN_THE_LOOP = "Human In The Loop"
    MCP_TOOL = "MCP Tool"

    @classmethod
    def _missing_(cls, value: object) -> BlockKind:  # noqa: ARG003 - the enum's interface
        return cls.STANDARD


class CatalogueEntry(NamedTuple):
    """One block: its class name, its kind and whether graphs may use it."""

    name: str
    kind: BlockKind
    disabled: bool = False


Catalogue = Mapping[str, CatalogueEntry]
"""The blocks of one platform, by block id."""


@cache
def shipped() -> Catalogue:
    """Return the catalogue of the release this package was made for, with every integration configured."""
    document = json.loads((Path(__file__).with_name("data") / "block_kinds.json").read_text("utf-8"))
    return {
        block_id: CatalogueEntry(facts["name"], BlockKind(facts["kind"]), facts.get("disabled", False))
        for block_id, facts in document.items()
    }


def refreshed(base: Catalogue, document: Any) -> Catalogue:  # noqa: ANN401 - JSON from outside, checked here
    """Return `base` brought up to date with a platform's answer to `GET /api/blocks`.

    The platform leaves disabled blocks out (C §1.3), so a block of `base` that is not listed is disabled there.

    Raises:
        InvalidValueError: the document is not a list of objects with `id`, `name` and `uiType`.

    """
    try:
        listed = {block["id"]: CatalogueEntry(block["name"], BlockKind(block["uiType"])) for block in document}
    except (TypeError, KeyError) as error:
        raise InvalidValueError(
            PATH_VARIABLE, document, "it must be the platform's answer to GET /api/blocks: a list of blocks"
        ) from error
    return {
        block_id: CatalogueEntry(entry.name, entry.kind, disabled=True) for block_id, entry in base.items()
    } | listed


def load(path: Path | None = None) -> Catalogue:
    """Return the catalogue to judge by: the shipped one, refreshed from `path` or from `$BLOCK_CATALOGUE` if given.

    Raises:
        InvalidValueError: the file cannot be read or is not such a document.

    """
    source = path or os.environ.get(PATH_VARIABLE)
    if not source:
        return shipped()
    try:
        document = json.loads(Path(source).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidValueError(PATH_VARIABLE, str(source), f"it must be a readable JSON file ({error})") from error
    return refreshed(shipped(), document)
