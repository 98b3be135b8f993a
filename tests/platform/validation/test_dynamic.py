"""Dynamic pins (C §2.2, §2.4 step 5d, §2.12)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_platform.validation.dynamic import base_name, field_of, merge
from graphschedule_platform.validation.refusal import RefusalError
from hypothesis import given
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping


@pytest.mark.parametrize(
    ("pin", "base", "field"),
    [
        ("x", "x", "x"),
        ("x_$_0", "x", "x"),
        ("x_#_k", "x", "x"),
        ("x_@_a", "x", "x"),
        ("x_#_a_$_0_@_b", "x", "x"),
        ("tools", "tools", "tools"),
        ("tools_^_search_~_query", "tools_^_search_~_query", "tools"),
        ("tools_^_search_~_query_#_k", "tools_^_search_~_query", "tools"),
        ("my_tools", "my_tools", "my_tools"),
    ],
)
def test_a_pin_belongs_to_a_field(pin: str, base: str, field: str) -> None:
    assert (base_name(pin), field_of(pin)) == (base, field)


@pytest.mark.parametrize(
    ("data", "base"),
    [
        pytest.param({"x_$_0": "a", "x_$_1": "b"}, ["a", "b"], id="list"),
        pytest.param({"x_$_2": "c"}, [None, None, "c"], id="list-with-gaps"),
        pytest.param({"x": ["a"], "x_$_1": "b"}, ["a", "b"], id="list-onto-the-base"),
        pytest.param({"x": "ab", "x_$_0": "z"}, ["z", "b"], id="list-onto-a-text"),
        pytest.param({"x": {"k": 1}, "x_$_1": "z"}, ["k", "z"], id="list-onto-a-map"),
        pytest.param({"x": 7, "x_$_0": "z"}, ["z"], id="list-onto-a-number"),
        pytest.param({"x": ["a", "b"], "x_$_-1": "z"}, ["a", "z"], id="negative-index"),
        pytest.param({"x_#_k": 1, "x_#_l": 2}, {"k": 1, "l": 2}, id="map"),
        pytest.param({"x": {"k": 0, "m": 3}, "x_#_k": 1}, {"k": 1, "m": 3}, id="map-onto-the-base"),
        pytest.param({"x": [1], "x_#_k": 1}, {"k": 1}, id="map-onto-a-list"),
        pytest.param({"x_@_a": 1, "x_@_b": 2}, {"a": 1, "b": 2}, id="object"),
        pytest.param({"x": {"k": 1}, "x_@_a": 1}, {"a": 1}, id="object-replaces-a-map"),
        pytest.param({"x_#_k_$_1": "v"}, {"k": [None, "v"]}, id="list-in-a-map"),
        pytest.param({"x_$_0_#_k": 1, "x_$_0_#_l": 2}, [{"k": 1, "l": 2}], id="map-in-a-list"),
        pytest.param({"x_@_a_#_k": 1, "x_@_a_#_l": 2}, {"a": {"k": 1, "l": 2}}, id="map-in-an-object"),
        pytest.param({"x_#_k": 1, "x": {"m": 2}}, {"m": 2}, id="a-later-base-wins"),
        pytest.param({"x": None, "x_#_k": 1}, {"k": 1}, id="null-base"),
    ],
)
def test_pins_merge_into_their_base_and_stay_beside_it(data: Mapping[str, Any], base: object) -> None:
    assert merge(data) == {**data, "x": base}


@pytest.mark.parametrize("key", ["x_#_", "x_#__$_0", "x_$_0_#_"])
def test_a_malformed_pin_is_a_plain_key(key: str) -> None:
    assert merge({key: 1}) == {key: 1}


@pytest.mark.parametrize("key", ["x_$_a", "x_$_-1", "x_$_10001", "x_$_1.5"])
def test_an_unusable_index_is_refused(key: str) -> None:
    with pytest.raises(RefusalError, match="must be a whole number up to 10000"):
        merge({key: 1})


STEPS = st.lists(st.sampled_from(["_#_a", "_#_b", "_$_0", "_$_1", "_@_a"]), max_size=3).map("".join)
DATA = st.dictionaries(
    st.builds("{}{}".format, st.sampled_from(["x", "y"]), STEPS),
    st.none() | st.integers() | st.text(max_size=2) | st.lists(st.integers(), max_size=2),
    max_size=6,
)


@given(DATA)
def test_merging_keeps_every_key_and_changes_none_of_the_given_values(data: dict[str, Any]) -> None:
    before = repr(data)

    merged = merge(data)

    assert repr(data) == before
    assert merged.keys() == data.keys() | {base_name(key) for key in data}
    assert all(merged[key] == value for key, value in data.items() if base_name(key) != key)
