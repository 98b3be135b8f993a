"""The task that alerts on blocks that fail too often."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.block_stats import BlockStats
from graphschedule_platform.errors import DependencyError
from graphschedule_runner.tasks.report_block_error_rates import alert, facts, over_threshold, run, summary

from tests.runner.tasks.contexts import NOW, Environment, context, notification_service
from tests.support import builders
from tests.support.json_peer import Answer, JsonPeer, json_peer
from tests.support.node_executions import make_node, make_node_executions, make_output

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine

ALL_CLEAR = "Block Error Summary: no block failed in the last 24 hours"
MINUTE = timedelta(minutes=1)


def stats(failed: int, total: int, block_id: str = "b") -> BlockStats:
    return BlockStats(block_id, block_id.upper(), total, failed)


@pytest.mark.parametrize(
    ("failed", "total", "threshold", "over"),
    [
        (4, 10, 0.5, False),
        (5, 10, 0.5, True),
        (499, 1000, 0.5, False),
        (29, 100, 0.29, True),
        (28, 100, 0.29, False),
        (10, 10, 1.0, True),
        (0, 10, 0.0, True),
    ],
)
def test_a_block_fails_too_often_from_the_threshold_on(failed: int, total: int, threshold: float, over: bool) -> None:
    block = stats(failed, total)
    assert over_threshold([block], threshold) == ([block] if over else [])


def test_an_alert_shows_rates_and_groups_what_errors_have_in_common() -> None:
    samples = {"b": ["HTTP 429 for user 17", "HTTP 500 for user 99", "no such file: /home/jo/plan.txt"]}
    assert alert([stats(2, 3), stats(10, 10, "c")], samples).splitlines() == [
        "Block Error Rate Alert: failures in the last 24 hours",
        "B: 66.7 % (2 of 3)",
        "- 2 x * # for user #",
        "- 1 x no such file: [path]",
        "C: 100.0 % (10 of 10)",
    ]


def test_a_summary_of_nothing_is_an_all_clear() -> None:
    assert summary([], {}) == ALL_CLEAR


@pytest.mark.parametrize(
    ("before", "after", "news"),
    [
        ([stats(50, 100)], [stats(59, 100)], False),
        ([stats(50, 100)], [stats(60, 100)], True),
        ([stats(50, 100)], [stats(50, 100), stats(50, 100, "c")], True),
        ([stats(50, 100), stats(50, 100, "c")], [stats(50, 100)], False),
    ],
)
def test_another_block_and_another_tenth_are_news(
    before: list[BlockStats], after: list[BlockStats], news: bool
) -> None:
    assert bool(facts(after) - facts(before)) is news


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as running:
        yield running


def make_block(engine: Engine, name: str, failed: int, total: int, error: str = "it broke") -> None:
    """Make a block that failed that often, one minute after the other; each error says what and when."""
    with engine.begin() as connection:
        place = make_node(connection, builders.make_block(connection, name=name))
        for age in range(failed):
            (execution,) = make_node_executions(connection, place, ["FAILED"], NOW - age * MINUTE)
            make_output(connection, execution, f"{error} {'again ' * (age % 2)}", NOW)
        make_node_executions(connection, place, ["COMPLETED"] * (total - failed), NOW)


def contents(peer: JsonPeer) -> list[list[str]]:
    assert {body["channel"] for _, body in peer.asked} <= {"platform"}
    return [body["content"].splitlines() for _, body in peer.asked]


def test_blocks_over_the_threshold_are_alerted_on_with_three_samples_each(platform_db: Engine, peer: JsonPeer) -> None:
    make_block(platform_db, "Bad", 5, 10)
    make_block(platform_db, "Worse", 9, 10, "no jo@example.com")
    make_block(platform_db, "Good", 4, 10)
    make_block(platform_db, "Rare", 9, 9)
    result = run(context(platform_db, notification_service(peer)))
    assert result.text == "Alert sent for 2 blocks with high error rates"
    assert result.counts == {"blocks": 3, "failing": 2}
    assert contents(peer) == [
        [
            "Block Error Rate Alert: failures in the last 24 hours",
            "Worse: 90.0 % (9 of 10)",
            "- 2 x no [address]",
            "- 1 x no [address] again",
            "Bad: 50.0 % (5 of 10)",
            "- 2 x it broke",
            "- 1 x it broke again",
        ]
    ]


def test_below_the_threshold_the_blocks_with_most_failures_are_summed_up(platform_db: Engine, peer: JsonPeer) -> None:
    for name, failed in {"A": 1, "B": 2, "C": 3, "D": 4, "E": 0}.items():
        make_block(platform_db, name, failed, 10)
    result = run(context(platform_db, notification_service(peer)))
    assert result.text == "Sent top blocks summary"
    assert contents(peer) == [
        [
            "Block Error Summary: most failures in the last 24 hours",
            *("D: 40.0 % (4 of 10)", "- 1 x it broke", "- 1 x it broke again"),
            *("C: 30.0 % (3 of 10)", "- 1 x it broke", "- 1 x it broke again"),
            *("B: 20.0 % (2 of 10)", "- 1 x it broke", "- 1 x it broke again"),
        ]
    ]


@pytest.mark.parametrize("failed", [None, 0])
def test_a_day_without_failures_is_an_all_clear(platform_db: Engine, peer: JsonPeer, failed: int | None) -> None:
    if failed is not None:
        make_block(platform_db, "Good", failed, 10)
    assert run(context(platform_db, notification_service(peer))).text == "Sent top blocks summary"
    assert contents(peer) == [[ALL_CLEAR]]


@pytest.mark.parametrize(("count", "shown"), [(0, None), (1, 1), (2, 2)])
def test_how_many_blocks_are_summed_up_is_a_setting(
    platform_db: Engine, peer: JsonPeer, count: int, shown: int | None
) -> None:
    for name in ("A", "B", "C"):
        make_block(platform_db, name, 1, 10)
    result = run(context(platform_db, notification_service(peer) | {"BLOCK_ERROR_INCLUDE_TOP_BLOCKS": count}))
    if shown is None:
        assert (result.text, peer.calls) == ("No errors reported for today", [])
    else:
        assert [sum("%" in line for line in lines) for lines in contents(peer)] == [shown]


def test_the_same_blocks_are_told_of_again_only_after_the_reminder(platform_db: Engine, peer: JsonPeer) -> None:
    environment: Environment = notification_service(peer) | {"ALERT_REMINDER_SECS": 600}
    make_block(platform_db, "Bad", 60, 110)
    said = [run(context(platform_db, environment, now=NOW + minutes * MINUTE)).text for minutes in (0, 9, 10)]
    assert said == [
        "Alert sent for 1 blocks with high error rates",
        "1 blocks with high error rates, as told before",
        "Alert sent for 1 blocks with high error rates",
    ]
    make_block(platform_db, "Other", 60, 110)
    assert run(context(platform_db, environment, now=NOW + 11 * MINUTE)).text == (
        "Alert sent for 2 blocks with high error rates"
    )


def test_blocks_that_recovered_and_fail_again_are_told_of_at_once(platform_db: Engine, peer: JsonPeer) -> None:
    environment = notification_service(peer)
    make_block(platform_db, "Bad", 10, 10)
    strict, lenient = environment, environment | {"BLOCK_ERROR_RATE_THRESHOLD": 1, "BLOCK_ERROR_INCLUDE_TOP_BLOCKS": 0}
    make_block(platform_db, "Half", 5, 10)
    assert run(context(platform_db, strict)).counts["failing"] == 2
    assert run(context(platform_db, lenient)).counts["failing"] == 1
    assert run(context(platform_db, strict, now=NOW + timedelta(days=2))).text == "Sent top blocks summary"
    assert run(context(platform_db, strict)).text == "Alert sent for 2 blocks with high error rates"


def test_a_service_that_is_down_fails_the_run_by_name_and_the_next_run_tells(
    platform_db: Engine, peer: JsonPeer
) -> None:
    make_block(platform_db, "Bad", 10, 10)
    peer.answer = lambda _: Answer({"type": "RuntimeError", "args": ["no bot"]}, 500)
    with pytest.raises(DependencyError, match="notification service"):
        run(context(platform_db, notification_service(peer)))
    peer.answer = lambda _: Answer()
    result = run(context(platform_db, notification_service(peer)))
    assert result.text == "Alert sent for 1 blocks with high error rates"
