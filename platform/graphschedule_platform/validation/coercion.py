"""Conversion of values to the types of a block's fields (C §2.4 step 5e, §2.12).

The platform converts to the Python types of its models; we read those types back from the stored JSON Schema.
Conversion rarely fails: a value it cannot read becomes 0, false, or JSON text, and the schema check decides.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING

from graphschedule_platform.validation.refusal import RefusalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from graphschedule_platform.facts import JsonObject, JsonValue

_FOREIGN_FORMATS = {
    "binary",
    "date",
    "date-time",
    "duration",
    "email",
    "ipv4",
    "ipv6",
    "password",
    "path",
    "time",
    "uri",
    "uuid",
}
"""Formats of string fields that are no string in Python: such a field is left as it is."""


def coerce(fields: Mapping[str, JsonObject], data: JsonObject) -> dict[str, JsonValue]:
    """Return the data with each value that does not fit its field converted; null and unknown fields stay.

    Raises:
        RefusalError: the platform's ConversionError: a text outside a string enumeration, or a number too large.

    """
    converted = {
        name: _converted(name, schema, data[name])
        for name, schema in fields.items()
        if data.get(name) is not None and not fits(schema, data[name])
    }
    return {**data, **converted}


def _converted(name: str, schema: JsonObject, value: JsonValue) -> JsonValue:
    try:
        return convert(schema, value)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise RefusalError(f"Failed to convert {value!s:.120} to the type of `{name}`") from error


def _type_of(schema: JsonObject) -> str:
    """Return the name of the Python type behind a property schema, as far as conversion cares.

    `any` fits every value; `foreign` types (models, literals, dates) fit no JSON value and are never converted to.
    """
    if not schema.keys() & _TYPE_KEYWORDS:
        return "any"
    if "anyOf" in schema:
        return "union"
    kind = str(schema.get("type"))
    if kind == "string":
        if "const" in schema or schema.get("format") in _FOREIGN_FORMATS:
            return "foreign"
        return "enumeration" if "enum" in schema else "string"
    if (kind == "object" and "properties" in schema) or (kind == "array" and "prefixItems" in schema):
        return "foreign"
    return kind if kind in _CONVERSIONS else "foreign"


_TYPE_KEYWORDS = {"allOf", "anyOf", "const", "enum", "oneOf", "type"}
"""The members of a property schema that say anything of its type."""


def fits(schema: JsonObject, value: JsonValue) -> bool:
    """Whether a value is already of the field's type, elements included."""
    kind = _type_of(schema)
    if kind == "any":
        return True
    if kind == "union":
        return any(fits(member, value) for member in _members(schema))
    if kind == "array":
        return isinstance(value, list) and all(fits(schema.get("items", {}), item) for item in value)
    if kind == "object":
        return isinstance(value, dict) and all(fits(_values_of(schema), item) for item in value.values())
    return isinstance(value, _PYTHON_TYPES.get(kind, ()))


_PYTHON_TYPES: Mapping[str, type] = {"string": str, "integer": int, "number": float, "boolean": bool}


def convert(schema: JsonObject, value: JsonValue) -> JsonValue:
    """Return the value converted to the field's type.

    Raises:
        ValueError: a text outside a string enumeration.
        OverflowError: a number too large for the type.

    """
    conversion = _CONVERSIONS.get(_type_of(schema))
    return conversion(schema, value) if conversion else value


def _members(schema: JsonObject) -> list[JsonObject]:
    return [member for member in schema["anyOf"] if member.get("type") != "null"]


def _to_union(schema: JsonObject, value: JsonValue) -> JsonValue:
    """Convert to the first member that takes the value; a later member that fits better is not looked for."""
    if value is None:
        return None
    for member in _members(schema):
        try:
            return convert(member, value)
        except (ValueError, TypeError):
            continue
    return value


def _to_string(_schema: JsonObject, value: JsonValue) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _to_enumeration(schema: JsonObject, value: JsonValue) -> str:
    text = _to_string(schema, value)
    if text not in schema["enum"]:
        raise ValueError(text)
    return text


def _to_boolean(_schema: JsonObject, value: JsonValue) -> bool:
    return value.lower() in {"true", "1"} if isinstance(value, str) else bool(value)


def _to_integer(_schema: JsonObject, value: JsonValue) -> int:
    if isinstance(value, int):
        return value
    number = _number(value)
    return 0 if math.isnan(number) else int(number)


def _to_number(_schema: JsonObject, value: JsonValue) -> float:
    number = _number(value)
    if not math.isfinite(number):
        raise OverflowError("JSON has no such number")
    return number


def _number(value: JsonValue) -> float:
    """Return a container's length, or the number a value or text stands for, or 0."""
    if isinstance(value, list | dict):
        return float(len(value))
    try:
        return float(value)
    except (ValueError, TypeError):
        return 0.0


def _to_array(schema: JsonObject, value: JsonValue) -> list[JsonValue]:
    items = schema.get("items", {})
    return [_element(items, item) for item in _listed(value)]


def _listed(value: JsonValue) -> list[JsonValue]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [list(pair) for pair in value.items()]
    if not isinstance(value, str):
        return [value]
    text = value.strip()
    if not (text.startswith("[") and text.endswith("]")):
        return [text]
    try:
        return list(json.loads(text))
    except json.JSONDecodeError:
        return [text]


def _to_object(schema: JsonObject, value: JsonValue) -> dict[str, JsonValue]:
    values = _values_of(schema)
    return {key: _element(values, item) for key, item in _keyed(value).items()}


def _keyed(value: JsonValue) -> dict[str, JsonValue]:
    if isinstance(value, dict):
        return value
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except json.JSONDecodeError:
            return {"value": value}
    return value if isinstance(value, dict) else {"value": value}


def _values_of(schema: JsonObject) -> JsonObject:
    values = schema.get("additionalProperties", {})
    return values if isinstance(values, dict) else {}


def _element(schema: JsonObject, value: JsonValue) -> JsonValue:
    """Convert an element; an overflow there is an ordinary failure to a union around it."""
    try:
        return convert(schema, value)
    except OverflowError as error:
        raise ValueError(str(error)) from error


_CONVERSIONS: Mapping[str, Callable[[JsonObject, JsonValue], JsonValue]] = {
    "union": _to_union,
    "string": _to_string,
    "enumeration": _to_enumeration,
    "boolean": _to_boolean,
    "integer": _to_integer,
    "number": _to_number,
    "array": _to_array,
    "object": _to_object,
}
