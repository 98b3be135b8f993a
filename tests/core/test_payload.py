from __future__ import annotations

import json

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule.payload import InputSource, RunPayload
from hypothesis import given
from hypothesis import strategies as st

PAYLOAD = RunPayload(
    schedule_uid="9e2f9b1c-3f0e-4c57-9a63-0f7a4f1d2b11",
    namespace="agents",
    name="morning",
    cronjob="morning",
    graph_id="graph-1",
    user_id="user-1",
    graph_version=3,
    agent_name="Briefing",
    inputs={"topic": "Käse 🧀", "limits": {"words": 120, "ratio": 0.5, "tags": ["a", None, True]}},
    credentials={"github": {"id": "c1", "provider": "github", "type": "api_key"}},
    inputs_from=(InputSource("Secret", "keys", key="token", input="api_key"), InputSource("ConfigMap", "texts")),
    heartbeat_url="https://ping.example/secret",
)

NEWER = {"inputs_from", "heartbeat_url"}

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(), JSON_VALUES, max_size=4))
def test_a_payload_comes_back_as_it_went(inputs: dict[str, object]) -> None:
    payload = PAYLOAD._replace(inputs=inputs)
    assert RunPayload.decode(payload.encode()) == payload


def test_a_payload_of_an_operator_that_knew_less_is_read() -> None:
    older = {name: value for name, value in json.loads(PAYLOAD.encode()).items() if name not in NEWER}
    assert RunPayload.decode(json.dumps(older)) == PAYLOAD._replace(inputs_from=(), heartbeat_url=None)


def test_the_heartbeat_url_shows_neither_in_a_repr_nor_in_a_refusal() -> None:
    assert "ping.example" not in repr(PAYLOAD)
    for text in (PAYLOAD.encode()[:-1], PAYLOAD.encode().replace('"format":1', '"format":2')):
        with pytest.raises(InvalidValueError) as caught:
            RunPayload.decode(text)
        assert "ping.example" not in str(caught.value)


def test_equal_payloads_are_equal_texts() -> None:
    turned = PAYLOAD._replace(inputs=dict(reversed(list(PAYLOAD.inputs.items()))))
    assert turned.encode() == PAYLOAD.encode()


def test_the_text_is_compact_and_readable() -> None:
    assert '"topic":"Käse 🧀"' in PAYLOAD.encode()
    assert "\n" not in PAYLOAD.encode()


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ("", "it must be JSON"),
        ("{", "it must be JSON"),
        ("[]", "it must be a JSON object with format 1"),
        ("{}", "it must be a JSON object with format 1"),
        ('{"format": 2}', "it must be a JSON object with format 1"),
        ('{"format": 1}', "its members must be schedule_uid, namespace, name"),
        (json.dumps(json.loads(PAYLOAD.encode()) | {"surprise": 1}), "its members must be schedule_uid, namespace"),
        (json.dumps(json.loads(PAYLOAD.encode()) | {"inputs_from": [{"kind": "Secret"}]}), "its members must be"),
    ],
)
def test_a_text_that_is_no_payload_is_refused_with_a_remedy(text: str, remedy: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        RunPayload.decode(text)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)
