"""What a run of a task came to, for all who want to know: people, programs, Kubernetes, logs, Prometheus (M26)."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway

from graphschedule_runner.console import say
from graphschedule_runner.execute import MAX_TERMINATION_MESSAGE, leave

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping
    from datetime import datetime

SUCCEEDED = "succeeded"
FAILED = "failed"
SKIPPED = "skipped"
"""There was nothing to do, or another run was doing it."""

PUSH_TIMEOUT = 10
"""Seconds for the gateway to answer."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to."""

    task: str
    state: str
    """`succeeded`, `failed` or `skipped`."""
    started_at: datetime
    finished_at: datetime
    text: str | None = None
    """The result's text, or why there is none."""
    counts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.finished_at - self.started_at).total_seconds()

    @property
    def members(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "task": self.task,
            "state": self.state,
            "text": self.text,
            "counts": dict(self.counts),
            "startedAt": self.started_at.isoformat(timespec="milliseconds"),
            "elapsedSeconds": round(self.seconds, 3),
        }


def tell(report: Report, options: argparse.Namespace) -> None:
    """Log the report, print it as `--output` asks, and leave it as the container's last words."""
    _log.log(
        logging.ERROR if report.state == FAILED else logging.INFO, report.text or report.state, extra=_facts(report)
    )
    if options.output == "json":
        say(json.dumps(report.members))
    elif report.state != FAILED:
        say(report.text or json.dumps(report.members["counts"]))
    cut = report.text and report.text[:MAX_TERMINATION_MESSAGE]
    leave(options.termination_log, report.members | {"text": cut})


def push(report: Report, every: int | None, gateway: str, instance: str) -> None:
    """Push the report, and the task's interval in seconds, to a Pushgateway.

    If this fails it is logged, and changes nothing. What a report does not say, such as the last success if it is of a
    failure, stays there as it was.
    """
    try:
        pushadd_to_gateway(
            gateway,
            job="graphschedule-task",
            registry=metrics(report, every),
            grouping_key={"instance": instance, "task": report.task},
            timeout=PUSH_TIMEOUT,
        )
    except (OSError, ValueError) as error:
        _log.warning("metrics are not pushed: %s", error)


def _facts(report: Report) -> dict[str, Any]:
    return {name: value for name, value in report.members.items() if name != "text"}


def metrics(report: Report, every: int | None) -> CollectorRegistry:
    """Return what a report is in Prometheus' terms; the task and the installation are labels of the push."""
    registry = CollectorRegistry()

    def gauge(name: str, meaning: str, value: float) -> None:
        Gauge(f"graphschedule_task_{name}", meaning, registry=registry).set(value)

    gauge("last_run_timestamp_seconds", "When the newest run ended", report.finished_at.timestamp())
    gauge("last_run_duration_seconds", "How long the newest run took", report.seconds)
    gauge("last_run_failed", "1 if the newest run failed, else 0", report.state == FAILED)
    if every:
        gauge("interval_seconds", "How often the task is to run", every)
    if report.state == SUCCEEDED:
        gauge(
            "last_success_timestamp_seconds", "When the newest run that succeeded ended", report.finished_at.timestamp()
        )
        counts = Gauge(
            "graphschedule_task_count", "What the newest run that succeeded did", ["what"], registry=registry
        )
        for what, number in _numbers(report.counts):
            counts.labels(what).set(number)
    return registry


def _numbers(counts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the numbers in counts by their path: `backfill.success`."""
    for name, value in counts.items():
        if isinstance(value, dict):
            yield from _numbers(value, f"{prefix}{name}.")
        elif isinstance(value, int | float):
            yield f"{prefix}{name}", value
