"""What becomes of a schedule after a slot failed for good, for every combination of facts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.outcomes import Outcome, SlotState
from graphschedule.slots import Slot
from graphschedule.status import Reason
from graphschedule_operator import graph, permanent
from graphschedule_operator.history import Outage
from graphschedule_operator.judge import Known
from graphschedule_operator.judgement import Judgement
from graphschedule_operator.permanent import Failure, Opinion
from graphschedule_platform import ledger
from graphschedule_platform.ledger import Entry, Record, Summary

from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from sqlalchemy import Engine

    MakeSchedule = Callable[..., dict[str, Any]]

ASKED_FOR = ("user-1", "graph-1")
VALID = Judgement("True", Reason.GRAPH_VALID, "valid")
EARLIER, LATER = timedelta(minutes=-5), timedelta(minutes=5)


def refused(reason: str) -> Judgement:
    return Judgement("False", Reason(reason), "refused")


@pytest.fixture
def failure(now: datetime) -> Callable[..., Failure]:
    def make(reason: str, asked_for: tuple[str, str] = ASKED_FOR, schedule: str = "team/daily") -> Failure:
        return Failure(schedule, "2026-05-04T07:30:00Z", asked_for, Reason(reason), "why", now)

    return make


@pytest.mark.parametrize(
    ("own", "others", "verdict", "valid_since", "blamed"),
    [
        pytest.param("GraphNotFound", None, "GraphNotFound", EARLIER, "own", id="gone"),
        pytest.param("GraphInvalid", None, "GraphInvalid", EARLIER, "own", id="invalid"),
        pytest.param("GraphInvalid", None, "GraphInvalid", None, "own", id="invalid, after a restart"),
        pytest.param("GraphError", None, "GraphError", EARLIER, "own", id="error"),
        pytest.param("GraphInvalid", None, "GraphNotFound", EARLIER, "own", id="invalid, and then gone"),
        pytest.param("GraphInvalid", None, "GraphInvalid", LATER, None, id="valid since, and invalid again"),
        pytest.param("GraphInvalid", None, None, EARLIER, None, id="not judged anew yet"),
        pytest.param(None, "GraphNotFound", "GraphNotFound", EARLIER, "others", id="another found it gone"),
        pytest.param(None, "GraphNotFound", "GraphNotInLibrary", EARLIER, "others", id="gone in another way"),
        pytest.param(None, "GraphNotFound", None, EARLIER, None, id="another's version is gone, this one is there"),
        pytest.param(None, "GraphNotFound", "GraphInvalid", EARLIER, None, id="not gone, but invalid in itself"),
        pytest.param(None, None, "GraphNotFound", EARLIER, None, id="gone, but no slot has failed"),
        pytest.param("GraphNotFound", "GraphNotFound", "GraphNotFound", EARLIER, "own", id="both"),
    ],
)
def test_a_failure_is_blamed_once_the_judge_agrees(
    failure: Callable[..., Failure],
    now: datetime,
    own: str | None,
    others: str | None,
    verdict: str | None,
    valid_since: timedelta | None,
    blamed: str | None,
) -> None:
    known = Known(0, ASKED_FOR, refused(verdict) if verdict else VALID, 0.0, now + valid_since if valid_since else None)
    failures = {
        "own": failure(own) if own else None,
        "others": failure(others, schedule="team/weekly") if others else None,
    }
    expected = failures[blamed] if blamed else None
    assert permanent.blame(failures["own"], failures["others"], known) == expected


def test_a_failure_of_a_graph_that_was_replaced_since_is_not_blamed(failure: Callable[..., Failure]) -> None:
    known = Known(0, ASKED_FOR, refused("GraphNotFound"), 0.0)
    assert permanent.blame(failure("GraphNotFound", ("user-1", "graph-0")), None, known) is None


@pytest.mark.parametrize("state", [SlotState.FAILED, SlotState.MISSED])
@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome.permanent] + [Outcome.TRANSIENT])
@pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)
def test_only_what_a_graph_is_to_blame_for_is_a_permanent_failure(
    platform_db: Engine, now: datetime, outcome: Outcome, state: SlotState
) -> None:
    uid = builders.new_id()
    entry = Entry(Slot.at(uid, now.replace(second=0)), "team", "daily", *ASKED_FOR)
    with platform_db.begin() as connection:
        ledger.record_many(connection, [Record(entry, state, outcome.reason, "why")], now)
        summary = ledger.summaries(connection)[uid]
    of_graph = outcome.reason.startswith("Graph") and state is SlotState.FAILED
    expected = (
        Failure("team/daily", "2026-05-04T07:30:00Z", ASKED_FOR, Reason(outcome.reason), "why", now)
        if of_graph
        else None
    )
    assert permanent.failure_of(summary) == expected
    assert permanent.failure_of(Outage("away", summary)) == expected


def test_no_failure_is_none() -> None:
    assert permanent.failure_of(Summary({}, 0, None, None)) is None
    assert permanent.failure_of(Outage("away")) is None


# --- what follows ----------------------------------------------------------------------------------------------------

STANDING = {"reason": "PermanentFailure", "message": "before", "since": "2026-05-01T00:00:00Z"}
OPEN = {"reason": "BreakerOpen", "message": "breaker", "since": "2026-05-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("verdict", "caused", "standing", "expected"),
    [
        pytest.param(refused("GraphInvalid"), True, None, "new", id="begins"),
        pytest.param(refused("GraphInvalid"), True, STANDING, "before", id="keeps what it was told with"),
        pytest.param(refused("GraphInvalid"), False, STANDING, "before", id="stays without its cause"),
        pytest.param(graph.unanswered("away"), False, STANDING, "before", id="stays in an outage"),
        pytest.param(graph.NOT_READ, False, STANDING, "before", id="stays while the spec cannot be used"),
        pytest.param(VALID, False, STANDING, None, id="ends when the graph is valid"),
        pytest.param(graph.NO_DATABASE, False, STANDING, None, id="ends when nobody judges any more"),
        pytest.param(refused("GraphInvalid"), False, None, None, id="does not begin without a failed slot"),
        pytest.param(refused("GraphInvalid"), False, OPEN, None, id="is not the breaker's"),
    ],
)
def test_a_suspension_begins_with_a_cause_and_ends_with_a_valid_graph(
    make_schedule: MakeSchedule,
    failure: Callable[..., Failure],
    now: datetime,
    verdict: Judgement,
    caused: bool,
    standing: dict[str, str] | None,
    expected: str | None,
) -> None:
    schedule = make_schedule(status={"suspension": standing} if standing else None)
    opinion = Opinion(verdict, failure("GraphInvalid") if caused else None)
    found = permanent.suspension(schedule, opinion, now)
    if expected is None:
        assert found is None
        return
    assert found is not None
    slot = "slot 2026-05-04T07:30:00Z of schedule team/daily"
    new = f"spec.onPermanentFailure asks for it, since {slot} failed, GraphInvalid: why"
    assert found.message == (new if expected == "new" else "before")
    assert found.since == ("2026-05-04T07:30:12Z" if expected == "new" else STANDING["since"])


@pytest.mark.parametrize(
    ("policy", "cause", "verdict", "dies"),
    [
        ("Delete", "GraphNotFound", "GraphNotFound", True),
        ("Delete", "GraphNotInLibrary", "GraphNotFound", True),
        ("Delete", "GraphInvalid", "GraphInvalid", True),
        ("Delete", "GraphInvalid", "GraphError", False),
        ("Delete", "GraphError", "GraphError", False),
        ("Delete", "GraphNotAccessible", "GraphNotAccessible", False),
        ("Delete", None, "GraphNotFound", False),
        ("Suspend", "GraphNotFound", "GraphNotFound", False),
        (None, "GraphInvalid", "GraphInvalid", False),
    ],
)
def test_only_a_schedule_that_asked_for_it_is_deleted(
    make_schedule: MakeSchedule,
    failure: Callable[..., Failure],
    policy: str | None,
    cause: str | None,
    verdict: str,
    dies: bool,
) -> None:
    opinion = Opinion(refused(verdict), failure(cause) if cause else None)
    assert (permanent.condemning(make_schedule(onPermanentFailure=policy), opinion) is not None) is dies
