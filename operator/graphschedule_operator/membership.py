"""Which schedules are members of which shards, as they are to be and as they are. Nothing is written here."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from graphschedule import shards

from graphschedule_operator import packing, shard
from graphschedule_operator.cache import Key, Shard, key_of
from graphschedule_operator.members import Member, Members

if TYPE_CHECKING:
    from collections.abc import Set

    from graphschedule_operator.cache import Cache, Object
    from graphschedule_operator.desired import Accepted
    from graphschedule_operator.packing import Load


class Entry(NamedTuple):
    """The shard that a schedule is to be a member of, what this is to hold of it, and the shards that this changes."""

    home: Shard
    member: Member
    changed: Set[Shard]


class Membership:
    """The members of all shards; `limit` is that of each. Times are seconds of the running loop's clock."""

    def __init__(self, limit: Load) -> None:
        self._limit = limit
        self._members: dict[Shard, Members] = {}
        self._groups: defaultdict[tuple[str, str], dict[int, Shard]] = defaultdict(dict)
        self._places: dict[Key, set[Shard]] = {}

    def remember(self, schedules: Cache) -> None:
        """Take from the statuses of all schedules who was where before the start."""
        for key, schedule in schedules.items():
            place = shard.told(schedule)
            if place is not None:
                self.of(place).remember(key)
                self._places[key] = {place}

    def of(self, place: Shard) -> Members:
        """Return the members of a shard, which may be new."""
        if place not in self._members:
            self._members[place] = Members()
            group, index = shard.parts_of(place)
            self._groups[place.namespace, group][index] = place
        return self._members[place]

    def places(self, key: Key) -> Set[Shard]:
        """Return the shards that a schedule is to be a member of: while it moves, more than one."""
        return frozenset(self._places.get(key, ()))

    def enter(self, schedule: Object, accepted: Accepted, now: float) -> Entry:
        """Have a schedule be a member of the shard where it belongs.

        One that it is to leave, and of which it is not known what it holds, is to hold the same until then. Otherwise
        it could not be written, and two shards whose members change places would wait for one another for ever.
        """
        key = key_of(schedule)
        group = shard.group_of(key.namespace, accepted)
        weight = shards.weight(shard.line(accepted.run, group.shard(0), schedule))
        home = group.shard(self._index(key, group, weight))
        self.of(home).group = group
        places = self._places.setdefault(key, set())
        places.add(home)
        unknown = {place for place in places if self._members[place].is_unknown(key)}
        held = {place: Member(shard.line(accepted.run, place, schedule), weight) for place in {home} | unknown}
        changed = {place for place, member in held.items() if self._members[place].put(key, member, now)}
        return Entry(home, held[home], changed)

    def leave(self, key: Key, places: Set[Shard], now: float) -> None:
        """Have a schedule be no member of some of its shards."""
        for place in places:
            self._members[place].drop(key, now)
        self._places[key] -= places
        if not self._places[key]:
            del self._places[key]

    def forget(self, place: Shard) -> None:
        """Forget a shard that has no members and is gone."""
        del self._members[place]
        group, index = shard.parts_of(place)
        del self._groups[place.namespace, group][index]

    def _index(self, key: Key, group: shard.Group, weight: int) -> int:
        """Return the index of the shard where a schedule belongs."""
        known = {index: self._members[place] for index, place in self._groups[group.namespace, group.name].items()}
        others = {index: members.others(key) for index, members in known.items()}
        present = [index for index, members in known.items() if members.keeps(key, self._limit.members)]
        return packing.place(weight, others, present, self._limit)
