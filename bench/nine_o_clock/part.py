"""One tick: waited for, watched until everything due is queued, and judged."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from graphschedule.outcomes import SlotState
from graphschedule.slots import Slot
from graphschedule_platform import ledger, tables
from graphschedule_platform.rows import QUEUED
from sqlalchemy import func, select

from bench.nine_o_clock import load
from bench.nine_o_clock.depth import Depths
from bench.nine_o_clock.judgement import Verdict, judge
from bench.nine_o_clock.stage import NAMESPACE, OURS
from dev.services import topology

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.nine_o_clock.depth import Curve
    from bench.nine_o_clock.load import Load
    from bench.nine_o_clock.stage import Stage
    from bench.nine_o_clock.weight import Weights

PATIENCE_SECONDS = 400
"""A Job's 300 s for its enqueue, and a margin: what is not queued then is lost."""

LOOK_SECONDS = 0.1


class Told(NamedTuple):
    """How the statuses followed."""

    seconds: float
    """From the tick until every schedule's status says that it fired."""

    requests: int
    """API requests from the moment all was queued until then."""


@dataclass(frozen=True)
class Part:
    """What became of one tick."""

    name: str
    due: int
    seconds: float
    """From the tick until every row was QUEUED and every message in the queue."""

    curve: Curve
    load: Load
    pods: int
    verdict: Verdict
    told: Told | None = None
    weights: Weights | None = None
    """None where the cluster has no part in it."""

    @property
    def rate(self) -> float:
        """Schedules queued a second."""
        return self.due / self.seconds

    def lateness(self, percent: float) -> float:
        """Return within how many seconds that share of the schedules was queued."""
        return self.curve.lateness(percent, self.due)


def tick_after(seconds: float) -> datetime:
    """Return the first full minute that is at least so many seconds away."""
    earliest = datetime.now(UTC) + timedelta(seconds=seconds + 60)
    return earliest.replace(second=0, microsecond=0)


def cron_of(tick: datetime) -> str:
    """Return the expression that is due at a tick, and again a day later."""
    return f"{tick.minute} {tick.hour} * * *"


def execution_id(uid: str, tick: datetime) -> str:
    """Return the id of the execution that a schedule's slot becomes."""
    return Slot.at(uid, tick).execution_id


def sleep_until(instant: datetime) -> None:
    """Wait for an instant; none is left to wait for if it is past."""
    time.sleep(max(0.0, (instant - datetime.now(UTC)).total_seconds()))


def watch(
    stage: Stage, name: str, tick: datetime, due: Mapping[str, Any], meanwhile: Callable[[Curve], None] | None = None
) -> Part:
    """Wait for a tick and watch it; `due` has the inputs of what must be queued, by execution id.

    `meanwhile` is called as the tick comes, with the curve that begins.

    Raises:
        RuntimeError: the tick is past already.

    """
    sleep_until(tick - timedelta(seconds=2))
    before = load.look(stage.cluster)
    if datetime.now(UTC) > tick:
        raise RuntimeError(f"{name}: the preparations took until after the tick: measure fewer, or on a faster machine")
    sleep_until(tick)
    with Depths(stage.platform.broker_url, tick.timestamp()) as depths:
        if meanwhile:
            meanwhile(depths.curve)
        seconds = _until_queued(stage, tick, len(due), depths.curve)
    spent = load.look(stage.cluster).since(before)
    messages = [json.loads(body)["graph_exec_id"] for _, body in topology.take_all(stage.platform.broker_url)]
    verdict = judge(due, _queued(stage, tick), messages)
    return Part(name, len(due), seconds, depths.curve, spent, _pods(stage, tick), verdict)


def _until_queued(stage: Stage, tick: datetime, count: int, curve: Curve) -> float:
    """Return the seconds from the tick until all is queued; the queue is looked at first, for it is the last step."""
    while True:
        seconds = time.time() - tick.timestamp()
        if (curve.depth >= count and _enqueued(stage, tick) >= count) or seconds > PATIENCE_SECONDS:
            return seconds
        time.sleep(LOOK_SECONDS)


def _enqueued(stage: Stage, tick: datetime) -> int:
    """Return how many slots of the tick the ledger knows to be in the queue."""
    slot = ledger.slot_table.c
    query = select(func.count()).where(slot.fire_time == tick, slot.state == SlotState.ENQUEUED)
    with stage.platform.engine.connect() as connection:
        return connection.scalar(query) or 0


def _queued(stage: Stage, tick: datetime) -> dict[str, Any]:
    """Return the inputs of the QUEUED executions made since the tick, by id."""
    execution = tables.agent_graph_execution.c
    since = (execution.execution_status == QUEUED, execution.created_at >= tick)
    with stage.platform.engine.connect() as connection:
        return {row.id: row.inputs for row in connection.execute(select(execution.id, execution.inputs).where(*since))}


def _pods(stage: Stage, tick: datetime) -> int:
    """Return how many runner pods were made since the tick."""
    selector = f"--selector={OURS}"
    listed = json.loads(stage.cluster.kubectl("get", "pods", "--namespace", NAMESPACE, selector, "--output=json"))
    made = (datetime.fromisoformat(pod["metadata"]["creationTimestamp"]) for pod in listed["items"])
    return sum(1 for instant in made if instant >= tick)
