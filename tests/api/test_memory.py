"""Answers that are kept for a moment, and for longer while nobody can be asked; and paces of callers."""

from __future__ import annotations

import pytest
from graphschedule_api.auth import memory
from graphschedule_api.auth.memory import Memory
from graphschedule_api.errors import UnavailableError
from graphschedule_api.limits import Pace


class Source:
    """Counts who asks it."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def __call__(self) -> int:
        if self.away:
            raise UnavailableError("away")
        self.asked += 1
        return self.asked


async def test_an_answer_is_asked_for_once_while_it_is_fresh() -> None:
    source, known = Source(), Memory[int](fresh_seconds=60, stale_seconds=60)
    assert [await known.get("a", source) for _ in range(3)] == [1, 1, 1]
    assert await known.get("b", source) == 2


async def test_a_stale_answer_stands_only_while_nobody_can_be_asked() -> None:
    source, known = Source(), Memory[int](fresh_seconds=0, stale_seconds=60)
    assert [await known.get("a", source) for _ in range(2)] == [1, 2]
    source.away = True
    assert await known.get("a", source) == 2
    with pytest.raises(UnavailableError):
        await known.get("b", source)
    source.away = False
    assert await known.get("a", source) == 3


async def test_an_answer_that_is_too_old_stands_no_more() -> None:
    source, known = Source(), Memory[int](fresh_seconds=0, stale_seconds=0)
    await known.get("a", source)
    source.away = True
    with pytest.raises(UnavailableError):
        await known.get("a", source)


async def test_the_oldest_answers_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "LARGEST", 2)
    source, known = Source(), Memory[int](fresh_seconds=60, stale_seconds=60)
    for question in "abca":
        await known.get(question, source)
    assert source.asked == 4


def test_a_bucket_is_empty_after_a_burst_and_tells_when_it_has_a_token_again() -> None:
    pace = Pace(rate=0.5, burst=3)
    assert [pace.take("a") for _ in range(3)] == [0, 0, 0]
    assert 1.5 < pace.take("a") <= 2
    assert pace.take("b") == 0


def test_a_bucket_fills_again() -> None:
    pace = Pace(rate=1e12, burst=1)
    assert all(pace.take("a") == 0 for _ in range(1000))
