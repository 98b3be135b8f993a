"""Whether a live object still has what we applied. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]|[KMGTPE]i)?")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


def contains(live: object, applied: object) -> bool:
    """Tell whether `live` holds all that `applied` says; what the server defaulted or others added does not matter.

    Lists of named items (containers, variables, volumes, owners) are compared by name, as server-side apply merges
    them; other lists item by item.
    """
    if isinstance(applied, Mapping):
        members = live if isinstance(live, Mapping) else {}
        return all(
            _same_resources(members.get(name), value) if name == "resources" else contains(members.get(name), value)
            for name, value in applied.items()
        )
    if isinstance(applied, list):
        return _contains_list(live if isinstance(live, list) else [], applied)
    return bool(live == applied)


def _contains_list(live: list[Any], applied: list[Any]) -> bool:
    if all(isinstance(item, Mapping) and "name" in item for item in applied):
        named = {item.get("name"): item for item in live}
        return all(contains(named.get(item["name"]), item) for item in applied)
    return len(live) == len(applied) and all(map(contains, live, applied))


def _same_resources(live: Mapping[str, Any] | None, applied: Mapping[str, Any]) -> bool:
    """Compare container resources by amount: the server rewrites quantities (`0.5` becomes `500m`)."""
    return _amounts(live or {}) == _amounts(applied)


def _amounts(value: object) -> object:
    if isinstance(value, Mapping):
        return {name: _amounts(member) for name, member in value.items()}
    match = _QUANTITY.fullmatch(str(value))
    if match is None:
        return value
    number, suffix = match.groups()
    if suffix in _BINARY:
        return Decimal(number) * 1024 ** _BINARY[suffix]
    return Decimal(number).scaleb(_DECIMAL.get(suffix, 0))
