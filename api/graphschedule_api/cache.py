"""What the API server is known to hold: the GraphSchedules, found by user, graph and id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from graphschedule import labels

from graphschedule_api.schedule import Times, is_paused, is_ready, times_of

Object = Mapping[str, Any]
"""A Kubernetes object as its JSON."""


class Key(NamedTuple):
    """Which object of a kind."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Entry:
    """What is known of a schedule without reading it: by what it is found, chosen, ordered and counted."""

    key: Key
    version: int
    id: str
    user_id: str
    graph_id: str
    created: str
    times: Times
    paused: bool
    ready: bool
    text: bytes

    def read(self) -> Object:
        """Return the schedule."""
        read: Object = orjson.loads(self.text)
        return read


class Cache:
    """The schedules, newest versions only.

    News comes from watches, lists and our own writes in any order, so each is taken by its resource version: versions
    of one kind are ordered (kubernetes, KEP-5504). So what was written here can be read here at once, and no news
    that is late takes it back.

    Objects rest as JSON text, about a tenth of the memory of their Python form.
    """

    def __init__(self) -> None:
        self._entries: dict[Key, Entry] = {}
        self._gone: dict[Key, int] = {}
        self._by_id: _Index = defaultdict(dict)
        self._by_user: _Index = defaultdict(dict)
        self._by_graph: _Index = defaultdict(dict)

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Object | None:
        """Return a schedule, or None."""
        entry = self._entries.get(key)
        return None if entry is None else entry.read()

    def by_id(self, schedule_id: str) -> Object | None:
        """Return the schedule of an id, or None; of several that claim the id, the oldest."""
        claims = [found for key in self._by_id.get(schedule_id, ()) if (found := self.get(key)) is not None]
        return min(claims, key=_age, default=None)

    def find(self, *, user_id: str | None = None, graph_id: str | None = None) -> Iterator[Object]:
        """Yield the schedules of a user, of a graph, of both, or all."""
        return (entry.read() for entry in self.entries(user_id=user_id, graph_id=graph_id))

    def entries(self, *, user_id: str | None = None, graph_id: str | None = None) -> Iterator[Entry]:
        """Yield what is known of the schedules of a user, of a graph, of both, or of all."""
        for key in self._keys(user_id, graph_id):
            entry = self._entries.get(key)
            if entry is not None:
                yield entry

    def put(self, obj: Object) -> None:
        """Take a schedule that exists."""
        key, version = key_of(obj), version_of(obj)
        known = self._entries.get(key)
        if version <= self._gone.get(key, 0) or (known is not None and version <= known.version):
            return
        self._drop(key)
        self._entries[key] = entry = _entry(obj, version)
        for index, value in self._indexed(entry):
            index[value][key] = None

    def remove(self, obj: Object) -> None:
        """Take a schedule that was deleted, as the watch tells of it."""
        key, version = key_of(obj), version_of(obj)
        known = self._entries.get(key)
        if known is None or known.version <= version:
            self._gone[key] = max(version, self._gone.get(key, 0))
            self._drop(key)

    def forget(self, obj: Object) -> None:
        """Take that a schedule is gone which was this object: we deleted it, or the API server knows it no more."""
        key, version = key_of(obj), version_of(obj)
        known = self._entries.get(key)
        if known is not None and uid_of(orjson.loads(known.text)) == uid_of(obj):
            self._gone[key] = max(known.version, version)
            self._drop(key)

    def prune(self, listed: Set[Key], version: int, namespace: str | None) -> None:
        """Take a complete list of a namespace (None: of all), all of whose objects were `put`: what it lacks is gone.

        A watch never tells what vanished while it was interrupted.
        """
        for key, entry in list(self._entries.items()):
            concerned = namespace in {None, key.namespace} and entry.version <= version
            if concerned and key not in listed:
                self._drop(key)
        self._gone = {
            key: gone for key, gone in self._gone.items() if gone > version or namespace not in {None, key.namespace}
        }

    def _keys(self, user_id: str | None, graph_id: str | None) -> list[Key]:
        if user_id is None and graph_id is None:
            return list(self._entries)
        if user_id is None:
            return list(self._by_graph.get(graph_id or "", ()))
        of_user = self._by_user.get(user_id, {})
        return [key for key in of_user if graph_id in {None, self._entries[key].graph_id}]

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is None:
            return
        for index, value in self._indexed(entry):
            del index[value][key]
            if not index[value]:
                del index[value]

    def _indexed(self, entry: Entry) -> tuple[tuple[_Index, str], ...]:
        return (self._by_id, entry.id), (self._by_user, entry.user_id), (self._by_graph, entry.graph_id)


_Index = defaultdict[str, dict[Key, None]]
"""Keys by a value, in the order in which they came."""


def key_of(obj: Object) -> Key:
    """Return the object's own key."""
    metadata = obj["metadata"]
    return Key(metadata["namespace"], metadata["name"])


def version_of(obj: Object) -> int:
    """Return the object's (or list's) resource version as the number it is."""
    return int(obj["metadata"]["resourceVersion"])


def uid_of(obj: Object) -> str:
    """Return the object's uid: another object of the same name has another."""
    uid: str = obj["metadata"]["uid"]
    return uid


def id_of(schedule: Object) -> str:
    """Return the id that callers know a schedule by: that of its label, else its uid."""
    labelled: str | None = (schedule["metadata"].get("labels") or {}).get(labels.SCHEDULE_ID_LABEL)
    return labelled or uid_of(schedule)


def _age(schedule: Object) -> tuple[str, str]:
    return schedule["metadata"]["creationTimestamp"], uid_of(schedule)


def _entry(schedule: Object, version: int) -> Entry:
    """Read what the indexes need, and leave out the bookkeeping of writers, often the larger part of an object."""
    spec = schedule["spec"]
    metadata = {name: value for name, value in schedule["metadata"].items() if name != "managedFields"}
    return Entry(
        key=key_of(schedule),
        version=version,
        id=id_of(schedule),
        user_id=spec["userId"],
        graph_id=spec["graph"]["id"],
        created=metadata["creationTimestamp"],
        times=times_of(schedule),
        paused=is_paused(schedule),
        ready=is_ready(schedule),
        text=orjson.dumps({**schedule, "metadata": metadata}),
    )
