"""Counts slots as they come to something, for the metrics."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from graphschedule.outcomes import SlotState

from graphschedule_operator import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from graphschedule_platform.ledger import SlotRow

REMEMBERED = timedelta(hours=1)
"""How long a failure is remembered: several times what the attempts at one slot may take."""


class SlotCount:
    """Counts each slot once for each state that it comes to, however often its row is written.

    Enqueued and skipped rows never change again. A failed or missed one may: each further attempt writes it.
    """

    def __init__(self) -> None:
        self._failures: dict[str, tuple[SlotState, datetime]] = {}

    def see(self, rows: Iterable[SlotRow]) -> None:
        """Take rows that changed."""
        for row in rows:
            if row.state is SlotState.CLAIMED or self._is_known(row):
                continue
            metrics.SLOTS.labels(row.state.value, row.reason).inc()
            if row.state is SlotState.ENQUEUED and row.fire_time and row.enqueued_at:
                metrics.ENQUEUE_SECONDS.observe((row.enqueued_at - row.fire_time).total_seconds())

    def _is_known(self, row: SlotRow) -> bool:
        if row.state not in {SlotState.FAILED, SlotState.MISSED}:
            return False
        before = self._failures.pop(row.id, None)
        self._failures[row.id] = (row.state, row.updated_at)
        self._forget(row.updated_at - REMEMBERED)
        return before is not None and before[0] is row.state

    def _forget(self, horizon: datetime) -> None:
        """Forget what was last written before the horizon; the oldest come first."""
        while self._failures:
            oldest = next(iter(self._failures))
            if self._failures[oldest][1] >= horizon:
                return
            del self._failures[oldest]
