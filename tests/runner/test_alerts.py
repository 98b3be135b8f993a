"""Alerts get through to real HTTP peers, are not repeated, and keep their ways secret."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_platform.errors import DependencyError
from graphschedule_runner import alerts
from graphschedule_runner.alert_channels import LONGEST_MESSAGE, Channel
from graphschedule_runner.alerts import Alert

from tests.runner.tasks.contexts import NOW, context, notification_service
from tests.support.json_peer import Answer, JsonPeer, json_peer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphschedule_runner.tasks.task import TaskContext
    from sqlalchemy import Engine

    from tests.runner.tasks.contexts import Environment

TASK = "a-task"
SECRET = "9b3f-token"
DOWN = Answer({"type": "RuntimeError", "args": ["no bot"], "extras": None}, 500)


@pytest.fixture
def peer() -> Iterator[JsonPeer]:
    with json_peer() as running:
        yield running


def url(peer: JsonPeer) -> str:
    """Return a notification URL that leads to a peer, with secrets in all its parts."""
    return f"json://user:{SECRET}@127.0.0.1:{peer.port}/{SECRET}?+x-key={SECRET}"


def at(engine: Engine, environment: Environment, after: timedelta = timedelta()) -> TaskContext:
    """Return the context of a run some time later."""
    return context(engine, environment | {"ALERT_REMINDER_SECS": 3600}, now=NOW + after)


def alert(*facts: str, key: str = "it", content: str = "Something is wrong") -> Alert:
    return Alert(key, frozenset(facts), content)


def test_the_platforms_service_is_asked_to_alert_on_a_channel(platform_db: Engine, peer: JsonPeer) -> None:
    run = at(platform_db, notification_service(peer))
    assert alerts.tell(run, TASK, [alert("a")]) == 1
    alerts.report(run, "All is well", Channel.PRODUCT)
    assert peer.asked == [
        ("/discord_system_alert", {"content": "Something is wrong", "channel": "platform"}),
        ("/discord_system_alert", {"content": "All is well", "channel": "product"}),
    ]


def test_a_message_longer_than_discord_takes_is_cut(platform_db: Engine, peer: JsonPeer) -> None:
    for length in (LONGEST_MESSAGE, LONGEST_MESSAGE + 1):
        alerts.report(at(platform_db, notification_service(peer)), "x" * length)
    whole, cut = (body["content"] for _, body in peer.asked)
    assert whole == "x" * LONGEST_MESSAGE
    assert len(cut) == LONGEST_MESSAGE
    assert cut.endswith("x\n… the rest is in the task's result")


def test_any_url_of_the_library_is_told_and_each_channel_has_its_own(platform_db: Engine, peer: JsonPeer) -> None:
    with json_peer() as other:
        run = at(platform_db, {"PLATFORM_ALERT_URLS": url(peer), "PRODUCT_ALERT_URLS": url(other)})
        alerts.report(run, "For operators", Channel.PLATFORM)
        alerts.report(run, "For authors", Channel.PRODUCT)
        assert [body["message"] for _, body in peer.asked] == ["For operators"]
        assert [body["message"] for _, body in other.asked] == ["For authors"]
    assert peer.calls[0].path == f"/{SECRET}"
    assert peer.calls[0].headers["x-key"] == SECRET


def test_without_urls_of_its_own_the_product_channel_uses_the_other_ones(platform_db: Engine, peer: JsonPeer) -> None:
    alerts.report(at(platform_db, {"PLATFORM_ALERT_URLS": url(peer)}), "For authors", Channel.PRODUCT)
    assert [body["message"] for _, body in peer.asked] == ["For authors"]


def test_where_no_way_is_configured_the_log_has_it(platform_db: Engine, caplog: pytest.LogCaptureFixture) -> None:
    assert alerts.tell(at(platform_db, {}), TASK, [alert("a")]) == 1
    assert alerts.tell(at(platform_db, {}), TASK, [alert("a")]) == 0
    assert caplog.messages == ["Something is wrong"]


def test_a_problem_is_told_at_first_sight_when_it_changes_and_after_a_time(platform_db: Engine, peer: JsonPeer) -> None:
    minutes, told = [0, 5, 10, 15, 69, 70], []
    facts = [("a",), ("a",), ("a", "b"), ("b",), ("b",), ("b",)]
    for minute, present in zip(minutes, facts, strict=True):
        run = at(platform_db, notification_service(peer), timedelta(minutes=minute))
        told.append(alerts.tell(run, TASK, [alert(*present)]))
    assert told == [1, 0, 1, 0, 0, 1]
    assert len(peer.calls) == 3


def test_a_problem_that_comes_back_is_told_at_once(platform_db: Engine, peer: JsonPeer) -> None:
    present = [[alert("a")], [], [alert("a")]]
    run = at(platform_db, notification_service(peer))
    assert [alerts.tell(run, TASK, found) for found in present] == [1, 0, 1]


def test_each_problem_of_each_task_is_remembered_by_itself(platform_db: Engine, peer: JsonPeer) -> None:
    run = at(platform_db, notification_service(peer))
    assert alerts.tell(run, TASK, [alert("a", key="one")]) == 1
    assert alerts.tell(run, TASK, [alert("a", key="one"), alert("a", key="two")]) == 1
    assert alerts.tell(run, "other-task", [alert("a", key="one")]) == 1
    assert alerts.tell(run, TASK, [alert("a", key="one"), alert("a", key="two")]) == 0


def test_what_did_not_get_through_is_told_by_the_next_run(platform_db: Engine, peer: JsonPeer) -> None:
    run = at(platform_db, notification_service(peer))
    found = [alert("a", key="one"), alert("a", key="two", content="Another thing")]
    peer.answer = lambda call: DOWN if call.body["content"] == "Another thing" else Answer()
    with pytest.raises(DependencyError, match=r"notification service at 127\.0\.0\.1:\d+ failed: 500 .*no bot"):
        alerts.tell(run, TASK, found)
    peer.answer = lambda _: Answer()
    assert alerts.tell(run, TASK, found) == 1
    assert [body["content"] for _, body in peer.asked] == ["Something is wrong", "Another thing", "Another thing"]


def test_what_one_way_took_is_not_repeated_though_another_way_failed(platform_db: Engine, peer: JsonPeer) -> None:
    with json_peer() as down:
        down.answer = lambda _: Answer(status=503)
        run = at(platform_db, notification_service(peer) | {"PLATFORM_ALERT_URLS": url(down)})
        with pytest.raises(DependencyError, match=r"number 1 of PLATFORM_ALERT_URLS \(JSON\)"):
            alerts.tell(run, TASK, [alert("a")])
        assert alerts.tell(run, TASK, [alert("a")]) == 0
        assert len(peer.calls) == len(down.calls) == 1


def test_of_several_urls_the_one_that_failed_is_named_but_never_shown(
    platform_db: Engine, peer: JsonPeer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "graphschedule_runner")
    nowhere = replace(peer, port=1)
    run = at(platform_db, {"PLATFORM_ALERT_URLS": f"{url(peer)} {url(nowhere)}"})
    with pytest.raises(DependencyError) as raised:
        alerts.tell(run, TASK, [alert("a")])
    assert str(raised.value) == "number 2 of PLATFORM_ALERT_URLS (JSON) did not take an alert"
    assert SECRET not in caplog.text
    assert SECRET not in repr(run)


@pytest.mark.parametrize("setting", ["PLATFORM_ALERT_URLS", "PRODUCT_ALERT_URLS"])
@pytest.mark.parametrize("bad", [f"nothing://{SECRET}", f"discord://{SECRET}", SECRET])
def test_a_url_that_cannot_be_used_is_refused_before_there_is_a_problem(
    platform_db: Engine, setting: str, bad: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    channel = Channel.PLATFORM if setting.startswith("PLATFORM") else Channel.PRODUCT
    with pytest.raises(InvalidValueError, match="correct number 1") as raised:
        alerts.tell(at(platform_db, {setting: bad}), TASK, [], channel)
    assert str(raised.value).startswith(f"{setting}: ")
    assert SECRET not in str(raised.value) + caplog.text + "".join(capfd.readouterr())
