"""How the bench of nine o'clock judges what it finds."""

from __future__ import annotations

import math

import pytest

from bench.nine_o_clock.depth import Curve
from bench.nine_o_clock.judgement import Verdict, judge

DUE = {"a": {"topic": 1}, "b": {"topic": 2}}


def test_exactly_what_was_due_is_no_fault() -> None:
    assert judge(DUE, DUE, ["b", "a"]) == Verdict(lost=0, doubled=0, stale=0, sent_again=0)


@pytest.mark.parametrize(
    ("queued", "messages"), [({"a": DUE["a"]}, ["a", "b"]), (DUE, ["a"])], ids=["without a row", "without a message"]
)
def test_what_lacks_its_row_or_its_message_is_lost(queued: dict[str, object], messages: list[str]) -> None:
    assert judge(DUE, queued, messages).lost == 1


def test_an_execution_that_was_not_due_is_one_too_many() -> None:
    assert judge(DUE, DUE | {"c": {}}, ["a", "b", "d"]).doubled == 2


def test_inputs_of_before_an_edit_are_stale() -> None:
    assert judge(DUE, DUE | {"b": {"topic": 1}}, ["a", "b"]).stale == 1


def test_a_second_message_of_an_execution_is_counted_apart() -> None:
    assert judge(DUE, DUE, ["a", "b", "a"]) == Verdict(lost=0, doubled=0, stale=0, sent_again=1)


def test_the_depth_of_the_queue_tells_how_late_a_share_of_the_schedules_was() -> None:
    curve = Curve([(1.0, 0), (2.0, 50), (3.0, 99)])
    assert (curve.lateness(50, 100), curve.lateness(99, 100), curve.lateness(100, 100)) == (2.0, 3.0, math.inf)
