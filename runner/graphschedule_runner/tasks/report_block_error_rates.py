"""`report-block-error-rates` (M19): alert on blocks that fail too often, or sum up those that failed most (C §4.2)."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from graphschedule_platform.block_stats import block_stats, error_samples

from graphschedule_runner import alerts
from graphschedule_runner.masking import sample
from graphschedule_runner.tasks.task import TaskResult

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from graphschedule_platform.block_stats import BlockStats

    from graphschedule_runner.tasks.task import TaskContext

    Samples = Mapping[str, Sequence[str]]

NAME = "report-block-error-rates"

WINDOW = timedelta(hours=24)

ALERT_SAMPLES = 3
"""Failed executions per block that an alert looks at."""

SUMMARY_SAMPLES = 2
"""Failed executions per block that the summary looks at."""


def run(context: TaskContext) -> TaskResult:
    """Alert on the blocks over the threshold; if there are none, send the summary where it is asked for.

    Raises:
        DependencyError: what was to be sent did not get through.

    """
    settings, now = context.settings, context.clock()
    with context.engine.connect() as connection:
        stats = block_stats(connection, now - WINDOW, now)
    failing = over_threshold(stats, settings.block_error_threshold)
    counts = {"blocks": len(stats), "failing": len(failing)}
    if failing:
        return TaskResult(_alert(context, failing, now), counts)
    alerts.tell(context, NAME, [])
    if settings.block_error_top_blocks == 0:
        return TaskResult("No errors reported for today", counts)
    worst = [block for block in stats if block.failed][: settings.block_error_top_blocks]
    alerts.report(context, summary(worst, _samples(context, worst, now, SUMMARY_SAMPLES)))
    return TaskResult("Sent top blocks summary", counts)


def over_threshold(stats: Sequence[BlockStats], threshold: float) -> list[BlockStats]:
    """Return the blocks of which at least this share failed."""
    return [block for block in stats if block.failed / block.total >= threshold]


def alert(failing: Sequence[BlockStats], samples: Samples) -> str:
    """Return the message about blocks that fail too often."""
    return "\n".join(["Block Error Rate Alert: failures in the last 24 hours", *_lines(failing, samples)])


def summary(worst: Sequence[BlockStats], samples: Samples) -> str:
    """Return the message of a day without alert."""
    if not worst:
        return "Block Error Summary: no block failed in the last 24 hours"
    return "\n".join(["Block Error Summary: most failures in the last 24 hours", *_lines(worst, samples)])


def facts(failing: Sequence[BlockStats]) -> frozenset[str]:
    """Return what the alert is about: each block, and in which tenth its error rate is."""
    return frozenset(f"{block.block_id} {10 * block.failed // block.total}" for block in failing)


def _alert(context: TaskContext, failing: Sequence[BlockStats], now: datetime) -> str:
    content = alert(failing, _samples(context, failing, now, ALERT_SAMPLES))
    if alerts.tell(context, NAME, [alerts.Alert(NAME, facts(failing), content)]):
        return f"Alert sent for {len(failing)} blocks with high error rates"
    return f"{len(failing)} blocks with high error rates, as told before"


def _samples(context: TaskContext, blocks: Sequence[BlockStats], now: datetime, limit: int) -> Samples:
    ids = [block.block_id for block in blocks]
    with context.engine.connect() as connection:
        return error_samples(connection, ids, now - WINDOW, now, limit=limit)


def _lines(blocks: Sequence[BlockStats], samples: Samples) -> list[str]:
    """Return a line for each block, and below it what its errors said, like ones together."""
    lines = []
    for block in blocks:
        rate = 100 * block.failed / block.total
        lines.append(f"{block.name}: {rate:.1f} % ({block.failed} of {block.total})")
        errors = Counter(sample(text) for text in samples.get(block.block_id, ()))
        lines += [f"- {count} x {text}" for text, count in errors.items()]
    return lines
