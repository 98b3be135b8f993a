"""Dynamic pins: names that reach into a list, a map or an object (C §2.2, §2.4 step 5d)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphschedule_platform.facts import JsonObject, JsonValue
from graphschedule_platform.validation.refusal import RefusalError

_DELIMITERS = re.compile(r"_\$_|_#_|_@_")
_LIST, _MAP = "_$_", "_#_"

MAX_INDEX = 10_000
"""Largest list index we pad a list for; the platform has no limit but its memory."""


def base_name(pin: str) -> str:
    """Return a pin's field: its name up to the first delimiter (C §2.2)."""
    return _DELIMITERS.split(pin, maxsplit=1)[0]


def is_tool_pin(pin: str) -> bool:
    """Whether the pin is one of those that every block has for tools (C §2.2)."""
    return pin == "tools" or pin.startswith("tools_^_")


def field_of(pin: str) -> str:
    """Return the field that a pin fills; all tool pins fill `tools` (C §2.2)."""
    name = base_name(pin)
    return "tools" if is_tool_pin(name) else name


class _Attributes(dict[str, JsonValue]):
    """An object built from `_@_` pins, told apart from a map because only it can take more of them."""


def merge(data: JsonObject) -> dict[str, JsonValue]:
    """Return the data with dynamic pins merged into their base fields, in the order of its keys (C §2.4 step 5d).

    The flattened keys stay beside the merged field. Containers of `data` are not changed.

    Raises:
        RefusalError: a list index is not a usable number.

    """
    merged: dict[str, JsonValue] = {}
    for key, value in data.items():
        path = _path(key)
        if path:
            base = base_name(key)
            merged[base] = _assigned(merged.get(base), path, value)
        else:
            merged[key] = value
    return {**data, **merged}


def _path(key: str) -> list[tuple[str, str]]:
    """Return the (delimiter, step) pairs after a key's base name; none if the key is plain or malformed."""
    delimiters = _DELIMITERS.findall(key)
    steps = _DELIMITERS.split(key)[1:]
    return list(zip(delimiters, steps, strict=True)) if all(steps) else []


def _assigned(container: JsonValue, path: list[tuple[str, str]], value: JsonValue) -> JsonValue:
    """Return a copy of the container with the value at the path, made or remade where it is of another type."""
    if not path:
        return value
    (delimiter, step), rest = path[0], path[1:]
    if delimiter == _LIST:
        return _with_item(container, step, rest, value)
    if delimiter == _MAP:
        members = dict(container) if isinstance(container, Mapping) else {}
    else:
        members = _Attributes(container if isinstance(container, _Attributes) else {})
    members[step] = _assigned(members.get(step), rest, value)
    return members


def _with_item(container: JsonValue, step: str, rest: list[tuple[str, str]], value: JsonValue) -> list[JsonValue]:
    items = list(container) if isinstance(container, list | str | Mapping) else []
    try:
        index = int(step)
        if index > MAX_INDEX:
            raise IndexError
        items.extend([None] * (index + 1 - len(items)))
        items[index] = _assigned(items[index], rest, value)
    except (ValueError, IndexError) as error:
        raise RefusalError(f"List index {step!r} of a dynamic pin must be a whole number up to {MAX_INDEX}") from error
    return items
