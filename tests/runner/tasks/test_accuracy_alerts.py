"""The task that alerts on agents whose accuracy drops."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule_platform.accuracy import DailyScores
from graphschedule_platform.errors import DependencyError
from graphschedule_runner.tasks.report_execution_accuracy_alerts import Drop, alert, drop, run

from tests.runner.tasks.contexts import NOW, context, notification_service
from tests.support.json_peer import Answer, JsonPeer, json_peer
from tests.support.store import publish, run_agent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Engine

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("scores", "found"),
    [
        ([], None),
        ([None], None),
        ([0.0] * 7, None),
        ([90.0] * 7 + [None] * 3, None),
        ([50.0], Drop(50, 50, 0)),
        ([90.0, 60.0], Drop(75, 75, 0)),
        ([100.0] * 4 + [50.0] * 3, Drop(50, 550 / 7, 36.363636)),
        ([100.0] * 30 + [30.0], Drop(230 / 3, 90, 14.814815)),
        ([100.0] * 6 + [None, None, 30.0], Drop(30, 86, 65.116279)),
        ([20.0] * 4 + [90.0] * 3, Drop(90, 50, -80)),
    ],
)
def test_a_drop_is_how_far_the_averages_of_three_and_seven_days_are_apart(
    scores: Sequence[float | None], found: Drop | None
) -> None:
    assert drop(scores) == (found and pytest.approx(found))


def test_what_floats_add_does_not_decide() -> None:
    scores = [0.1075] * 4 + [0.09] * 3
    found = drop(scores)
    assert found is not None
    assert (found.middle - found.short) / found.middle * 100 < 10
    assert found.percent == 10


def test_an_alert_says_how_far_and_from_where_and_masks_the_agents_name() -> None:
    made = alert(DailyScores("g", "Ask jo@example.com", (100.0,) * 11 + (50.0,) * 3), Drop(50, 78.57, 36.36))
    assert made.key == "g"
    assert made.content.splitlines() == [
        "Accuracy Drop Alert: Ask [address] lost 36.4 %",
        "Mean of the last 3 days with executions 50.0 %, of 7 78.6 %, of 14 89.3 %",
    ]


@pytest.mark.parametrize(("percent", "news"), [(10.0, False), (19.9, False), (20.0, True), (36.0, True)])
def test_another_tenth_is_news(percent: float, news: bool) -> None:
    before, after = (alert(DailyScores("g", "A", (50.0,)), Drop(0, 0, drop)).facts for drop in (12.0, percent))
    assert bool(after - before) is news


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as running:
        yield running


def offer(engine: Engine, name: str, before: float, lately: float, *, gap: timedelta = timedelta()) -> None:
    """Offer an agent that did like this for four days and then, after a gap, like that for three."""
    with engine.begin() as connection:
        graph = publish(connection, name)
        for days in range(7):
            score, pause = (lately, timedelta()) if days < 3 else (before, gap)
            run_agent(connection, graph, [score] * 2, NOW - days * DAY - pause)


def told(peer: JsonPeer) -> list[str]:
    """Return the first lines of what the product channel was told."""
    assert {body["channel"] for _, body in peer.asked} <= {"product"}
    return [body["content"].splitlines()[0] for _, body in peer.asked]


def test_steady_agents_are_not_alerted_on(platform_db: Engine, peer: JsonPeer) -> None:
    offer(platform_db, "Steady", 0.9, 0.9)
    offer(platform_db, "Slightly worse", 0.967, 0.81)
    result = run(context(platform_db, notification_service(peer)))
    assert result.text == "No accuracy alerts detected"
    assert result.counts == {"agents": 2, "drops": 0, "told": 0}
    assert peer.calls == []


def test_each_agent_that_lost_ten_percent_has_an_alert(platform_db: Engine, peer: JsonPeer) -> None:
    offer(platform_db, "Just", 0.9675, 0.81)
    offer(platform_db, "Far", 1.0, 0.5, gap=10 * DAY)
    offer(platform_db, "Better", 0.5, 1.0)
    result = run(context(platform_db, notification_service(peer)))
    assert result.text == "Alert sent for 2 agents with accuracy drops"
    assert result.counts == {"agents": 3, "drops": 2, "told": 2}
    assert told(peer) == ["Accuracy Drop Alert: Far lost 36.4 %", "Accuracy Drop Alert: Just lost 10.0 %"]


def test_an_agent_is_told_of_again_only_after_the_reminder(platform_db: Engine, peer: JsonPeer) -> None:
    environment = notification_service(peer) | {"ALERT_REMINDER_SECS": 3600}
    offer(platform_db, "Far", 1.0, 0.5)
    said = [
        run(context(platform_db, environment, now=NOW + timedelta(seconds=seconds))).text for seconds in (0, 3599, 3600)
    ]
    assert said == [
        "Alert sent for 1 agents with accuracy drops",
        "1 agents with accuracy drops, as told before",
        "Alert sent for 1 agents with accuracy drops",
    ]
    assert len(peer.calls) == 2


def test_an_alert_that_does_not_get_through_fails_the_run_and_is_told_by_the_next(
    platform_db: Engine, peer: JsonPeer
) -> None:
    offer(platform_db, "Far", 1.0, 0.5)
    offer(platform_db, "Further", 1.0, 0.4)
    peer.answer = lambda call: Answer(status=500 if "Further" in call.body["content"] else 200)
    with pytest.raises(DependencyError, match="notification service"):
        run(context(platform_db, notification_service(peer)))
    peer.answer = lambda _: Answer()
    result = run(context(platform_db, notification_service(peer)))
    assert result.text == "Alert sent for 1 agents with accuracy drops"
    assert told(peer)[-1] == "Accuracy Drop Alert: Further lost 46.2 %"
