"""The heartbeat: whom a run calls after its outcome, and that nothing depends on the answer."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from graphschedule.outcomes import Outcome, SlotState
from graphschedule_runner import heartbeat

from tests.runner.commands import SLOT, command, environment_of, refused, run, written
from tests.runner.monitor import SECRET, Monitor, monitor
from tests.support import builders
from tests.support.platforms import fire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from graphschedule.payload import RunPayload

    from tests.support.platforms import Platform

SUCCESS, FAILURE = f"/{SECRET}/?token={SECRET}", f"/{SECRET}/fail?token={SECRET}"
NOWHERE = f"http://127.0.0.1:1/{SECRET}"
on_sqlite = pytest.mark.parametrize("platform_url", ["sqlite"], indirect=True)


@pytest.fixture
def watch() -> Iterator[Monitor]:
    with monitor() as running:
        yield running


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeat, "PAUSES", (0.0, 0.01, 0.01))


def stay() -> bool:
    return False


def execute(platform: Platform, payload: RunPayload, url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = written(payload._replace(heartbeat_url=url), folder)
    return run(environment_of(platform), "execute", "--payload", file, "--slot", SLOT)


def test_a_monitor_is_called_once_when_the_slot_is_enqueued_for_everyone_to_see(
    platform: Platform, payload: RunPayload, watch: Monitor, tmp_path: Path
) -> None:
    seen = []

    def look() -> int:
        seen.append(platform.slots()[fire(payload).id].state)
        return 200

    watch.answer = look
    done = execute(platform, payload, watch.url, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (watch.calls, seen) == ([SUCCESS], [SlotState.ENQUEUED])
    assert SECRET not in done.stdout + done.stderr


@on_sqlite
def test_a_repeated_slot_is_told_again_for_the_first_pod_may_have_died_before_it_could(
    platform: Platform, payload: RunPayload, watch: Monitor, tmp_path: Path
) -> None:
    for _ in range(2):
        assert execute(platform, payload, watch.url, tmp_path).returncode == 0
    assert watch.calls == [SUCCESS, SUCCESS]


@on_sqlite
def test_a_monitor_is_told_of_a_permanent_failure(
    platform: Platform, payload: RunPayload, watch: Monitor, tmp_path: Path
) -> None:
    done = execute(platform, payload._replace(graph_id=builders.new_id()), watch.url, tmp_path)
    refused(done, 65, "GraphNotFound")
    assert watch.calls == [FAILURE]
    assert SECRET not in done.stdout + done.stderr


@on_sqlite
def test_a_monitor_that_is_down_changes_nothing_and_only_its_host_is_named(
    platform: Platform, payload: RunPayload, tmp_path: Path
) -> None:
    done = execute(platform, payload, NOWHERE, tmp_path)
    assert done.returncode == 0
    assert "no heartbeat: 127.0.0.1: " in done.stderr
    assert "Connection refused" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert platform.statuses() == {fire(payload).id: "QUEUED"}


@on_sqlite
def test_a_run_that_is_told_to_stop_does_not_try_again(
    platform: Platform, payload: RunPayload, watch: Monitor, tmp_path: Path
) -> None:
    told_to_stop = threading.Event()

    def wait() -> int:
        told_to_stop.wait(30)
        return 503

    watch.answer = wait
    file = written(payload._replace(heartbeat_url=watch.url), tmp_path)
    words = command("execute", "--payload", file, "--slot", SLOT)
    with subprocess.Popen(words, env=os.environ | environment_of(platform), stderr=subprocess.PIPE, text=True) as run:
        assert watch.called.wait(30)
        run.send_signal(signal.SIGTERM)
        told_to_stop.set()
        _, said = run.communicate(timeout=30)
    assert (run.returncode, watch.calls) == (0, [SUCCESS])
    assert "it answered 503" in said


@pytest.mark.parametrize("outcome", list(Outcome), ids=lambda outcome: outcome.reason)
def test_what_is_enqueued_succeeds_what_is_permanent_fails_and_the_rest_is_nothing_for_a_monitor(
    watch: Monitor, outcome: Outcome
) -> None:
    heartbeat.beat(watch.url, outcome, stay)
    if outcome in {Outcome.ENQUEUED, Outcome.ALREADY_ENQUEUED}:
        assert watch.calls == [SUCCESS]
    elif outcome in {Outcome.SKIPPED, Outcome.TRANSIENT}:
        assert watch.calls == []
    else:
        assert watch.calls == [FAILURE]


def test_it_is_tried_again_until_the_monitor_takes_it(watch: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    statuses = iter([500, 429, 200])
    watch.answer = lambda: next(statuses)
    heartbeat.beat(watch.url, Outcome.ENQUEUED, stay)
    assert watch.calls == [SUCCESS] * 3
    assert caplog.records == []


def test_it_is_given_up_after_three_tries_with_one_warning(watch: Monitor, caplog: pytest.LogCaptureFixture) -> None:
    watch.answer = lambda: 404
    heartbeat.beat(watch.url, Outcome.GRAPH_INVALID, stay)
    assert watch.calls == [FAILURE] * 3
    assert caplog.messages == ["no heartbeat: 127.0.0.1: it answered 404"]


def test_a_monitor_that_never_answers_holds_a_run_no_longer_than_the_time_limit(
    watch: Monitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "TIMEOUT", 0.1)
    over = threading.Event()
    watch.answer = lambda: 200 if over.wait(30) else 500
    heartbeat.beat(watch.url, Outcome.ENQUEUED, stay)
    over.set()
    assert len(watch.calls) == 3
    (message,) = caplog.messages
    assert message.startswith("no heartbeat: 127.0.0.1: ")


@pytest.mark.parametrize("url", [f"http://[{SECRET}", f"http://127.0.0.1:1/{SECRET}\x01", f"http://:x/{SECRET}"])
def test_a_url_that_cannot_be_read_is_a_warning_that_does_not_quote_it(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    heartbeat.beat(url, Outcome.ENQUEUED, stay)
    (message,) = caplog.messages
    assert message.startswith("no heartbeat")
    assert SECRET not in message


def test_many_monitors_are_told_several_at_a_time(watch: Monitor) -> None:
    together = threading.Barrier(heartbeat.AT_ONCE)

    def meet() -> int:
        together.wait(30)
        return 200

    watch.answer = meet
    heartbeat.beat_all([(watch.url, Outcome.ENQUEUED)] * 2 * heartbeat.AT_ONCE, stay)
    assert watch.calls == [SUCCESS] * 2 * heartbeat.AT_ONCE


def test_telling_many_monitors_takes_no_longer_than_there_is_patience(
    watch: Monitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(heartbeat, "PATIENCE", 0.1)
    monkeypatch.setattr(heartbeat, "AT_ONCE", 1)

    def dawdle() -> int:
        threading.Event().wait(0.05)
        return 200

    watch.answer = dawdle
    heartbeat.beat_all([(watch.url, Outcome.ENQUEUED)] * 50, stay)
    assert len(watch.calls) < 50
    assert f"no heartbeat for {50 - len(watch.calls)} slots" in caplog.text


def test_no_monitor_is_told_once_the_run_has_to_stop(watch: Monitor) -> None:
    heartbeat.beat_all([(watch.url, Outcome.ENQUEUED)] * 3, lambda: True)
    assert watch.calls == []
