"""Histories of slots without a ledger, for tests of what is said of them."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from graphschedule.outcomes import SlotState
from graphschedule.slots import Slot
from graphschedule_platform.ledger import SlotRow, Summary

UID = "6a9f6a2e-0000-4000-8000-000000000001"


def row(state: SlotState, time: datetime, *, reason: str = "", message: str = "", by_hand: bool = False) -> SlotRow:
    """Return the row of a slot of that time; two seconds later it came to its state."""
    slot = Slot.manual(UID, str(uuid.uuid4())) if by_hand else Slot.at(UID, time)
    rows_written = state in {SlotState.CLAIMED, SlotState.ENQUEUED}
    then = time if by_hand else time + timedelta(seconds=2)
    return SlotRow(
        id=slot.execution_id,
        schedule_uid=UID,
        slot=slot.key,
        fire_time=slot.fire_time,
        namespace="team",
        schedule_name="daily",
        user_id="user-1",
        graph_id="graph-1",
        graph_version=3,
        state=state,
        reason=reason or state.title(),
        message=message,
        node_errors={},
        queue_message=None,
        attempts=1,
        created_at=then,
        claimed_at=then if rows_written else None,
        enqueued_at=then if state is SlotState.ENQUEUED else None,
        updated_at=then,
        revision=1,
    )


def history(last: SlotRow, failures: int = 0, failure: SlotRow | None = None, **counts: int) -> Summary:
    """Return the summary of slots of which one is the newest; keywords count them."""
    return Summary({SlotState(state): count for state, count in counts.items()}, failures, last, failure)


def failing(failures: int, newest: datetime, state: SlotState = SlotState.FAILED) -> Summary:
    """Return the summary of slots of which the newest failed in a row."""
    failure = row(state, newest, reason="Transient", message="because of this")
    return history(failure, failures, failure, **{state.value: failures})
