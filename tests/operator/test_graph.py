"""What is asked about a graph, how the answer is told, and what follows for the CronJob."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule.status import Reason, Suspension
from graphschedule_operator import graph
from graphschedule_operator.desired import accept, desired
from graphschedule_operator.events import transitions
from graphschedule_operator.graph import Aim
from graphschedule_operator.judgement import Judgement
from graphschedule_operator.status import Facts, State, state_of, status
from graphschedule_platform.verdict import ExecutionRequest, Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from graphschedule_operator.settings import Settings

    MakeSchedule = Callable[..., dict[str, Any]]

VALID = Judgement("True", Reason.GRAPH_VALID, "valid")
INVALID = Judgement("False", Reason.GRAPH_INVALID, "invalid")
UNKNOWN = graph.unanswered("the database is away")


def test_a_schedule_asks_for_what_its_runs_will_ask_for(make_schedule: MakeSchedule) -> None:
    credential = {"id": "c-1", "provider": "github", "type": "api_key"}
    schedule = make_schedule(credentials={"github": credential}, inputsFrom=[{"secretRef": {"name": "s"}}])
    asked = ExecutionRequest("graph-1", "user-1", 3, {"topic": "news"}, {"github": credential})
    assert graph.request_of(schedule) == asked
    assert graph.request_of(make_schedule(graph={"id": "graph-2"}, inputs=None)) == ExecutionRequest(
        "graph-2", "user-1"
    )


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (VerdictKind.GRAPH_NOT_FOUND, "GraphNotFound"),
        (VerdictKind.NOT_ACCESSIBLE, "GraphNotAccessible"),
        (VerdictKind.NOT_IN_LIBRARY, "GraphNotInLibrary"),
        (VerdictKind.INVALID, "GraphInvalid"),
        (VerdictKind.ERROR, "GraphError"),
    ],
)
def test_every_refusal_has_its_reason(kind: VerdictKind, reason: str) -> None:
    assert graph.judgement(Verdict(kind, "no")) == Judgement("False", Reason(reason), "no")


@pytest.mark.parametrize(("checked", "said"), [(True, False), (False, True)])
def test_a_valid_graph_is_told_with_its_version_and_how_far_credentials_were_judged(checked: bool, said: bool) -> None:
    told = graph.judgement(Verdict(VerdictKind.VALID, graph_version=7, credentials_checked=checked))
    assert (told.status, told.reason) == ("True", "GraphValid")
    assert "version 7" in told.message
    assert ("by shape only" in told.message) is said


def test_node_errors_are_listed_up_to_a_limit() -> None:
    errors = {f"n{node}": {"a": "is wrong", "b": "is missing"} for node in range(7)}
    told = graph.judgement(Verdict(VerdictKind.INVALID, "14 issues", errors)).message
    assert told.startswith("14 issues; node n0, a: is wrong; node n0, b: is missing; node n1, a")
    assert told.endswith("node n4, b: is missing; and 4 more")
    few = graph.judgement(Verdict(VerdictKind.INVALID, "1 issue", {"n": {"a": "is wrong"}})).message
    assert few == "1 issue; node n, a: is wrong"


def test_a_status_tells_the_last_verdict_on_the_present_spec_only(make_schedule: MakeSchedule) -> None:
    said = {"type": "GraphValid", "status": "False", "reason": "GraphInvalid", "message": "invalid"}
    assert graph.last_told(make_schedule()) is None
    assert graph.last_told(make_schedule(status={"conditions": [said | {"observedGeneration": 4}]})) == INVALID
    assert graph.last_told(make_schedule(status={"conditions": [said | {"observedGeneration": 3}]})) is None
    strange = said | {"observedGeneration": 4, "reason": "OfAnotherVersion"}
    assert graph.last_told(make_schedule(status={"conditions": [strange]})) is None


# --- what is wanted of the CronJob -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "live", "spec", "suspended", "outcome"),
    [
        pytest.param(VALID, "none", {}, False, Aim.FIRE, id="valid"),
        pytest.param(VALID, "other", {}, False, Aim.FIRE, id="valid after an edit"),
        pytest.param(VALID, "other", {}, True, Aim.FIRE, id="valid, suspended by the operator"),
        pytest.param(VALID, "other", {"suspend": True}, False, Aim.FIRE, id="valid, suspended by a person"),
        pytest.param(INVALID, "none", {}, False, Aim.STOP, id="never valid"),
        pytest.param(INVALID, "other", {}, False, Aim.STOP, id="edited to be invalid"),
        pytest.param(INVALID, "same", {}, False, Aim.FIRE, id="became invalid"),
        pytest.param(INVALID, "same", {"cron": "1 1 1 1 *"}, False, Aim.FIRE, id="became invalid, and moved"),
        pytest.param(INVALID, "same", {}, True, Aim.FIRE, id="became invalid, and failed for good"),
        pytest.param(UNKNOWN, "none", {}, False, Aim.KEEP, id="new in an outage"),
        pytest.param(UNKNOWN, "same", {}, False, Aim.FIRE, id="was valid before the outage"),
        pytest.param(UNKNOWN, "other", {}, False, Aim.KEEP, id="edited in an outage"),
        pytest.param(UNKNOWN, "other", {"suspend": True}, False, Aim.STOP, id="edited and suspended in an outage"),
        pytest.param(UNKNOWN, "other", {}, True, Aim.STOP, id="edited in an outage, suspended by the operator"),
        pytest.param(graph.NO_DATABASE, "none", {}, False, Aim.FIRE, id="no database"),
        pytest.param(graph.NO_DATABASE, "other", {}, False, Aim.FIRE, id="no database, edited"),
    ],
)
def test_a_schedule_fires_once_its_graph_was_valid_and_from_then_on(
    make_schedule: MakeSchedule,
    settings: Settings,
    now: datetime,
    verdict: Judgement,
    live: str,
    spec: dict[str, Any],
    suspended: bool,
    outcome: Aim,
) -> None:
    schedule = make_schedule(**spec)
    accepted = accept(schedule, now)
    before = make_schedule(inputs={"topic": "weather" if live == "other" else "news"})
    there = None if live == "none" else desired(before, accept(before, now), settings)
    found = graph.aim(accepted, verdict, runs=graph.runs(there, accepted), suspended=suspended)
    assert found is outcome


def test_a_spec_that_cannot_be_used_fires_nothing() -> None:
    refused = InvalidValueError("spec.cron", "x", "y")
    assert graph.aim(refused, VALID, runs=False, suspended=False) is Aim.STOP


# --- what the status says --------------------------------------------------------------------------------------------

BY_POLICY = Suspension(reason="PermanentFailure", message="slot x failed", since="2026-05-01T00:00:00Z")
BY_BREAKER = Suspension(
    reason="BreakerOpen", message="slot x failed", since="2026-05-01T00:00:00Z", until="2027-01-01T00:00:00Z"
)


@pytest.mark.parametrize(
    ("verdict", "live", "suspension", "ready", "scheduled", "state"),
    [
        pytest.param(
            VALID, "same", None, ("True", "Ready"), ("True", "CronJobApplied", "fires"), State.ACTIVE, id="valid"
        ),
        pytest.param(
            *(INVALID, "none", None),
            *(("False", "GraphInvalid"), ("False", "NotAccepted", "not valid; no CronJob was made"), State.INVALID),
            id="never valid",
        ),
        pytest.param(
            *(INVALID, "other, suspended", None),
            *(("False", "GraphInvalid"), ("False", "NotAccepted", "daily is suspended until it is"), State.INVALID),
            id="edited to be invalid",
        ),
        pytest.param(
            *(INVALID, "same", None),
            *(("False", "GraphInvalid"), ("True", "CronJobApplied", "fires"), State.INVALID),
            id="became invalid",
        ),
        pytest.param(
            *(INVALID, "same", BY_POLICY),
            *(("False", "GraphInvalid"), ("False", "PermanentFailure", "slot x failed"), State.INVALID),
            id="failed for good",
        ),
        pytest.param(
            *(UNKNOWN, "same", BY_POLICY),
            *(("False", "PermanentFailure"), ("False", "PermanentFailure", "slot x failed"), State.HALTED),
            id="failed for good, and then an outage",
        ),
        pytest.param(
            *(VALID, "same", BY_BREAKER),
            *(("False", "BreakerOpen"), ("False", "BreakerOpen", "slot x failed"), State.HALTED),
            id="breaker open",
        ),
        pytest.param(
            *(UNKNOWN, "same", None),
            *(("True", "Ready"), ("True", "CronJobApplied", "fires"), State.ACTIVE),
            id="was valid before the outage",
        ),
        pytest.param(
            *(UNKNOWN, "none", None),
            *(("False", "NotAccepted"), ("False", "NotAccepted", "validated yet; no CronJob was made"), State.BLOCKED),
            id="new in an outage",
        ),
        pytest.param(
            *(UNKNOWN, "other", None),
            *(("False", "NotAccepted"), ("False", "NotAccepted", "daily stays as it was until it is"), State.BLOCKED),
            id="edited in an outage",
        ),
        pytest.param(
            *(graph.NO_DATABASE, "same", None),
            *(("True", "Ready"), ("True", "CronJobApplied", "fires"), State.ACTIVE),
            id="no database",
        ),
    ],
)
def test_every_verdict_has_its_conditions(
    make_schedule: MakeSchedule,
    settings: Settings,
    now: datetime,
    verdict: Judgement,
    live: str,
    suspension: Suspension | None,
    ready: tuple[str, str],
    scheduled: tuple[str, str, str],
    state: State,
) -> None:
    schedule = make_schedule()
    accepted = accept(schedule, now)
    before = schedule if live == "same" else make_schedule(inputs={"topic": "weather"})
    there = desired(before, accept(before, now), settings, suspended=live == "other, suspended")
    live_cronjob = None if live == "none" else there
    runs = graph.runs(live_cronjob, accepted)
    facts = Facts(schedule, accepted, live_cronjob, None, now, verdict, runs, suspension)
    current = status(facts)
    told = {str(kind.type): kind for kind in current.conditions}
    assert (told["Ready"].status, told["Ready"].reason) == ready
    assert (told["Scheduled"].status, told["Scheduled"].reason) == scheduled[:2]
    assert scheduled[2] in told["Scheduled"].message
    assert (told["GraphValid"].status, told["GraphValid"].reason) == (verdict.status, verdict.reason)
    assert state_of(current) is state
    assert bool(current.next_fire_times) is (scheduled[0] == "True")
    assert current.suspension == suspension


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        pytest.param(None, VALID, [], id="valid at first"),
        pytest.param(None, INVALID, [("Warning", "GraphInvalid")], id="invalid at first"),
        pytest.param(None, UNKNOWN, [], id="unknown at first"),
        pytest.param(VALID, INVALID, [("Warning", "GraphInvalid")], id="became invalid"),
        pytest.param(INVALID, VALID, [("Normal", "GraphValid")], id="became valid"),
        pytest.param(VALID, UNKNOWN, [], id="an outage begins"),
        pytest.param(UNKNOWN, VALID, [], id="an outage ends"),
        pytest.param(UNKNOWN, INVALID, [("Warning", "GraphInvalid")], id="an outage ends, and it is invalid"),
    ],
)
def test_events_tell_of_graphs_but_not_of_outages(
    make_schedule: MakeSchedule,
    settings: Settings,
    now: datetime,
    before: Judgement | None,
    after: Judgement,
    events: list[tuple[str, str]],
) -> None:
    schedule = make_schedule()
    accepted = accept(schedule, now)
    live = desired(schedule, accepted, settings)
    if before is not None:
        earlier = status(Facts(schedule, accepted, live, None, now, before, runs=True))
        schedule["status"] = earlier.model_dump(mode="json", by_alias=True, exclude_none=True)
    current = status(Facts(schedule, accepted, live, None, now, after, runs=True))
    assert [(event.type, event.reason) for event in transitions(schedule, current)] == events
