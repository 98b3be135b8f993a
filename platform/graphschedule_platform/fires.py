"""Fires, and what becomes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graphschedule_platform.ledger import Entry
from graphschedule_platform.verdict import NOTHING, ExecutionRequest

if TYPE_CHECKING:
    from graphschedule.outcomes import Outcome
    from graphschedule.payload import RunPayload
    from graphschedule.slots import Slot

    from graphschedule_platform.verdict import NodeErrors


class Fire(NamedTuple):
    """One slot of a schedule, and what to run in it."""

    slot: Slot
    payload: RunPayload

    @property
    def id(self) -> str:
        """The execution's id, which is also the slot's in the ledger."""
        return self.slot.execution_id

    @property
    def request(self) -> ExecutionRequest:
        """The execution it asks for."""
        payload = self.payload
        return ExecutionRequest(
            graph_id=payload.graph_id,
            user_id=payload.user_id,
            graph_version=payload.graph_version,
            inputs=payload.inputs,
            credentials=payload.credentials,
        )

    def entry(self, graph_version: int | None = None, queue_message: str | None = None) -> Entry:
        """Return its entry in the ledger, with the resolved version and the message once these are known."""
        payload = self.payload
        return Entry(
            slot=self.slot,
            namespace=payload.namespace,
            schedule_name=payload.name,
            user_id=payload.user_id,
            graph_id=payload.graph_id,
            graph_version=graph_version or payload.graph_version,
            queue_message=queue_message,
        )


class FireResult(NamedTuple):
    """What became of one fire."""

    fire: Fire
    outcome: Outcome
    message: str = ""
    node_errors: NodeErrors = NOTHING


Results = dict[str, FireResult]
"""Results by execution id. A fire without one is not through yet."""
