"""The cache: news in any order, and what it concerns."""

from __future__ import annotations

from typing import Any

import pytest
from graphschedule_operator.cache import Cache, Key, key_of, owning_schedule


def schedule(name: str, version: int, **members: object) -> dict[str, Any]:
    metadata = {"namespace": "team", "name": name, "resourceVersion": str(version), "generation": 1}
    return {"metadata": metadata, **members}


def cronjob(name: str, version: int, owner: str | None, kind: str = "GraphSchedule") -> dict[str, Any]:
    made = schedule(name, version)
    if owner:
        reference = {"apiVersion": "graphschedule.io/v1", "kind": kind, "name": owner, "uid": "u", "controller": True}
        made["metadata"]["ownerReferences"] = [reference]
    return made


@pytest.fixture
def cache() -> Cache:
    return Cache(key_of)


A, B = Key("team", "a"), Key("team", "b")


def test_an_object_is_given_back_without_the_bookkeeping_of_its_writers(cache: Cache) -> None:
    obj = schedule("a", 1, spec={"cron": "* * * * *"})
    obj["metadata"]["managedFields"] = [{"manager": "kubectl"}]
    cache.put(obj)
    assert cache.get(A) == schedule("a", 1, spec={"cron": "* * * * *"})
    assert cache.get(B) is None


def test_newer_versions_concern_their_schedule_and_known_ones_nobody(cache: Cache) -> None:
    assert cache.put(schedule("a", 5)) == {A}
    assert cache.put(schedule("a", 5)) == set()
    assert cache.put(schedule("a", 4)) == set()
    assert cache.put(schedule("a", 10)) == {A}


def test_a_deletion_concerns_its_schedule(cache: Cache) -> None:
    cache.put(schedule("a", 5))
    assert cache.remove(schedule("a", 6)) == {A}
    assert cache.get(A) is None
    assert cache.remove(schedule("a", 6)) == set()


def test_old_news_neither_revives_nor_deletes_an_object(cache: Cache) -> None:
    cache.put(schedule("a", 5))
    cache.remove(schedule("a", 6))
    assert cache.put(schedule("a", 5)) == set()
    assert cache.put(schedule("a", 8)) == {A}
    assert cache.remove(schedule("a", 6)) == set()
    assert cache.get(A) is not None


def test_a_forgotten_object_comes_back_only_in_a_newer_version(cache: Cache) -> None:
    cache.put(schedule("a", 5))
    cache.forget(A)
    assert cache.get(A) is None
    assert cache.put(schedule("a", 5)) == set()
    assert cache.put(schedule("a", 6)) == {A}


def test_a_list_finds_what_vanished_what_came_and_what_changed(cache: Cache) -> None:
    cache.put(schedule("gone", 1))
    cache.put(schedule("same", 2))
    cache.put(schedule("changed", 3))
    found = set[Key]()
    for item in (schedule("same", 2), schedule("changed", 7), schedule("new", 8)):
        found |= cache.put(item)
    found |= cache.prune({Key("team", name) for name in ("same", "changed", "new")}, 9)
    assert {key.name for key in found} == {"gone", "changed", "new"}
    assert cache.get(Key("team", "gone")) is None


def test_a_list_does_not_prune_what_came_after_it(cache: Cache) -> None:
    cache.put(schedule("later", 11))
    assert cache.prune(set(), 10) == set()
    assert cache.get(Key("team", "later")) is not None


def test_a_list_does_not_revive_what_was_deleted_while_it_was_read(cache: Cache) -> None:
    cache.put(schedule("a", 5))
    cache.remove(schedule("a", 12))
    assert cache.put(schedule("a", 5)) == set()
    assert cache.prune({A}, 10) == set()
    assert cache.put(schedule("a", 5)) == set()
    assert cache.get(A) is None


def test_a_cronjob_concerns_the_schedule_that_controls_it() -> None:
    cache = Cache(owning_schedule)
    assert cache.put(cronjob("x", 1, "a")) == {A}
    assert cache.put(cronjob("x", 2, "b")) == {A, B}
    assert cache.put(cronjob("x", 3, None)) == {B}
    assert cache.put(cronjob("x", 4, "a", kind="Rollout")) == set()
    assert cache.remove(cronjob("x", 5, None)) == set()
