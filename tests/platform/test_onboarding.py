"""Onboarding counts a run once, in the user's zone, with milestones and rewards (C §7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from graphschedule_platform import tables
from graphschedule_platform.delivery import Delivery
from graphschedule_platform.onboarding import Progress, advance, count_runs
from sqlalchemy import select, update

from tests.support import builders
from tests.support.platforms import NOON, Platform, fire, on_postgresql

if TYPE_CHECKING:
    from graphschedule.payload import RunPayload
    from sqlalchemy import Engine, RowMapping

BERLIN = ZoneInfo("Europe/Berlin")
LATE = datetime(2026, 5, 4, 21, 30, tzinfo=UTC)
"""23:30 in Berlin: half an hour later it is another day there, but not in UTC."""


@pytest.mark.parametrize(
    ("last", "now", "days"),
    [
        (None, LATE, 1),
        (LATE, LATE + timedelta(minutes=29), 4),
        (LATE, LATE + timedelta(minutes=31), 5),
        (LATE, LATE + timedelta(days=2), 1),
        (LATE + timedelta(days=2), LATE, 1),
    ],
)
def test_days_in_a_row_are_counted_in_the_users_zone(last: datetime | None, now: datetime, days: int) -> None:
    assert advance(Progress(runs=9, days=4, last_run=last), 1, now, BERLIN).days == days


YESTERDAY = LATE - timedelta(days=1)


@pytest.mark.parametrize(
    ("before", "steps"),
    [
        (Progress(runs=98, days=1, last_run=LATE), ()),
        (Progress(runs=99, days=1, last_run=LATE), ("RUN_AGENTS_100",)),
        (Progress(runs=5, days=2, last_run=YESTERDAY), ("RUN_3_DAYS",)),
        (Progress(runs=5, days=13, last_run=YESTERDAY), ("RUN_3_DAYS", "RUN_14_DAYS")),
    ],
)
def test_milestones_are_reached_after_the_increment(before: Progress, steps: tuple[str, ...]) -> None:
    after = advance(before, 1, LATE, BERLIN)
    assert (after.completed, after.rewarded) == (steps, steps)


def test_a_completed_step_is_not_rewarded_again() -> None:
    before = Progress(runs=200, days=1, last_run=LATE, completed=("RUN_AGENTS_100",))
    assert advance(before, 1, LATE, BERLIN).rewarded == ()


def onboarding(engine: Engine) -> RowMapping:
    row = tables.user_onboarding.c
    with engine.connect() as connection:
        query = select(row.agent_runs, row.consecutive_run_days, row.last_run_at, row.completed_steps, row.rewarded_for)
        return connection.execute(query).mappings().one()


def test_an_enqueued_slot_counts_once_however_often_it_is_attempted(platform: Platform, payload: RunPayload) -> None:
    for _ in range(3):
        platform.enqueuer(clock=lambda: NOON).enqueue_many([fire(payload)])
    assert onboarding(platform.engine)["agent_runs"] == 1
    assert onboarding(platform.engine)["last_run_at"] == NOON


def test_a_batch_counts_every_run(platform: Platform, payload: RunPayload) -> None:
    platform.enqueuer(clock=lambda: NOON).enqueue_many([fire(payload, minute) for minute in range(100)])
    row = onboarding(platform.engine)
    assert (row["agent_runs"], row["consecutive_run_days"]) == (100, 1)
    assert list(row["completed_steps"]) == list(row["rewarded_for"]) == ["RUN_AGENTS_100"]


@pytest.mark.parametrize(("credit", "granted"), [(True, [100]), (False, [])])
def test_a_milestone_is_paid_once_and_only_with_credits(
    platform: Platform, payload: RunPayload, credit: bool, granted: list[int]
) -> None:
    delivery = Delivery(platform.publisher, credit=credit)
    fires = [fire(payload, minute) for minute in range(101)]
    platform.enqueuer(delivery=delivery).enqueue_many(fires[:100])
    platform.enqueuer(delivery=delivery).enqueue_many(fires[100:])
    transaction = tables.credit_transaction.c
    with platform.engine.connect() as connection:
        grants = connection.execute(select(transaction.amount, transaction.type, transaction.running_balance)).all()
        balances = connection.scalars(select(tables.user_balance.c.balance)).all()
    assert [tuple(grant) for grant in grants] == [(amount, "GRANT", amount) for amount in granted]
    assert list(balances) == granted


def test_a_reward_paid_by_the_platform_is_not_paid_again(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        user_id = builders.make_user(connection)
        count_runs(connection, {user_id: 100}, NOON, credit=True)
        connection.execute(update(tables.user_onboarding).values(completed_steps=[], rewarded_for=[]))
        count_runs(connection, {user_id: 1}, NOON, credit=True)
        assert connection.scalar(select(tables.user_balance.c.balance)) == 100


@on_postgresql
def test_a_fault_in_counting_does_not_fail_the_run(platform: Platform, payload: RunPayload) -> None:
    with platform.engine.begin() as connection:
        connection.exec_driver_sql('DROP TABLE platform."UserOnboarding"')
    (result,) = platform.enqueuer().enqueue_many([fire(payload)])
    assert result.outcome.reason == "Enqueued"
    assert len(platform.messages()) == 1


@on_postgresql
def test_steps_may_be_text_arrays(platform: Platform, payload: RunPayload) -> None:
    columns = ("completedSteps", "rewardedFor", "notified")
    with platform.engine.begin() as connection:
        for column in columns:
            connection.exec_driver_sql(
                f'ALTER TABLE platform."UserOnboarding" ALTER "{column}" DROP DEFAULT,'
                f' ALTER "{column}" TYPE text[] USING "{column}"::text[], ALTER "{column}" SET DEFAULT \'{{}}\''
            )
    platform.enqueuer().enqueue_many([fire(payload, minute) for minute in range(100)])
    assert onboarding(platform.engine)["completed_steps"] == ["RUN_AGENTS_100"]
