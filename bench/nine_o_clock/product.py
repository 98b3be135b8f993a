"""The product's tick: GraphSchedules on the API server, fired by the cluster, whichever way they are dispatched."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from graphschedule.slots import format_instant

from bench import api
from bench.nine_o_clock import churn, load, schedules, weight
from bench.nine_o_clock.part import Part, Told, cron_of, execution_id, tick_after, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.api import Object
    from bench.nine_o_clock.depth import Curve
    from bench.nine_o_clock.population import Ask
    from bench.nine_o_clock.stage import Stage
    from dev.cluster import Cluster

Dispatch = Literal["PerSchedule", "Grouped"]

PATIENCE_SECONDS = 1800
"""For statuses, which are told at a bounded rate."""


def fire(
    stage: Stage,
    dispatch: Dispatch,
    asks: Sequence[Ask],
    *,
    pace: float,
    fresh: Sequence[Ask] = (),
    meanwhile: Callable[[Curve], None] | None = None,
) -> Part:
    """Let the cluster fire the asks at one tick, and delete their schedules afterwards.

    `pace` is how many schedules a second are surely created and seen through by the operator on this machine.

    Where there are fresh asks, they are added in the minute before, and as many are edited and deleted.

    Raises:
        RuntimeError: the preparations took too long.

    """
    tick = tick_after(10 + len(asks) / pace + (churn.BEGINS.total_seconds() if fresh else 0))
    true = asyncio.run(_prepare(stage.cluster, dispatch, asks, fresh, tick))
    due = {execution_id(uid, tick): ask.inputs for uid, ask in true.items()}
    part = watch(stage, dispatch, tick, due, meanwhile)
    told = asyncio.run(_follow(stage.cluster, tick, len(due)))
    weights = asyncio.run(weight.weigh(stage.cluster))
    asyncio.run(_clear(stage.cluster))
    return replace(part, told=told, weights=weights)


async def _prepare(
    cluster: Cluster, dispatch: Dispatch, asks: Sequence[Ask], fresh: Sequence[Ask], tick: datetime
) -> dict[str, Ask]:
    """Create schedules, wait until all say that they will fire, and change some; return what is true at the tick."""
    async with api.session(cluster) as session:
        standing = await schedules.create(session, asks, cron_of(tick), dispatch)
        await schedules.until_all(session, len(asks), schedules.scheduled)
        if datetime.now(UTC) > tick - (churn.BEGINS if fresh else timedelta()):
            raise RuntimeError(f"{len(asks)} schedules were not ready in time: say a lower --pace")
        return await churn.change(session, standing, fresh, cron_of(tick), tick) if fresh else standing


async def _follow(cluster: Cluster, tick: datetime, count: int) -> Told:
    """Wait until every status says that its schedule fired at the tick."""
    before = load.look(cluster)

    def fired(schedule: Object) -> bool:
        return bool(schedule.get("status", {}).get("lastFireTime") == format_instant(tick))

    async with api.session(cluster) as session, asyncio.timeout(PATIENCE_SECONDS):
        await schedules.until_all(session, count, fired)
    return Told(time.time() - tick.timestamp(), load.look(cluster).since(before).requests)


async def _clear(cluster: Cluster) -> None:
    async with api.session(cluster) as session:
        await schedules.delete_all(session)
