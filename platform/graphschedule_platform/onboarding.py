"""Counting a run for the user's onboarding: runs, consecutive days, milestones and their rewards (C §7).

One run is one increment; the platform's own scheduler counts each run twice. Counting belongs to the transaction
that marks a slot enqueued, so a retried slot counts once. It never fails a run: a fault is logged.
"""

from __future__ import annotations

import logging
import uuid
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import select

from graphschedule_platform.bulk import update_many
from graphschedule_platform.dialects import among, insert
from graphschedule_platform.tables import credit_transaction, user, user_balance, user_onboarding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

REWARD = 100
"""Credits for each milestone."""

_log = logging.getLogger(__name__)


class Progress(NamedTuple):
    """How far a user has come."""

    runs: int = 0
    days: int = 0
    """Days in a row with a run, in the user's zone."""
    last_run: datetime | None = None
    completed: tuple[str, ...] = ()
    rewarded: tuple[str, ...] = ()


def advance(progress: Progress, runs: int, now: datetime, zone: ZoneInfo) -> Progress:
    """Return the progress after some more runs at one instant, with the milestones that this reaches."""
    moved = progress._replace(
        runs=progress.runs + runs,
        days=_days(progress, now.astimezone(zone).date(), zone),
        last_run=now,
    )
    milestones = {"RUN_AGENTS_100": moved.runs >= 100, "RUN_3_DAYS": moved.days >= 3, "RUN_14_DAYS": moved.days >= 14}
    new = tuple(step for step, reached in milestones.items() if reached and step not in progress.completed)
    unrewarded = tuple(step for step in new if step not in progress.rewarded)
    return moved._replace(completed=progress.completed + new, rewarded=progress.rewarded + unrewarded)


def _days(progress: Progress, today: date, zone: ZoneInfo) -> int:
    if progress.last_run is None:
        return 1
    last = progress.last_run.astimezone(zone).date()
    if last == today:
        return progress.days
    return progress.days + 1 if last == today - timedelta(days=1) else 1


def count_runs(connection: Connection, runs: Mapping[str, int], now: datetime, *, credit: bool) -> None:
    """Count runs, given as a number for each user id, inside the caller's transaction; log whatever fails.

    `credit` says whether rewards are paid out; without it they are only noted, as the platform does.
    """
    if _attempt(connection, runs, now, credit) or len(runs) == 1:
        return
    for user_id in sorted(runs):
        _attempt(connection, {user_id: runs[user_id]}, now, credit)


def _attempt(connection: Connection, runs: Mapping[str, int], now: datetime, credit: bool) -> bool:
    try:
        with connection.begin_nested():
            _count(connection, runs, now, credit)
    except Exception as error:  # whatever it is, the run itself is queued already
        _log.warning("runs not counted for onboarding: %s", error, extra={"userIds": sorted(runs)})
        return False
    return True


def _count(connection: Connection, runs: Mapping[str, int], now: datetime, credit: bool) -> None:
    known = _load(connection, runs)
    if missing := sorted(runs.keys() - known.keys()):
        _create(connection, missing, now)
        known |= _load(connection, missing)
    changes = [
        (user_id, progress, advance(progress, runs[user_id], now, zone)) for user_id, (progress, zone) in known.items()
    ]
    _store(connection, {user_id: after for user_id, _, after in changes})
    if credit:
        for user_id, before, after in changes:
            for step in after.rewarded[len(before.rewarded) :]:
                _pay(connection, user_id, step, now)


def _load(connection: Connection, user_ids: Iterable[str]) -> dict[str, tuple[Progress, ZoneInfo]]:
    """Return progress and zone of users who have a row, locked in one order so that two runners cannot deadlock."""
    row = user_onboarding.c
    query = (
        select(row.user_id, row.agent_runs, row.consecutive_run_days, row.last_run_at, row.completed_steps)
        .add_columns(row.rewarded_for, user.c.timezone)
        .join(user, user.c.id == row.user_id)
        .where(among(connection, row.user_id, sorted(user_ids)))
        .order_by(row.user_id)
        .with_for_update(of=user_onboarding)
    )
    return {
        user_id: (Progress(run_count, days, last_run, tuple(completed), tuple(rewarded)), _zone(zone))
        for user_id, run_count, days, last_run, completed, rewarded, zone in connection.execute(query)
    }


def _zone(name: str) -> ZoneInfo:
    """Return the user's zone; one that is not set or not known means UTC."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def _create(connection: Connection, user_ids: list[str], now: datetime) -> None:
    rows = [{"id": str(uuid.uuid4()), "user_id": user_id, "updated_at": now} for user_id in user_ids]
    connection.execute(insert(connection, user_onboarding).on_conflict_do_nothing(), rows)


def _store(connection: Connection, progress: Mapping[str, Progress]) -> None:
    rows = [
        {
            "user_id": user_id,
            "agent_runs": now.runs,
            "consecutive_run_days": now.days,
            "last_run_at": now.last_run,
            "completed_steps": now.completed,
            "rewarded_for": now.rewarded,
            "updated_at": now.last_run,
        }
        for user_id, now in progress.items()
    ]
    update_many(connection, user_onboarding, "user_id", rows)


def _pay(connection: Connection, user_id: str, step: str, now: datetime) -> None:
    """Grant a milestone's credits, unless they were granted before."""
    key = f"REWARD-{user_id}-{step}"
    granted = select(credit_transaction.c.user_id).where(
        credit_transaction.c.transaction_key == key, credit_transaction.c.user_id == user_id
    )
    if connection.execute(granted).first():
        return
    balance = connection.execute(
        insert(connection, user_balance)
        .values(user_id=user_id, balance=REWARD, updated_at=now)
        .on_conflict_do_update(
            index_elements=[user_balance.c.user_id],
            set_={user_balance.c.balance: user_balance.c.balance + REWARD, user_balance.c.updated_at: now},
        )
        .returning(user_balance.c.balance)
    ).scalar_one()
    connection.execute(
        credit_transaction.insert().values(
            transaction_key=key,
            user_id=user_id,
            amount=REWARD,
            type="GRANT",
            metadata={"reason": f"Reward for the onboarding step {step}"},
            running_balance=balance,
        )
    )
