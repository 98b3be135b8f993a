"""What the models of the spec refuse themselves, where no API server stands before them."""

from __future__ import annotations

from typing import Any

import pytest
from graphschedule.spec import GraphScheduleSpec, InputSource
from pydantic import ValidationError

SPEC: dict[str, Any] = {"graph": {"id": "graph-1"}, "userId": "user-1", "cron": "0 9 * * *"}


def refusal(**members: object) -> str:
    with pytest.raises(ValidationError) as caught:
        GraphScheduleSpec.model_validate(SPEC | members)
    (error,) = caught.value.errors()
    return str(error["msg"])


@pytest.mark.parametrize("refs", [{}, {"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}])
def test_a_source_of_inputs_is_one_object(refs: dict[str, Any]) -> None:
    assert refusal(inputsFrom=[refs]) == "must have either secretRef or configMapRef"


def test_an_input_is_named_only_for_a_key() -> None:
    assert refusal(inputsFrom=[{"secretRef": {"name": "a"}, "input": "token"}]).startswith("must have key")


def test_a_source_is_taken_as_text_and_must_exist_unless_told_otherwise() -> None:
    source = InputSource.model_validate({"configMapRef": {"name": "texts"}})
    assert (source.format, source.optional, source.key, source.input) == ("Text", False, None, None)


@pytest.mark.parametrize("url", ["ftp://ping.example/1", "https://", "https://user:word@ping.example/1", "https://a b"])
def test_a_heartbeat_goes_to_a_web_address_without_a_password(url: str) -> None:
    assert "pattern" in refusal(heartbeatUrl=url)


@pytest.mark.parametrize("url", ["http://monitor", "https://ping.example:8443/a@b?c=d", "https://ping.example?c=d"])
def test_any_other_web_address_will_do_for_a_heartbeat(url: str) -> None:
    assert GraphScheduleSpec.model_validate(SPEC | {"heartbeatUrl": url}).heartbeat_url == url
