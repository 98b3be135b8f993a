"""Keeping what was in a Secret out of what people read.

The platform's own words about an invalid graph quote the value at fault. They end in the ledger, in conditions, in
logs; a value from a Secret must not.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from graphschedule_platform.admission import Judge
    from graphschedule_platform.verdict import ExecutionRequest, Verdict
    from sqlalchemy import Connection

MASK = "***"

SHORTEST = 4
"""Characters of a text that is worth hiding: what is shorter could be guessed, and is found in any message."""

WINDOW = 6
"""Characters in a row that give a secret away: messages quote long values cut off, so the whole is not to be found."""

_QUOTED_OTHERWISE = re.compile(r"[\x00-\x1f\x7f-\x9f'\"\\]")
"""Characters that look different in a quotation."""


def discreet(judge: Judge, secrets: object) -> Judge:
    """Return the judge, whose words now quote no text or number in `secrets`, any JSON value."""
    pieces = _pieces(secrets)

    def judged(connection: Connection, requests: Sequence[ExecutionRequest]) -> list[Verdict]:
        return [_masked(verdict, pieces) for verdict in judge(connection, requests)]

    return judged if pieces else judge


def mask(text: str, secrets: Collection[str]) -> str:
    """Return the text with `***` in place of each secret, and of each longer part of one."""
    hidden = bytearray(len(text))
    for secret in secrets:
        width = min(len(secret), WINDOW)
        for start in range(len(text) - width + 1):
            if text[start : start + width] in secret:
                hidden[start : start + width] = b"\1" * width
    runs = groupby(range(len(text)), key=hidden.__getitem__)
    return "".join(MASK if secret else "".join(text[place] for place in run) for secret, run in runs)


def _pieces(secrets: object) -> frozenset[str]:
    pieces = (piece for text in _texts(secrets) for piece in _QUOTED_OTHERWISE.split(text))
    return frozenset(piece for piece in pieces if len(piece) >= SHORTEST)


def _texts(value: object) -> Iterator[str]:
    """Yield the texts and numbers of a JSON value."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for member in value:
            yield from _texts(member)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        yield str(value)


def _masked(verdict: Verdict, secrets: Collection[str]) -> Verdict:
    errors = {
        node: {field: mask(text, secrets) for field, text in fields.items()}
        for node, fields in verdict.node_errors.items()
    }
    return verdict._replace(message=mask(verdict.message, secrets), node_errors=errors)
