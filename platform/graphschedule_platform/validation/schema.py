"""The check of a block's input against its JSON Schema (C §2.4 step 5g, §2.12).

The `jsonschema` library decides. To import it costs a runner about a quarter of its start, so a plain check goes
first: it knows the few keywords most fields are made of, and what it is certain of needs no library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphschedule_platform.facts import JsonObject, JsonValue

_ANNOTATIONS = {
    "advanced",
    "auto_credentials",
    "credentials_provider",
    "credentials_scopes",
    "credentials_types",
    "default",
    "depends_on",
    "description",
    "discriminator",
    "discriminator_mapping",
    "examples",
    "format",
    "hidden",
    "llm_model",
    "placeholder",
    "secret",
    "title",
}
"""Keywords that check nothing; `format` is among them, for formats are not checked."""

_CHECKED = {"additionalProperties", "anyOf", "const", "enum", "items", "properties", "required", "type"}

_LONGEST = 400
"""Characters of a text about a violation; the library's texts hold the whole value."""


def violation(document: JsonObject, data: JsonObject) -> str | None:
    """Return how the data violates the schema, in the library's words; None if it does not."""
    if certainly_valid(document, data):
        return None
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match
    from referencing import Registry

    # An empty registry: a schema that refers to an address must not make us fetch it.
    error = best_match(Draft202012Validator(document, registry=Registry()).iter_errors(data))
    if error is None:
        return None
    return _shortened(error.message) + (f" (at {error.json_path})" if error.absolute_path else "")


def _shortened(text: str) -> str:
    half = _LONGEST // 2
    return text if len(text) <= _LONGEST else f"{text[:half]} … {text[-half:]}"


def certainly_valid(schema: JsonObject, value: JsonValue) -> bool:
    """Whether the value satisfies a schema of plain keywords; False also means that only the library can tell."""
    if schema.keys() - _ANNOTATIONS - _CHECKED:
        return False
    if "type" in schema and not _is_of_type(schema["type"], value):
        return False
    if "enum" in schema or "const" in schema:
        return isinstance(value, str) and value in schema.get("enum", [value]) and value == schema.get("const", value)
    if "anyOf" in schema and not any(certainly_valid(member, value) for member in schema["anyOf"]):
        return False
    if isinstance(value, dict):
        return _is_certain_object(schema, value)
    if isinstance(value, list):
        return _are_certain(schema.get("items", {}), value)
    return True


def _is_of_type(name: object, value: JsonValue) -> bool:
    """Whether a value is of a JSON type; a choice of types, and 3.0 as an integer, are left to the library."""
    if isinstance(value, bool):
        return name == "boolean"
    return isinstance(name, str) and isinstance(value, _TYPES.get(name, ()))


_TYPES: dict[str, type | tuple[type, ...]] = {
    "array": list,
    "integer": int,
    "null": type(None),
    "number": (int, float),
    "object": dict,
    "string": str,
}


def _is_certain_object(schema: JsonObject, members: JsonObject) -> bool:
    properties = schema.get("properties", {})
    return (
        members.keys() >= set(schema.get("required", ()))
        and all(certainly_valid(properties[name], members[name]) for name in members.keys() & properties.keys())
        and _are_certain(
            schema.get("additionalProperties", {}), (members[n] for n in members.keys() - properties.keys())
        )
    )


def _are_certain(schema: JsonObject | bool, values: Iterable[JsonValue]) -> bool:
    if isinstance(schema, bool):
        return schema or not any(True for _ in values)
    return all(certainly_valid(schema, value) for value in values)
