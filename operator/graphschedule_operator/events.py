"""Events: told when something about a schedule really changed, and never otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from graphschedule import labels
from graphschedule.status import Condition, ConditionType, GraphScheduleStatus, Reason

from graphschedule_operator.status import conditions_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from graphschedule_operator.cache import Object

_MAX_NOTE = 1024
"""The API's limit of `note` (kubernetes, pkg/apis/core/validation/events.go)."""
_TOLD = (ConditionType.ACCEPTED, ConditionType.GRAPH_VALID, ConditionType.SCHEDULED)
_WARNINGS = (Reason.TIME_ZONE_DEFAULTED,)


@dataclass(frozen=True, slots=True)
class Event:
    """One piece of news about a schedule."""

    type: Literal["Normal", "Warning"]
    reason: str
    note: str


def transitions(schedule: Object, current: GraphScheduleStatus) -> Iterator[Event]:
    """Yield what changed from the conditions a schedule carries to the current ones.

    A first verdict is news only if it is a warning. That something cannot be known now is no news: an outage concerns
    every schedule, and would be told ten thousand times. `Ready` sums up the others and is never told by itself, nor
    is `NotAccepted`, which only repeats why the spec was not accepted.
    """
    known = conditions_of(schedule)
    for condition in current.conditions:
        if condition.type not in _TOLD or condition.reason == Reason.NOT_ACCEPTED or condition.status == "Unknown":
            continue
        warning = condition.status == "False" or condition.reason in _WARNINGS
        if _is_news(condition, known.get(condition.type), warning=warning):
            yield Event("Warning" if warning else "Normal", condition.reason, condition.message)


def outcomes(schedule: Object, current: GraphScheduleStatus) -> Iterator[Event]:
    """Yield what the slots came to that the schedule's status did not tell of before.

    One Event tells of the newest slot, as one status does: of slots that came in between only the missed are told, by
    their number.
    """
    told = schedule.get("status") or {}
    last, before = current.last_outcome, told.get("lastOutcome") or {}
    newest_missed = 0
    if last is not None and (last.slot, last.state) != (before.get("slot"), before.get("state")):
        newest_missed = int(last.state == "missed")
        why = f", {last.reason}: {last.message}" if last.message else ""
        warning = last.state in {"failed", "missed"}
        yield Event("Warning" if warning else "Normal", f"Slot{last.state.title()}", f"slot {last.slot}{why}")
    missed = current.counts.missed if current.counts else 0
    others = missed - (told.get("counts") or {}).get("missed", 0) - newest_missed
    if others > 0:
        yield Event("Warning", Reason.SLOT_MISSED, f"missed slots before the newest: {others}")


def manifest(schedule: Object, event: Event, reporter: str, now: datetime) -> Object:
    """Return the Event object (events.k8s.io/v1); `reporter` names this operator's process."""
    metadata = schedule["metadata"]
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"generateName": f"{metadata['name'][:200]}-", "namespace": metadata["namespace"]},
        "type": event.type,
        "reason": event.reason,
        "note": event.note[:_MAX_NOTE],
        "action": "Reconcile",
        "eventTime": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": f"{labels.GROUP}/operator",
        "reportingInstance": reporter,
        "regarding": {
            "apiVersion": labels.API_VERSION,
            "kind": labels.KIND,
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "uid": metadata["uid"],
            "resourceVersion": metadata["resourceVersion"],
        },
    }


def _is_news(condition: Condition, before: Mapping[str, Any] | None, *, warning: bool) -> bool:
    """Tell whether the condition changed; a new message counts only in a warning, for there it names the fault."""
    if before is None or before["status"] == "Unknown":
        return warning
    changed = (condition.status, condition.reason) != (before["status"], before["reason"])
    return changed or (warning and condition.message != before["message"])
