"""Which of its group's shards a schedule is a member of. Pure, and stable: nobody moves for another's sake."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


class Load(NamedTuple):
    """How many members a shard has, and the bytes they take; or how many it may have, at most."""

    members: int
    bytes: int


def place(weight: int, others: Mapping[int, Load], present: Collection[int], limit: Load) -> int:
    """Return the index of the shard for a member that takes `weight` bytes.

    `others` are the loads of the group's shards without it, `present` the shards where it is and not too many are. It
    stays where it fits; else it goes to the fullest shard that has room for it, so that the others run empty, or to a
    new one.
    """
    room = {
        index: load
        for index, load in others.items()
        if (index in present or load.members < limit.members) and load.bytes + weight <= limit.bytes
    }
    candidates = room.keys() & set(present) or room.keys()
    if candidates:
        return max(candidates, key=lambda index: (room[index], -index))
    return next(index for index in count() if index not in others)
