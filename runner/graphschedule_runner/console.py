"""What commands read from and say to the person who called them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from graphschedule_platform.verdict import NodeErrors


def read(option: str, path: Path) -> str:
    """Return the text of a file that an option names.

    Raises:
        InvalidValueError: it cannot be read.

    """
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValueError(option, str(path), f"name a readable UTF-8 file ({error})") from error


def say(line: str) -> None:
    """Write one line of a result."""
    print(line)  # noqa: T201 - the one place where a result is written


def columns(names: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    """Write lines in columns as wide as their widest value, below their names."""
    all_lines = [[name.upper() for name in names], *lines]
    widths = [max(len(line[column]) for line in all_lines) for column in range(len(names))]
    for line in all_lines:
        say("  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip())


def complain(line: str) -> None:
    """Write why there is no result."""
    print(line, file=sys.stderr)  # noqa: T201 - the one place where a complaint is written


def each_error(node_errors: NodeErrors) -> list[str]:
    """Return collected node errors for people, one text each."""
    return [f"node {node} {field}: {text}" for node, fields in node_errors.items() for field, text in fields.items()]
