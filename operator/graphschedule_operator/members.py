"""Who is to be in one shard, and who is: the memory of `graphschedule_operator.shards`."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from graphschedule_operator.packing import Load

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from graphschedule_operator.cache import Key
    from graphschedule_operator.shard import Group


class Member(NamedTuple):
    """What a shard holds of a schedule, and the bytes that this takes, at most."""

    line: str
    weight: int


class Pace(NamedTuple):
    """How long changes are gathered, in seconds: until it is quiet for so long, at most so long altogether."""

    quiet: float
    limit: float


class Members:
    """The members of one shard; all times are seconds of the running loop's clock.

    After a start it is known who is a member, by the schedules' statuses, but not with what: Secrets cannot be read.
    What is applied is known when the first set that is known altogether was compared with what the CronJob names.
    """

    def __init__(self) -> None:
        self.group: Group | None = None
        self.changes = 0
        """Counts the changes of the set: equal numbers mean equal sets."""
        self._wanted: dict[Key, Member | None] = {}
        self._unknown: set[Key] = set()
        self._bytes = 0
        self._applied: Mapping[Key, Member] | None = None
        self._first: float | None = None
        self._last = 0.0

    def __len__(self) -> int:
        return len(self._wanted)

    def __contains__(self, key: Key) -> bool:
        return key in self._wanted

    @property
    def is_known(self) -> bool:
        """Whether the set can be put together: with the times, and of everybody who is to be in it."""
        return not self._unknown and (self.group is not None or not self._wanted)

    def remember(self, key: Key) -> None:
        """Take that a schedule was a member before the start."""
        self._wanted[key] = None
        self._unknown.add(key)

    def is_unknown(self, key: Key) -> bool:
        """Tell whether a schedule is a member of which it is not known with what."""
        return key in self._unknown

    def put(self, key: Key, member: Member, now: float) -> bool:
        """Have a schedule be a member; return whether that is a change."""
        known = self._wanted.get(key)
        if known == member:
            return False
        self._wanted[key] = member
        self._unknown.discard(key)
        self._bytes += member.weight - (known.weight if known else 0)
        self._changed(now)
        return True

    def drop(self, key: Key, now: float) -> None:
        """Have a schedule be no member."""
        known = self._wanted.pop(key)
        self._unknown.discard(key)
        self._bytes -= known.weight if known else 0
        self._changed(now)

    def keeps(self, key: Key, limit: int) -> bool:
        """Tell whether a schedule is one of the first so many members: others are too many, where the limit was cut."""
        return key in self._wanted and (len(self._wanted) <= limit or key in islice(self._wanted, limit))

    def others(self, key: Key) -> Load:
        """Return the load without a schedule."""
        own = self._wanted.get(key)
        return Load(len(self._wanted) - (key in self._wanted), self._bytes - (own.weight if own else 0))

    def applied(self, key: Key) -> Member | None:
        """Return what is applied of a schedule, as far as it is known."""
        return self._applied.get(key) if self._applied else None

    @property
    def is_applied_known(self) -> bool:
        """Whether it is known what is applied."""
        return self._applied is not None

    def wanted(self) -> Mapping[Key, Member]:
        """Return the set as it now is to be, all of whose members are known; what changes later is gathered anew."""
        self._first = None
        return {key: member for key, member in self._wanted.items() if member is not None}

    def apply(self, members: Mapping[Key, Member]) -> Collection[Key]:
        """Take that a set is applied; return the schedules for which that is news."""
        before, self._applied = self._applied or {}, members
        return [key for key in before.keys() | members.keys() if before.get(key) != members.get(key)]

    def waiting(self) -> Collection[Key]:
        """Return the schedules of which something else is applied than they are to be."""
        return [key for key, member in self._wanted.items() if self.applied(key) != member]

    def rest(self, now: float, pace: Pace) -> float:
        """Return for how long changes are still to be gathered."""
        if self._first is None:
            return 0.0
        return max(min(self._last + pace.quiet, self._first + pace.limit) - now, 0.0)

    def _changed(self, now: float) -> None:
        self.changes += 1
        self._last = now
        self._first = now if self._first is None else self._first
