"""Permanent failures (M12, M13): what becomes of a schedule whose graph is gone or invalid at a fire.

Two must agree: the ledger, that a slot failed for a reason that no retry can mend, and the judge, asked after that,
that the graph still is not valid. A graph that is back again costs nobody a schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphschedule import slots
from graphschedule.outcomes import SlotState
from graphschedule.status import Reason, Suspension

from graphschedule_operator import graph
from graphschedule_operator.history import MAX_MESSAGE, Outage

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from graphschedule_platform.ledger import Summary

    from graphschedule_operator.cache import Key, Object
    from graphschedule_operator.history import Histories
    from graphschedule_operator.judge import Judge, Known
    from graphschedule_operator.judgement import Judgement

GONE = frozenset({Reason.GRAPH_NOT_FOUND, Reason.GRAPH_NOT_IN_LIBRARY})
"""Reasons that concern all schedules of a user and a graph (M12)."""
DELETABLE = GONE | {Reason.GRAPH_INVALID}
"""Reasons for which `onPermanentFailure: Delete` deletes; for the others it, too, suspends."""
PERMANENT = DELETABLE | {Reason.GRAPH_NOT_ACCESSIBLE, Reason.GRAPH_ERROR}

POLICY = "PermanentFailure"


@dataclass(frozen=True, slots=True)
class Failure:
    """A slot that failed for good. `schedule` is `namespace/name`, `asked_for` (user id, graph id)."""

    schedule: str
    slot: str
    asked_for: tuple[str, str]
    reason: Reason
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Opinion:
    """The verdict on a schedule's graph, and the failure that the schedule has to suffer for."""

    graph: Judgement
    cause: Failure | None = None


def failure_of(history: Summary | Outage) -> Failure | None:
    """Return the permanent failure of a schedule's newest slot that was not skipped, if it failed so."""
    known = history.known if isinstance(history, Outage) else history
    row = None if known is None else known.failure
    if row is None or row.state is not SlotState.FAILED or row.reason not in [*PERMANENT]:
        return None
    return Failure(
        schedule=f"{row.namespace}/{row.schedule_name}",
        slot=row.slot,
        asked_for=(row.user_id, row.graph_id),
        reason=Reason(row.reason),
        message=row.message,
        at=row.updated_at,
    )


def blame(own: Failure | None, gone: Failure | None, known: Known) -> Failure | None:
    """Return the failure that a schedule has to suffer for: its own, or another's that found the same graph gone."""
    if known.verdict.status != "False":
        return None
    others = gone if known.verdict.reason in GONE else None
    return next((failure for failure in (own, others) if failure is not None and counts(failure, known)), None)


def counts(failure: Failure, known: Known) -> bool:
    """Tell whether a failure is about what the schedule asks for now, and the graph was not valid since."""
    return failure.asked_for == known.asked_for and (known.valid_at is None or failure.at > known.valid_at)


def suspension(schedule: Object, opinion: Opinion, now: datetime) -> Suspension | None:
    """Return the suspension for a permanent failure: it begins with a cause, and ends when the graph is valid."""
    if opinion.graph.status == "True" or opinion.graph == graph.NO_DATABASE:
        return None
    standing = (schedule.get("status") or {}).get("suspension")
    if standing is not None and standing["reason"] == POLICY:
        return Suspension.model_validate(standing)
    if opinion.cause is None:
        return None
    message = f"spec.onPermanentFailure asks for it, since {told(opinion.cause)}"[:MAX_MESSAGE]
    return Suspension(reason=POLICY, message=message, since=slots.format_instant(now))


def condemning(schedule: Object, opinion: Opinion) -> Failure | None:
    """Return the failure for which a schedule is to be deleted, if it asked for that."""
    cause = opinion.cause
    if cause is None or schedule["spec"].get("onPermanentFailure") != "Delete":
        return None
    return cause if {cause.reason, opinion.graph.reason} <= DELETABLE else None


def told(cause: Failure) -> str:
    """Return what happened, for people."""
    return f"slot {cause.slot} of schedule {cause.schedule} failed, {cause.reason}: {cause.message}"


class Failures:
    """What is known of graphs and what the ledger says of slots, brought together."""

    def __init__(self, judge: Judge, histories: Histories, put: Callable[[Key], None]) -> None:
        self._judge = judge
        self._histories = histories
        self._put = put
        self._gone: dict[tuple[str, str], Failure] = {}

    def opinion(self, key: Key, schedule: Object, *, runs: bool) -> Opinion | None:
        """Return what is to be thought of an accepted schedule's graph; see `Judge.verdict` for None.

        `runs`: its CronJob runs what it asks for now. If not, failures are those of an earlier spec, and cost nothing.
        """
        known = self._judge.verdict(key, schedule)
        if known is None or not runs:
            return None if known is None else Opinion(known.verdict)
        own = failure_of(self._histories.of(schedule["metadata"]["uid"]))
        if own is not None and counts(own, known):
            self._take(key, own, known)
        return Opinion(known.verdict, blame(own, self._gone.get(known.asked_for), known))

    def _take(self, key: Key, own: Failure, known: Known) -> None:
        """Have everybody judged anew whom a failure may concern."""
        if known.verdict.status == "True":
            self._judge.again([key])
        before = self._gone.get(own.asked_for)
        if own.reason in GONE and (before is None or before.at < own.at):
            self._gone[own.asked_for] = own
            concerned = [other for other in self._judge.asking_for(own.asked_for) if other != key]
            self._judge.again(concerned)
            for other in concerned:
                self._put(other)
