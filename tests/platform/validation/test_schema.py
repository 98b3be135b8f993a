"""The check against JSON Schema: what is certain without the library, and what the library decides (C §2.4 step 5g)."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform.validation.schema import certainly_valid, violation
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.support.facts import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Mapping

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "github", "api_key"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["id", "provider", "type", "x"]), inner)
    ),
    max_leaves=6,
)
PLAIN = st.recursive(
    st.sampled_from([{}, *({"type": kind} for kind in ("string", "integer", "number", "boolean", "null", "array"))])
    | st.just({"enum": ["a", 1]})
    | st.just({"const": "a"})
    | st.just({"type": ["string", "null"]})
    | st.just({"type": "string", "minLength": 1}),
    lambda inner: (
        st.builds(lambda one, two: {"anyOf": [one, two]}, inner, inner)
        | st.builds(lambda items: {"type": "array", "items": items}, inner)
        | st.builds(
            lambda one, rest: {"properties": {"id": one}, "required": ["id"], "additionalProperties": rest},
            inner,
            inner | st.booleans(),
        )
    ),
    max_leaves=4,
)
FIELDS = [schema for block in SCHEMAS for schema in block["inputSchema"]["properties"].values()]


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(FIELDS) | PLAIN, VALUES)
def test_what_is_certainly_valid_is_valid_to_the_library(schema: Mapping[str, Any], value: object) -> None:
    if certainly_valid(schema, value):
        assert Draft202012Validator(schema).is_valid(value)


def test_most_fields_of_real_blocks_need_no_library() -> None:
    """Else the plain check would be in vain."""
    plain = {"string": "a", "integer": 1, "number": 0.5, "boolean": True, "array": [], "object": {}}
    values = [
        (schema, plain[schema["type"]]) for schema in FIELDS if schema.get("type") in plain and "enum" not in schema
    ]

    certain = [certainly_valid(schema, value) for schema, value in values if not schema.get("required")]

    assert all(certain)


@pytest.mark.parametrize(
    ("schema", "data", "text"),
    [
        ({"required": ["a"]}, {}, "'a' is a required property"),
        ({"properties": {"a": {"type": "integer"}}}, {"a": "x"}, "'x' is not of type 'integer' (at $.a)"),
        ({"properties": {"a": {"items": {"enum": [1]}}}}, {"a": [1, 2]}, "2 is not one of [1] (at $.a[1])"),
        ({"properties": {"a": {"type": "string", "minLength": 2}}}, {"a": "x"}, "'x' is too short (at $.a)"),
        ({"properties": {"a": {"type": "integer"}}}, {"a": 3.0}, None),
        ({"properties": {"a": {"type": "integer"}}}, {"a": True}, "True is not of type 'integer' (at $.a)"),
        ({"properties": {"a": {"type": "string", "format": "date"}}}, {"a": "never"}, None),
        ({"additionalProperties": {"type": "string"}}, {"a": 1}, "1 is not of type 'string' (at $.a)"),
    ],
)
def test_a_violation_is_told_with_its_place(
    schema: Mapping[str, Any], data: Mapping[str, Any], text: str | None
) -> None:
    assert violation(schema, data) == text


def test_a_huge_value_is_shortened_in_the_text() -> None:
    text = violation({"properties": {"a": {"type": "integer"}}}, {"a": "x" * 10_000})

    assert text is not None
    assert len(text) < 500
    assert text.endswith("is not of type 'integer' (at $.a)")


def test_a_reference_to_an_address_is_not_fetched() -> None:
    with pytest.raises(Exception, match=r"Unresolvable: http://localhost:1/schema"):
        violation({"$ref": "http://localhost:1/schema"}, {})


def test_a_plain_check_does_not_import_the_library() -> None:
    program = (
        "import sys; from graphschedule_platform.validation.schema import violation; "
        "assert violation({'properties': {'a': {'type': 'string'}}}, {'a': 'x'}) is None; "
        "assert 'jsonschema' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", program], check=True)
