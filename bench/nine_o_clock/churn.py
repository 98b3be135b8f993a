"""Changes in the minute before a tick: what is true at the tick is what must be queued."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from bench import api
from bench.nine_o_clock import schedules
from bench.nine_o_clock.population import INPUT

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    import aiohttp

    from bench.nine_o_clock.population import Ask

BEGINS = timedelta(seconds=58)
"""How long before the tick the first change is made."""

LASTS = timedelta(seconds=45)

ENDS = timedelta(seconds=5)
"""How long before the tick the last change must have been made."""


async def change(
    session: aiohttp.ClientSession, standing: dict[str, Ask], fresh: Sequence[Ask], cron: str, tick: datetime
) -> dict[str, Ask]:
    """Add schedules for fresh asks, and edit and delete as many of those that stand, evenly over the minute.

    Returns what is true at the tick, by uid.

    Raises:
        RuntimeError: the last change was made too late.

    """
    true = dict(standing)
    uids = list(standing)
    edited, deleted = uids[: len(fresh)], uids[len(fresh) : 2 * len(fresh)]

    async def add(ask: Ask) -> None:
        true.update(await schedules.create(session, [ask], cron, "Grouped"))

    async def edit(uid: str) -> None:
        ask = true[uid] = replace(standing[uid], inputs={INPUT: f"edited: {standing[uid].inputs[INPUT]}"})
        await schedules.edit(session, ask.name, ask.inputs)

    async def delete(uid: str) -> None:
        await schedules.delete(session, true.pop(uid).name)

    trios = zip(fresh, edited, deleted, strict=True)
    steps = chain.from_iterable((partial(add, a), partial(edit, e), partial(delete, d)) for a, e, d in trios)
    await _evenly(list(steps), tick - BEGINS)
    if datetime.now(UTC) > tick - ENDS:
        raise RuntimeError("the changes took until shortly before the tick: make fewer, or on a faster machine")
    return true


async def _evenly(steps: Sequence[Callable[[], Awaitable[None]]], begin: datetime) -> None:
    """Take steps one after the other, at equal distances from `begin` on."""

    async def take(number: int) -> None:
        due = begin + LASTS * number / len(steps)
        await asyncio.sleep((due - datetime.now(UTC)).total_seconds())
        await steps[number]()

    await api.together(take, range(len(steps)))
