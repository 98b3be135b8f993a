"""`report-execution-accuracy-alerts` (M22): alert on agents of the store whose accuracy drops (C §4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from graphschedule_platform.accuracy import daily_scores

from graphschedule_runner import alerts
from graphschedule_runner.alert_channels import Channel
from graphschedule_runner.masking import mask
from graphschedule_runner.tasks.task import TaskResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphschedule_platform.accuracy import DailyScores

    from graphschedule_runner.tasks.task import TaskContext

NAME = "report-execution-accuracy-alerts"

THRESHOLD = 10.0
"""Percent of its own accuracy that an agent has to lose."""

_NOISE = 9
"""Decimals that are meant: what floats add beyond shall not decide."""


class Drop(NamedTuple):
    """How an agent did lately and before; all are percentages."""

    short: float
    """The mean of the newest 3 days that had executions."""
    middle: float
    """Of the newest 7."""
    percent: float
    """How much lower the former is, of the latter."""


def run(context: TaskContext) -> TaskResult:
    """Alert on each agent whose accuracy dropped.

    Raises:
        DependencyError: an alert did not get through.

    """
    with context.engine.connect() as connection:
        agents = daily_scores(connection, context.clock())
    drops = [(agent, found) for agent in agents if (found := drop(agent.scores)) and found.percent >= THRESHOLD]
    told = alerts.tell(context, NAME, [alert(agent, found) for agent, found in drops], Channel.PRODUCT)
    counts = {"agents": len(agents), "drops": len(drops), "told": told}
    if told:
        return TaskResult(f"Alert sent for {told} agents with accuracy drops", counts)
    if drops:
        return TaskResult(f"{len(drops)} agents with accuracy drops, as told before", counts)
    return TaskResult("No accuracy alerts detected", counts)


def drop(scores: Sequence[float | None]) -> Drop | None:
    """Return how far the newest day's moving averages are apart; None if there is nothing to compare.

    Days without executions are not in `scores`; days without a score are, and count in no average.
    """
    short, middle = mean(scores[-3:]), mean(scores[-7:])
    if short is None or middle is None or middle <= 0:
        return None
    return Drop(short, middle, round((middle - short) / middle * 100, _NOISE))


def mean(scores: Sequence[float | None]) -> float | None:
    """Return the mean of the scores that are known, None if none is."""
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known else None


def alert(agent: DailyScores, found: Drop) -> alerts.Alert:
    """Return the alert on an agent; it is a changed one once the drop is in another tenth."""
    month = mean(agent.scores[-14:])
    content = (
        f"Accuracy Drop Alert: {mask(agent.name)} lost {found.percent:.1f} %\n"
        f"Mean of the last 3 days with executions {found.short:.1f} %, of 7 {found.middle:.1f} %, of 14 {month:.1f} %"
    )
    return alerts.Alert(agent.graph_id, frozenset({f"{found.percent // 10:.0f}"}), content)
