"""The circuit breaker's truth table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule.slots import format_instant
from graphschedule.spec import Breaker
from graphschedule.status import Suspension
from graphschedule_operator import breaker, history
from graphschedule_operator.breaker import decide, holds, seconds_left
from graphschedule_operator.history import Outage

from tests.support.histories import failing

if TYPE_CHECKING:
    from collections.abc import Callable

    from graphschedule_platform.ledger import Summary

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
THREE = Breaker(failures=3, cool_off=600)


def ago(minutes: float) -> datetime:
    return NOW - timedelta(minutes=minutes)


def opened(minutes_ago: float, cool_off: int = 600) -> Suspension:
    """Return the suspension of a breaker that opened some minutes ago."""
    since = ago(minutes_ago)
    until = since + timedelta(seconds=cool_off)
    return Suspension(reason="BreakerOpen", message="m", since=format_instant(since), until=format_instant(until))


NEW = opened(0)
OPEN = opened(5)
HALF_OPEN = opened(15)
GOOD = history.NO_SLOTS


@pytest.mark.parametrize(
    ("asked", "past", "known", "wanted"),
    [
        pytest.param(None, failing(9, ago(1)), None, None, id="no breaker"),
        pytest.param(None, failing(9, ago(1)), OPEN, None, id="breaker taken away"),
        pytest.param(THREE, GOOD, None, None, id="closed, all is well"),
        pytest.param(THREE, failing(2, ago(1)), None, None, id="closed, too few failures"),
        pytest.param(THREE, failing(3, ago(1)), None, NEW, id="opens"),
        pytest.param(THREE, failing(9, ago(90)), None, NEW, id="opens for old failures, too"),
        pytest.param(THREE, failing(3, ago(6)), OPEN, OPEN, id="stays open"),
        pytest.param(THREE, failing(4, ago(1)), OPEN, OPEN, id="stays open, though a run by hand failed"),
        pytest.param(THREE, GOOD, OPEN, None, id="closes when a run by hand is enqueued"),
        pytest.param(THREE, failing(3, ago(16)), HALF_OPEN, HALF_OPEN, id="half open, nothing has run"),
        pytest.param(THREE, failing(4, ago(6)), HALF_OPEN, HALF_OPEN, id="half open, an old slot was found missed"),
        pytest.param(THREE, failing(4, ago(1)), HALF_OPEN, NEW, id="opens again at the first failure"),
        pytest.param(THREE, GOOD, HALF_OPEN, None, id="closes at the first success"),
        pytest.param(THREE, Outage("away", failing(9, ago(1))), None, None, id="closed in an outage"),
        pytest.param(THREE, Outage("away", GOOD), OPEN, OPEN, id="open in an outage"),
        pytest.param(THREE, history.NOT_READ, HALF_OPEN, HALF_OPEN, id="half open after a start"),
    ],
)
def test_the_breaker_opens_rests_tries_again_and_closes(
    asked: Breaker | None, past: Summary | Outage, known: Suspension | None, wanted: Suspension | None
) -> None:
    decided = decide(asked, past, known, NOW)
    if wanted is NEW:
        assert decided is not None
        assert (decided.since, decided.until) == (NEW.since, NEW.until)
        assert "because of this" in decided.message
    else:
        assert decided == wanted


@pytest.mark.parametrize(
    ("suspension", "is_held", "left"),
    [
        (None, False, None),
        (OPEN, True, 300),
        (HALF_OPEN, False, None),
        (opened(10), False, None),
        (Suspension(reason="PermanentFailure", message="m", since=format_instant(NOW)), True, None),
    ],
)
def test_a_suspension_holds_until_its_end(suspension: Suspension | None, is_held: bool, left: float | None) -> None:
    assert holds(suspension, NOW) is is_held
    assert seconds_left(suspension, NOW) == left


@pytest.mark.parametrize(("told", "kept"), [(OPEN, OPEN), (None, None)])
def test_a_spec_that_cannot_be_used_leaves_the_breaker_as_it_was(
    make_schedule: Callable[..., dict[str, Any]], told: Suspension | None, kept: Suspension | None
) -> None:
    status = {"suspension": told.model_dump(mode="json", by_alias=True)} if told else {}
    refused = InvalidValueError("spec.cron", "x", "y")
    assert breaker.suspension(make_schedule(status=status), refused, failing(9, ago(1)), NOW) == kept


def test_another_suspension_is_not_the_breakers(make_schedule: Callable[..., dict[str, Any]]) -> None:
    other = Suspension(reason="PermanentFailure", message="m", since=format_instant(NOW))
    schedule = make_schedule(status={"suspension": other.model_dump(mode="json", by_alias=True)})
    refused = InvalidValueError("spec.cron", "x", "y")
    assert breaker.suspension(schedule, refused, GOOD, NOW) is None
