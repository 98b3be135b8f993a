"""The methods of a block that three blocks override: defaults, missing inputs, mismatches (C §2.11, §2.12)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from graphschedule_platform.catalogue import ORCHESTRATOR, BlockKind
from graphschedule_platform.validation.refusal import RefusalError
from graphschedule_platform.validation.schema import violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from graphschedule_platform.facts import Block, JsonObject, JsonValue


_ARGUMENTS = {BlockKind.AGENT: ("inputs", "input_schema"), BlockKind.MCP_TOOL: ("tool_arguments", "tool_input_schema")}
"""For the blocks that take another's inputs: the fields that hold those inputs and their schema."""


def defaults(block: Block, constants: JsonObject) -> JsonObject:
    """Return what a node's data starts from: its constants, or the inputs within them (C §2.4 step 5c)."""
    if block.kind in _ARGUMENTS:
        arguments, _ = _ARGUMENTS[block.kind]
        return member_object(constants, arguments)
    return constants


def missing_input(block: Block, data: JsonObject) -> frozenset[str]:
    """Return the names of required inputs that the data lacks (C §2.2, §2.4 step 5f, §2.12)."""
    if block.kind in _ARGUMENTS:
        arguments, schema = _ARGUMENTS[block.kind]
        required = member_object(data, schema).get("required", ())
        if not isinstance(required, list | tuple):
            raise RefusalError(f"`{schema}.required` must be a list")
        return frozenset(required) - member_object(data, arguments).keys()
    missing = block.input.required - data.keys()
    if not missing and block.id == ORCHESTRATOR:
        return _missing_turn(data)
    return missing


def mismatch(block: Block, data: JsonObject) -> str | None:
    """Return how the data violates its schema, null members aside; None if it does not (C §2.4 step 5g)."""
    if block.kind in _ARGUMENTS:
        arguments, schema = _ARGUMENTS[block.kind]
        return violation(member_object(data, schema), member_object(data, arguments))
    return violation(block.input.document, {name: value for name, value in data.items() if value is not None})


def member_object(data: JsonObject, name: str) -> JsonObject:
    """Return a member that must be an object; absent, it is empty.

    Raises:
        RefusalError: it is null or of another type, on which the platform fails as well (C §2.12).

    """
    value = data.get(name, {})
    if not isinstance(value, dict):
        raise RefusalError(f"`{name}` must be an object")
    return value


def _missing_turn(data: JsonObject) -> frozenset[str]:
    """Return which side of a conversation with tools is due: an answer to a call, or a call to an answer (C §2.12)."""
    pending = _has_pending_calls(data.get("conversation_history") or [])
    answered = data.get("last_tool_output") is not None
    if pending and not answered:
        return frozenset({"last_tool_output"})
    if answered and not pending:
        return frozenset({"conversation_history"})
    return frozenset()


def _has_pending_calls(history: JsonValue) -> bool:
    balance: Counter[str] = Counter()
    for entry in history:
        balance.update(_calls(entry))
        balance.subtract(_answers(entry))
    return any(count > 0 for count in balance.values())


def _calls(entry: JsonObject) -> Iterator[str]:
    """Yield the ids of tool calls in an entry, in any of the three shapes that language models' APIs give them."""
    if entry.get("type") == "function_call":
        yield from _ids([entry], "call_id")
    elif entry.get("role") == "assistant":
        yield from _ids(_parts(entry, "tool_calls"), "id")
        yield from _ids((part for part in _parts(entry, "content") if part.get("type") == "tool_use"), "id")


def _answers(entry: JsonObject) -> Iterator[str]:
    """Yield the ids of tool calls that an entry answers."""
    if entry.get("type") == "function_call_output":
        yield from _ids([entry], "call_id")
    elif entry.get("role") == "tool":
        yield from _ids([entry], "tool_call_id")
    elif entry.get("role") == "user":
        yield from _ids((p for p in _parts(entry, "content") if p.get("type") == "tool_result"), "tool_use_id")


def _parts(entry: JsonObject, name: str) -> list[JsonObject]:
    parts = entry.get(name)
    return parts if isinstance(parts, list) else []


def _ids(parts: Iterable[JsonObject], name: str) -> Iterator[str]:
    return (str(part[name]) for part in parts if part.get(name))
