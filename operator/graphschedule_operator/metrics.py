"""The operator's metrics, by Prometheus' naming conventions."""

from __future__ import annotations

from collections import Counter as Tally
from typing import TYPE_CHECKING

import prometheus_client
from prometheus_client.core import GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client leaves it unannotated

RECONCILE_SECONDS = prometheus_client.Histogram(
    "graphschedule_operator_reconcile_duration_seconds",
    "Time from taking a schedule off the queue to having written all it needed.",
    ["result"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
SHARD_SECONDS = prometheus_client.Histogram(
    "graphschedule_operator_shard_duration_seconds",
    "Time from taking a shard off its queue to having written all it needed.",
    ["result"],
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
API_REQUESTS = prometheus_client.Counter(
    "graphschedule_operator_api_requests", "Requests to the API server.", ["method", "resource", "code"]
)
QUEUE_DEPTH = prometheus_client.Gauge("graphschedule_operator_queue_depth", "Schedules waiting to be reconciled.")
SWEEP_SECONDS = prometheus_client.Histogram(
    "graphschedule_operator_sweep_duration_seconds",
    "Time of one comparison of the caches with the API server.",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
SWEEP_DIFFERENCES = prometheus_client.Counter(
    "graphschedule_operator_sweep_differences", "Schedules that a sweep found changed and no watch had told of."
)
DATABASE_REQUESTS = prometheus_client.Counter(
    "graphschedule_operator_database_requests", "Transactions on the platform's database.", ["result"]
)
SLOTS = prometheus_client.Counter(
    "graphschedule_slots", "Slots by what they came to, as this process saw it happen.", ["state", "reason"]
)
ENQUEUE_SECONDS = prometheus_client.Histogram(
    "graphschedule_slot_enqueue_latency_seconds",
    "Time from a slot's fire time until its execution was in the queue.",
    buckets=(0.5, 1, 2, 3, 4, 5, 7.5, 10, 15, 20, 30, 60, 120, 300, 600, 3600),
)


class Schedules:
    """`graphschedule_schedules`: how many schedules are in each state."""

    def __init__(self, states: Iterable[str]) -> None:
        self._known = tuple(states)
        self._states: dict[Hashable, str] = {}

    def set(self, schedule: Hashable, state: str) -> None:
        """Count a schedule under a state."""
        self._states[schedule] = state

    def forget(self, schedule: Hashable) -> None:
        """Count a schedule no more."""
        self._states.pop(schedule, None)

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Yield the family, as the prometheus client asks for it at each scrape."""
        tally = Tally(self._states.values())
        family = GaugeMetricFamily("graphschedule_schedules", "Schedules by state.", labels=["state"])
        for state in self._known:
            family.add_metric([state], tally[state])
        yield family
