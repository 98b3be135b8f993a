"""Whether a live object still has what was applied."""

from __future__ import annotations

from typing import Any

import pytest
from graphschedule_operator.drift import contains

APPLIED: dict[str, Any] = {
    "metadata": {"labels": {"a": "1"}},
    "spec": {"schedule": "0 9 * * *", "suspend": False, "command": ["run", "--fast"]},
    "containers": [{"name": "runner", "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}],
}


@pytest.mark.parametrize(
    "live",
    [
        pytest.param(APPLIED, id="the same"),
        pytest.param({**APPLIED, "status": {"active": []}}, id="a member the server added"),
        pytest.param({**APPLIED, "metadata": {"labels": {"a": "1", "b": "2"}}}, id="a label somebody added"),
        pytest.param(
            {**APPLIED, "containers": [{"name": "sidecar"}, {**APPLIED["containers"][0], "image": "x"}]},
            id="a container somebody added",
        ),
        pytest.param(
            {**APPLIED, "containers": [{"name": "runner", "env": APPLIED["containers"][0]["env"][::-1]}]},
            id="named items in another order",
        ),
    ],
)
def test_what_others_added_is_no_drift(live: dict[str, Any]) -> None:
    assert contains(live, APPLIED)


@pytest.mark.parametrize(
    "live",
    [
        pytest.param({}, id="nothing"),
        pytest.param({**APPLIED, "metadata": {}}, id="a label gone"),
        pytest.param({**APPLIED, "spec": APPLIED["spec"] | {"suspend": True}}, id="a value changed"),
        pytest.param({**APPLIED, "spec": APPLIED["spec"] | {"command": ["run"]}}, id="an argument gone"),
        pytest.param({**APPLIED, "spec": APPLIED["spec"] | {"command": ["run", "--fast", "x"]}}, id="an argument more"),
        pytest.param({**APPLIED, "containers": [{"name": "runner", "env": []}]}, id="a variable gone"),
        pytest.param({**APPLIED, "containers": None}, id="a list gone"),
    ],
)
def test_what_was_applied_and_is_no_more_is_drift(live: dict[str, Any]) -> None:
    assert not contains(live, APPLIED)


@pytest.mark.parametrize(
    ("applied", "live", "same"),
    [
        ("0.5", "500m", True),
        (1, "1", True),
        ("1024Mi", "1Gi", True),
        ("1e3", "1k", True),
        ("128Mi", "128M", False),
        ("100m", "200m", False),
        ("100m", None, False),
    ],
)
def test_resources_are_compared_by_amount(applied: str | int, live: str | None, *, same: bool) -> None:
    wanted = {"resources": {"limits": {"cpu": applied}}}
    assert contains({"resources": {"limits": {"cpu": live}}}, wanted) is same


def test_no_resources_and_empty_ones_are_the_same() -> None:
    assert contains({}, {"resources": {}})
    assert not contains({"resources": {"limits": {"cpu": "1"}}}, {"resources": {}})
