"""What the API server is known to hold, and which schedules a piece of news concerns."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from graphschedule import labels

_MARKS = frozenset({labels.SHARD_LABEL, labels.SHARD_GROUP_LABEL, labels.MEMBERS_ANNOTATION})

Object = Mapping[str, Any]
"""A Kubernetes object as its JSON."""


class Key(NamedTuple):
    """Which object of a kind."""

    namespace: str
    name: str


class Shard(Key):
    """A shard, by the key of its CronJob; it is told from schedules by its class."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class _Entry:
    version: int
    generation: int
    concerned: Key | None
    text: bytes


class Cache:
    """The objects of one kind, newest versions only.

    News comes from watches, lists and our own writes in any order, so each is taken by its resource version:
    versions of one kind are ordered (kubernetes, KEP-5504). Every method that takes news returns the keys of the
    schedules and shards that must be looked at because of it; what is known already concerns nobody, and neither does
    our own write when the watch tells of it.

    Objects rest as JSON text, about a tenth of the memory of their Python form.
    """

    def __init__(self, concerned_by: Callable[[Object], Key | None]) -> None:
        self._concerned_by = concerned_by
        self._entries: dict[Key, _Entry] = {}
        self._gone: dict[Key, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Object | None:
        """Return the object, or None."""
        entry = self._entries.get(key)
        return None if entry is None else orjson.loads(entry.text)

    def __iter__(self) -> Iterator[Key]:
        return iter(list(self._entries))

    def items(self) -> Iterator[tuple[Key, Object]]:
        """Yield the objects that there are; one that changes meanwhile is met as it then is."""
        for key in self:
            obj = self.get(key)
            if obj is not None:
                yield key, obj

    def asks_as_before(self, obj: Object) -> bool:
        """Tell whether an object's spec is the one that is known: others then changed its status or its marks."""
        known = self._entries.get(key_of(obj))
        return known is not None and known.generation == generation_of(obj)

    def put(self, obj: Object) -> Set[Key]:
        """Take an object that exists."""
        key, version = key_of(obj), version_of(obj)
        known = self._entries.get(key)
        if version <= self._gone.get(key, 0) or (known is not None and version <= known.version):
            return frozenset()
        self._entries[key] = entry = _Entry(version, generation_of(obj), self._concerned_by(obj), _compact(obj))
        return _keys(entry, known)

    def remove(self, obj: Object) -> Set[Key]:
        """Take an object that was deleted, as the watch tells of it."""
        key, version = key_of(obj), version_of(obj)
        known = self._entries.get(key)
        if known is not None and known.version > version:
            return frozenset()
        self._gone[key] = max(version, self._gone.get(key, 0))
        self._entries.pop(key, None)
        return _keys(known)

    def forget(self, key: Key) -> None:
        """Take that an object is gone, whichever version it had: the API server was asked for it."""
        known = self._entries.pop(key, None)
        if known is not None:
            self._gone[key] = known.version

    def prune(self, listed: Set[Key], version: int) -> Set[Key]:
        """Take a complete list of that version, all of whose objects were `put`: what it lacks is gone.

        A watch never tells what vanished while it was interrupted.
        """
        missing = [key for key, entry in self._entries.items() if key not in listed and entry.version <= version]
        concerned = _keys(*(self._entries.pop(key) for key in missing))
        self._gone = {key: gone for key, gone in self._gone.items() if gone > version}
        return concerned


def key_of(obj: Object) -> Key:
    """Return the object's own key."""
    metadata = obj["metadata"]
    return Key(metadata["namespace"], metadata["name"])


def version_of(obj: Object) -> int:
    """Return the object's (or list's) resource version as the number it is."""
    return int(obj["metadata"]["resourceVersion"])


def generation_of(obj: Object) -> int:
    """Return the number of the object's spec: each that differs from the one before has a higher one."""
    return int(obj["metadata"]["generation"])


def controller_of(obj: Object) -> Mapping[str, Any] | None:
    """Return the owner reference of the object's controller, if it has one."""
    owners = obj["metadata"].get("ownerReferences", ())
    return next((owner for owner in owners if owner.get("controller")), None)


def owning_schedule(cronjob: Object) -> Key | None:
    """Return the key of the GraphSchedule that controls a CronJob, if one does."""
    owner = controller_of(cronjob)
    if owner is None or owner["kind"] != labels.KIND or owner["apiVersion"].split("/")[0] != labels.GROUP:
        return None
    return Key(cronjob["metadata"]["namespace"], owner["name"])


def is_shard(cronjob: Object) -> bool:
    """Tell whether a CronJob is a shard's, by any of its marks: people may take one away."""
    metadata = cronjob["metadata"]
    marks = (metadata.get("labels") or {}).keys() | (metadata.get("annotations") or {}).keys()
    return not marks.isdisjoint(_MARKS)


def concerned_by(cronjob: Object) -> Key | None:
    """Return what must be looked at because of a CronJob: its schedule, or the shard that it is."""
    return Shard(*key_of(cronjob)) if is_shard(cronjob) else owning_schedule(cronjob)


def _keys(*entries: _Entry | None) -> Set[Key]:
    return {entry.concerned for entry in entries if entry is not None and entry.concerned is not None}


def _compact(obj: Object) -> bytes:
    """Leave out the bookkeeping of other writers, which is often the larger part of an object."""
    metadata = {name: value for name, value in obj["metadata"].items() if name != "managedFields"}
    return orjson.dumps({**obj, "metadata": metadata})
