"""Conversion of values to field types (C §2.4 step 5e, §2.12)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform.validation.coercion import coerce
from graphschedule_platform.validation.refusal import RefusalError
from hypothesis import given
from hypothesis import strategies as st

from tests.support.facts import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

STRING, INTEGER, NUMBER, BOOLEAN = ({"type": kind} for kind in ("string", "integer", "number", "boolean"))
NULL = {"type": "null"}
LIST, MAP = {"type": "array", "items": {}}, {"type": "object", "additionalProperties": True}
CHOICE = {"type": "string", "enum": ["a", "7"]}
MODEL = {"type": "object", "properties": {"id": {"type": "string"}}}


def listed(items: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def mapped(values: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def either(*members: Mapping[str, Any]) -> dict[str, Any]:
    return {"anyOf": list(members)}


CASES: list[tuple[Mapping[str, Any], Any, Any]] = [
    ({}, {"any": [1]}, {"any": [1]}),
    ({"secret": False, "advanced": True, "default": None}, 3, 3),
    (STRING, "text", "text"),
    (STRING, 3, "3"),
    (STRING, True, "true"),
    (STRING, {"a": [1, "é"]}, '{"a": [1, "\\u00e9"]}'),
    ({**STRING, "format": "long-text"}, 3, "3"),
    ({**STRING, "format": "date"}, 3, 3),
    ({**STRING, "const": "a"}, 3, 3),
    (CHOICE, "a", "a"),
    (CHOICE, 7, "7"),
    (INTEGER, 3, 3),
    (INTEGER, True, True),
    (INTEGER, "3", 3),
    (INTEGER, " 3.9 ", 3),
    (INTEGER, 3.9, 3),
    (INTEGER, "many", 0),
    (INTEGER, "", 0),
    (INTEGER, "nan", 0),
    (INTEGER, [1, 2], 2),
    (INTEGER, {}, 0),
    (NUMBER, 3, 3.0),
    (NUMBER, "3.5", 3.5),
    (NUMBER, "many", 0.0),
    (NUMBER, [1, 2], 2.0),
    (BOOLEAN, "True", True),
    (BOOLEAN, "1", True),
    (BOOLEAN, "yes", False),
    (BOOLEAN, 1, True),
    (BOOLEAN, 0, False),
    (BOOLEAN, [], False),
    (LIST, [1, "a"], [1, "a"]),
    (LIST, "a", ["a"]),
    (LIST, " a ", ["a"]),
    (LIST, "[1, 2]", [1, 2]),
    (LIST, "[1, 2", ["[1, 2"]),
    (LIST, "[x]", ["[x]"]),
    (LIST, 7, [7]),
    (LIST, {"a": 1}, [["a", 1]]),
    ({"type": "array"}, 7, [7]),
    (listed(STRING), [1, None, "a"], ["1", "null", "a"]),
    (listed(STRING), {"a": 1}, ['["a", 1]']),
    (listed(INTEGER), '[1, "2"]', [1, 2]),
    (listed(listed(STRING)), [["a"], "b"], [["a"], ["b"]]),
    (listed(either(STRING, NULL)), [None, "a"], [None, "a"]),
    (MAP, {"a": 1}, {"a": 1}),
    (MAP, '{"a": 1}', {"a": 1}),
    (MAP, "[1]", {"value": [1]}),
    (MAP, "text", {"value": "text"}),
    (MAP, [5, 6], {"0": 5, "1": 6}),
    (MAP, 7, {"value": 7}),
    (mapped(STRING), {"a": 1}, {"a": "1"}),
    (mapped(mapped(INTEGER)), {"a": {"b": "2"}}, {"a": {"b": 2}}),
    (MODEL, "text", "text"),
    (MODEL, {"id": 7}, {"id": 7}),
    (either(INTEGER, NULL), "3", 3),
    (either(STRING, INTEGER), 3, 3),
    (either(STRING, INTEGER), [3], "[3]"),
    (either(INTEGER, STRING), [3], 1),
    (either(MODEL, NULL), "text", "text"),
    (either(STRING, MODEL), {"id": "f"}, '{"id": "f"}'),
    (either(CHOICE, NULL), "b", "b"),
    (either(CHOICE, INTEGER), "b", 0),
    (listed(either(STRING, INTEGER)), [1, {}], ["1", "{}"]),
    ({"oneOf": [MODEL], "discriminator": {"propertyName": "id"}}, 3, 3),
    ({"type": "array", "prefixItems": [INTEGER]}, "1", "1"),
]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [pytest.param(*case, id=f"2.4-5e-{json.dumps(case[0])}-{json.dumps(case[1])}") for case in CASES],
)
def test_a_value_becomes_what_its_field_holds(schema: Mapping[str, Any], value: object, expected: object) -> None:
    converted = coerce({"field": schema}, {"field": value})["field"]

    assert converted == expected
    assert type(converted) is type(expected)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        pytest.param(CHOICE, "b", id="2.12-text-outside-an-enumeration"),
        pytest.param(listed(CHOICE), ["a", "b"], id="2.12-element-outside-an-enumeration"),
        pytest.param(INTEGER, "1e999", id="2.12-integer-overflow"),
        pytest.param(NUMBER, "inf", id="2.12-number-json-cannot-hold"),
        pytest.param(NUMBER, 10**400, id="2.12-number-overflow"),
        pytest.param(either(INTEGER, NULL), "inf", id="2.12-overflow-ends-a-union"),
        pytest.param(LIST, "[" * 100_000 + "]", id="2.12-nesting-too-deep"),
    ],
)
def test_what_cannot_be_converted_is_refused_by_name(schema: Mapping[str, Any], value: object) -> None:
    with pytest.raises(RefusalError, match=r"^Failed to convert .{1,120} to the type of `field`$"):
        coerce({"field": schema}, {"field": value})


def test_null_and_unknown_fields_stay_as_they_are() -> None:
    assert coerce({"a": INTEGER}, {"a": None, "b": "3"}) == {"a": None, "b": "3"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = [schema for block in SCHEMAS for schema in block["inputSchema"]["properties"].values()]


@given(st.sampled_from(FIELDS), JSON)
def test_converting_twice_is_converting_once(schema: Mapping[str, Any], value: object) -> None:
    try:
        once = coerce({"f": schema}, {"f": value})
    except RefusalError:
        return

    assert coerce({"f": schema}, once) == once
    assert json.loads(json.dumps(once, allow_nan=False)) == once
