"""Who is packed into which shard: limits hold, and nobody moves for another's sake, whatever comes and goes."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule_operator.cache import Cache, Key, key_of
from graphschedule_operator.desired import accept
from graphschedule_operator.membership import Membership
from graphschedule_operator.packing import Load, place
from hypothesis import given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphschedule_operator.cache import Shard

LIMIT = Load(members=3, bytes=1000)
NOW = datetime(2026, 5, 4, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("weight", "others", "present", "index"),
    [
        pytest.param(1, {}, [], 0, id="the first of its group"),
        pytest.param(1, {0: Load(1, 10), 1: Load(2, 20)}, [], 1, id="the fullest is filled first"),
        pytest.param(1, {0: Load(3, 30), 1: Load(0, 0)}, [], 1, id="full"),
        pytest.param(1, {0: Load(3, 30), 2: Load(3, 30)}, [], 1, id="all are full"),
        pytest.param(100, {0: Load(1, 950), 1: Load(0, 0)}, [], 1, id="no room for so much"),
        pytest.param(1, {0: Load(0, 0), 1: Load(2, 20)}, [0], 0, id="it stays"),
        pytest.param(1, {0: Load(9, 90), 1: Load(1, 10)}, [0], 0, id="it stays, though the limit was cut"),
        pytest.param(100, {0: Load(1, 950), 1: Load(1, 10)}, [0], 1, id="it has grown too large to stay"),
        pytest.param(1, {0: Load(1, 10), 1: Load(1, 10)}, [], 0, id="of equals the first"),
        pytest.param(5000, {0: Load(0, 0)}, [], 1, id="larger than any shard, it gets one alone"),
    ],
)
def test_a_member_goes_where_it_is_or_to_the_fullest_shard_with_room(
    weight: int, others: Mapping[int, Load], present: list[int], index: int
) -> None:
    assert place(weight, others, present, LIMIT) == index


class Model:
    """A membership under test, and who was packed where."""

    def __init__(self, limit: Load = LIMIT) -> None:
        self.membership = Membership(limit)
        self.homes: dict[Key, Shard] = {}
        self.schedules: dict[Key, dict[str, Any]] = {}

    def enter(self, number: int, size: int) -> None:
        schedule = make_member(number, size)
        key = key_of(schedule)
        home = self.membership.enter(schedule, accept(schedule, NOW), 0.0).home
        self.membership.leave(key, self.membership.places(key) - {home}, 0.0)
        self.homes[key], self.schedules[key] = home, schedule

    def leave(self, number: int) -> None:
        key = key_of(make_member(number, 0))
        self.membership.leave(key, self.membership.places(key), 0.0)
        del self.homes[key], self.schedules[key]

    def restarted(self, limit: Load = LIMIT) -> Model:
        """Return the model as it is after a restart, when all schedules were looked at and none was written."""
        after = Model(limit)
        cache = Cache(key_of)
        for key, schedule in self.schedules.items():
            cache.put({**schedule, "status": {"cronJobName": self.homes[key].name}})
        after.membership.remember(cache)
        for schedule in self.schedules.values():
            entry = after.membership.enter(schedule, accept(schedule, NOW), 0.0)
            after.homes[key_of(schedule)] = entry.home
        return after


CHANGES = st.lists(st.tuples(st.integers(0, 8), st.sampled_from([0, 10, 10, 400])), max_size=40)


@settings(deadline=None)
@given(changes=CHANGES)
def test_whatever_comes_and_goes_each_change_moves_nobody_else_and_no_limit_is_passed(
    changes: list[tuple[int, int]],
) -> None:
    model = Model()
    for number, size in changes:
        key = Key("team", f"member-{number}")
        before = {other: home for other, home in model.homes.items() if other != key}
        if size:
            model.enter(number, size)
        elif key in model.homes:
            model.leave(number)
        assert {other: home for other, home in model.homes.items() if other != key} == before
        for home in {*model.homes.values()}:
            inside = {other for other in model.homes if other in model.membership.of(home)}
            assert inside == {other for other, its in model.homes.items() if its == home}
            assert len(inside) <= LIMIT.members
            assert model.membership.of(home).others(Key("team", "nobody")).bytes <= LIMIT.bytes
    assert model.restarted().homes == model.homes


def test_where_the_limit_was_cut_only_those_move_who_are_too_many() -> None:
    model = Model()
    for number in range(7):
        model.enter(number, 10)
    after = model.restarted(Load(members=2, bytes=1000))
    moved = [key for key, home in after.homes.items() if home != model.homes[key]]
    assert len(moved) == 2
    assert max(Counter(after.homes.values()).values()) == 2
    grown = Load(members=5, bytes=1000)
    assert model.restarted(grown).homes == model.homes


def make_member(number: int, size: int) -> dict[str, Any]:
    """Return a schedule whose payload takes about so many bytes more than the smallest, and does not compress."""
    return {
        "metadata": {
            "name": f"member-{number}",
            "namespace": "team",
            "uid": f"6a9f6a2e-0000-4000-8000-{number:012d}",
            "resourceVersion": "10",
            "generation": 1,
            "creationTimestamp": "2026-05-04T07:00:00Z",
        },
        "spec": {
            "graph": {"id": "g"},
            "userId": "u",
            "cron": "0 9 * * *",
            "timeZone": "Etc/UTC",
            "inputs": {"text": random.Random(number).randbytes(size).hex()},
            "dispatch": "Grouped",
        },
    }
