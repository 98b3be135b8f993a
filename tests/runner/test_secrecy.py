"""What was in a Secret is not quoted."""

from __future__ import annotations

from typing import Any

import pytest
from graphschedule_platform.verdict import Verdict, VerdictKind
from graphschedule_runner.secrecy import discreet

KEY = "sk-A1b2C3d4E5f6G7h8"


def told(secrets: Any, message: str) -> str:  # noqa: ANN401 - any JSON value
    """Return what a judge who is made discreet says in place of a message, the same in the text of a node error."""
    verdict = Verdict(VerdictKind.INVALID, message, {"node": {"field": message}})
    (masked,) = discreet(lambda *_: [verdict], secrets)(None, [])  # type: ignore[arg-type] # nobody asks the database
    assert masked.node_errors == {"node": {"field": masked.message}}
    return masked.message


@pytest.mark.parametrize(
    ("secrets", "message", "left"),
    [
        ({"key": KEY}, f"'{KEY}' is not of type 'integer'", "'***' is not of type 'integer'"),
        ({"key": f"{KEY}\n"}, f"{KEY + chr(10)!r} is not a URL", r"'***\n' is not a URL"),
        ({"key": KEY}, f"'{KEY[:9]} … {KEY[-7:]}' is too long", "'*** … ***' is too long"),
        ({"deep": [{"pin": 123456}]}, "123456 is not of type 'string'", "*** is not of type 'string'"),
        ({"key": "a b"}, "a bad block", "a bad block"),
        ({"flag": True, "none": None}, "True is not None", "True is not None"),
        ([{"key": KEY}, {"key": "other-secret"}], f"{KEY}, other-secret", "***, ***"),
        ({"key": KEY}, "This field is required", "This field is required"),
    ],
)
def test_what_was_in_a_secret_is_masked_and_nothing_else(secrets: object, message: str, left: str) -> None:
    assert told(secrets, message) == left


def test_of_a_certificate_each_line_is_masked() -> None:
    lines = [f"{index}" * 64 for index in range(3)]
    assert told({"key": "\n".join(lines)}, repr("\n".join(lines))) == r"'***\n***\n***'"
