"""What a schedule's slots came to, and what is said of it. Pure, but for the store of what was read last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphschedule.outcomes import SlotState
from graphschedule.status import Reason, SlotCounts, SlotOutcome
from graphschedule_platform.ledger import Summary

from graphschedule_operator.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from graphschedule_platform.ledger import SlotRow

MAX_MESSAGE = 4096
"""As in the CRD's `lastOutcome.message` and `suspension.message`."""


@dataclass(frozen=True, slots=True)
class Outage:
    """The ledger cannot be read, and why; `known` is what it said before, None if it was never read."""

    why: str
    known: Summary | None = None


NO_DATABASE = Outage("the operator has no database to ask: set GRAPHSCHEDULE_DATABASE_URL")
NOT_READ = Outage("the slot ledger has not been read yet")
"""So it is for a moment after a start: what a status says counts until then, so that a restart writes nothing."""
NO_SLOTS = Summary(counts={}, failures=0, last=None, failure=None)


class Histories:
    """The histories of all schedules by uid, as they were last read from the ledger."""

    def __init__(self) -> None:
        self.outage: str | None = None
        """Why the ledger cannot be read, when it has not been for so long that people should know."""
        self._known: dict[str, Summary] | None = None

    def of(self, uid: str) -> Summary | Outage:
        """Return what is known of a schedule's slots."""
        known = None if self._known is None else self._known.get(uid, NO_SLOTS)
        if self.outage is not None:
            return Outage(self.outage, known)
        return NOT_READ if known is None else known

    def replace(self, summaries: Mapping[str, Summary]) -> Mapping[str, bool]:
        """Take what the ledger says of all schedules; return for which it is news, and whether only of routine."""
        known, self._known = self._known or {}, dict(summaries)
        return _news(known, summaries, known.keys() | summaries.keys())

    def update(self, summaries: Mapping[str, Summary]) -> Mapping[str, bool]:
        """Take what the ledger says of some schedules; return for which it is news, and whether only of routine."""
        known = self._known = self._known or {}
        news = _news(known, summaries, summaries)
        known |= summaries
        return news


def _news(before: Mapping[str, Summary], after: Mapping[str, Summary], uids: Iterable[str]) -> Mapping[str, bool]:
    """Return the schedules with news; it is routine if none of them failed or was missed, nor has recovered."""
    pairs = ((uid, before.get(uid, NO_SLOTS), after.get(uid, NO_SLOTS)) for uid in uids)
    return {uid: old.failure == new.failure for uid, old, new in pairs if old != new}


def judgement(history: Summary | Outage, told: Judgement | None = None) -> Judgement:
    """Return what is said of a schedule's health; `told` is what its status says of it."""
    if history is NOT_READ and told is not None:
        return told
    if isinstance(history, Outage):
        return Judgement("Unknown", Reason.OUTCOMES_UNKNOWN, f"what was known before stands; {history.why}")
    if history.failure is not None:
        reason = Reason.SLOT_MISSED if history.failure.state is SlotState.MISSED else Reason.SLOT_FAILED
        return Judgement("False", reason, in_a_row(history.failures, history.failure))
    if history.last is None:
        return Judgement("True", Reason.NO_RUNS, "no slot has come to anything yet")
    return Judgement("True", Reason.HEALTHY, "no slot has failed or was missed since the last one that was enqueued")


def in_a_row(failures: int, newest: SlotRow) -> str:
    """Return a sentence on failures in a row and the newest of them."""
    before = f"{failures} slots in a row failed or were missed; " if failures > 1 else ""
    what = "was missed" if newest.state is SlotState.MISSED else "failed"
    why = f"{newest.reason}: {newest.message}" if newest.message else newest.reason
    return f"{before}slot {newest.slot} {what}, {why}"[:MAX_MESSAGE]


def members(history: Summary | Outage, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members of the status that tell of slots; what is not known stays as it was told."""
    known = history.known if isinstance(history, Outage) else history
    if known is None:
        last, counts = told.get("lastOutcome"), told.get("counts")
        return {
            "last_outcome": SlotOutcome.model_validate(last) if last else None,
            "consecutive_failures": told.get("consecutiveFailures"),
            "counts": SlotCounts.model_validate(counts) if counts else None,
        }
    return {
        "last_outcome": outcome_of(known.last) if known.last else None,
        "consecutive_failures": known.failures,
        "counts": SlotCounts(**{str(state): count for state, count in known.counts.items()}),
    }


def outcome_of(row: SlotRow) -> SlotOutcome:
    """Return a row of the ledger as a status tells it."""
    return SlotOutcome(
        slot=row.slot,
        state=row.state.value,
        reason=row.reason,
        message=row.message[:MAX_MESSAGE],
        execution_id=row.id if row.claimed_at else None,
    )


def last_fire(history: Summary | Outage) -> datetime | None:
    """Return the newest slot, if it was fired: one that was missed was not, and one by hand is not the CronJob's."""
    known = history.known if isinstance(history, Outage) else history
    if known is None or known.last is None or known.last.state is SlotState.MISSED:
        return None
    return known.last.fire_time
