"""What callers can do with schedules, whichever surface they come by. The GraphSchedules are the only store."""

from __future__ import annotations

import logging
import re
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from graphschedule import labels

from graphschedule_api import kube, schedule
from graphschedule_api.cache import id_of, key_of, uid_of
from graphschedule_api.errors import (
    ConflictError,
    NotAuthorizedError,
    NotFoundError,
    PreconditionError,
)
from graphschedule_api.told import as_told

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from graphschedule.spec import GraphScheduleSpec

    from graphschedule_api.cache import Cache, Entry, Object
    from graphschedule_api.platform import Platform
    from graphschedule_api.watch import Watcher

logger = logging.getLogger(__name__)

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Schedules:
    """The schedules. Reads come from the cache; every write is the API server's, whose answer the cache takes."""

    def __init__(
        self, client: kube.Kube, cache: Cache, watchers: Sequence[Watcher], platform: Platform, namespace: str
    ) -> None:
        self._kube = client
        self._cache = cache
        self._watchers = watchers
        self._platform = platform
        self.namespace = namespace
        """Where schedules are made."""

    def age(self) -> float:
        """Return for how many seconds what is read here may lack news from the API server; usually none."""
        return max(watcher.age() for watcher in self._watchers)

    def find(self, *, user_id: str | None = None, graph_id: str | None = None) -> Iterator[Object]:
        """Yield the schedules of a user, of a graph, of both, or all."""
        return self._cache.find(user_id=user_id, graph_id=graph_id)

    async def get(self, schedule_id: str) -> Object:
        """Return the schedule of an id.

        One that the cache does not know may be newer than the cache's news, made through another replica: the API
        server is asked for the name that such a schedule has.

        Raises:
            NotFoundError: there is none.
            UnavailableError: the API server cannot be asked now.

        """
        known = self._cache.by_id(schedule_id)
        if known is not None:
            return known
        if not _UUID.fullmatch(schedule_id):
            raise _not_found(schedule_id)
        with _of_schedule(schedule_id):
            found = await self._kube.get(kube.SCHEDULES, self.namespace, schedule.name_of(schedule_id))
        self._cache.put(found)
        return found

    def entries(self, *, user_id: str | None = None, graph_id: str | None = None) -> Iterator[Entry]:
        """Yield what is known of the schedules of a user, of a graph, of both, or of all, without reading them."""
        return self._cache.entries(user_id=user_id, graph_id=graph_id)

    async def newest(self, found: Object) -> Object:
        """Return a schedule as the API server has it now.

        Raises:
            NotFoundError: it is gone by now.
            UnavailableError: the API server cannot be asked now.

        """
        with self._writing(found):
            newest = await self._kube.get(kube.SCHEDULES, *key_of(found))
            self._cache.put(newest)
            if uid_of(newest) != uid_of(found):
                raise _not_found(id_of(found))
            return newest

    async def of_user(self, schedule_id: str, user_id: str) -> Object:
        """Return the schedule of an id, which must be the user's.

        Raises:
            NotFoundError, UnavailableError: as `get`.
            NotAuthorizedError: it is another user's.

        """
        found = await self.get(schedule_id)
        if found["spec"]["userId"] != user_id:
            raise NotAuthorizedError(f"user {user_id} does not own schedule {schedule_id}")
        return found

    async def create(self, spec: GraphScheduleSpec) -> Object:
        """Make a schedule that the platform would run, and return it.

        Raises:
            GraphRefusedError: the platform would not run the graph.
            RefusedError: the API server does not take it.
            NotAuthorizedError: a policy denies this user here.
            UnavailableError: the platform or the API server cannot be asked now.

        """
        return await self._create(spec, str(uuid.uuid4()))

    async def create_once(self, spec: GraphScheduleSpec, schedule_id: str, request: str) -> tuple[Object, bool]:
        """Make the schedule of an id, unless it is there; return it, and whether it was made now.

        Raises:
            ConflictError: it was made for another `request`.
            GraphRefusedError, RefusedError, NotAuthorizedError, UnavailableError: as `create`.

        """
        try:
            return _asked_for(await self.get(schedule_id), request), False
        except NotFoundError:
            pass
        try:
            return await self._create(spec, schedule_id, request), True
        except NotFoundError:  # somebody else has made it meanwhile
            return _asked_for(await self.get(schedule_id), request), False

    async def replace(self, found: Object, spec: GraphScheduleSpec, *, version: str | None) -> Object:
        """Have a schedule be as another spec says, which the platform would run, and return it.

        Raises:
            PreconditionError: it is not that version any more, if one is given.
            NotFoundError: it is gone by now.
            GraphRefusedError, RefusedError, NotAuthorizedError, UnavailableError: as `create`.

        """
        await self._platform.check(schedule.request_of(spec))
        parts: dict[str, Any] = {"/metadata/uid": uid_of(found), "/spec": schedule.spec_members(spec)}
        if version is not None:
            parts["/metadata/resourceVersion"] = version
        with self._writing(found, version):
            changed = await self._kube.replace(kube.SCHEDULES, *key_of(found), parts)
        return self._changed("changed", changed)

    async def suspend(self, found: Object, *, suspended: bool, version: str | None = None) -> Object:
        """Pause or resume a schedule, and return it as it is now; slots that passed meanwhile are not made up.

        Raises:
            PreconditionError: it is not that version any more, if one is given.
            NotFoundError: it is gone by now.
            RefusedError, NotAuthorizedError, UnavailableError: as `create`.

        """
        if bool(found["spec"].get("suspend")) == suspended:
            return found
        metadata = {"uid": uid_of(found)} | ({"resourceVersion": version} if version else {})
        with self._writing(found, version):
            change = {"metadata": metadata, "spec": {"suspend": suspended}}
            changed = await self._kube.merge(kube.SCHEDULES, *key_of(found), change)
        return self._changed("paused" if suspended else "resumed", changed)

    async def delete(self, found: Object, *, version: str | None = None) -> None:
        """Delete a schedule; its CronJob goes with it.

        Raises:
            PreconditionError: it is not that version any more, if one is given.
            NotFoundError: it is gone by now.
            NotAuthorizedError, UnavailableError: as `create`.

        """
        with self._writing(found, version):
            await self._kube.delete(kube.SCHEDULES, *key_of(found), uid_of(found), version)
        self._cache.forget(found)
        _log("deleted", found)

    async def _create(self, spec: GraphScheduleSpec, schedule_id: str, request: str | None = None) -> Object:
        await self._platform.check(schedule.request_of(spec))
        manifest = schedule.manifest(spec, self.namespace, schedule_id, request)
        with _of_schedule(schedule_id):
            made = await self._kube.create(kube.SCHEDULES, manifest)
        return self._changed("created", made)

    def _changed(self, what: str, changed: Object) -> Object:
        self._cache.put(changed)
        _log(what, changed)
        return changed

    @contextmanager
    def _writing(self, found: Object, version: str | None = None) -> Iterator[None]:
        """Translate errors; who is gone or another by now is known no more."""
        try:
            with _of_schedule(id_of(found)):
                try:
                    yield
                except kube.ConflictError as error:
                    if version is None:
                        raise
                    raise PreconditionError(f"schedule {id_of(found)} has changed since version {version}") from error
        except NotFoundError:
            self._cache.forget(found)
            raise


@contextmanager
def _of_schedule(schedule_id: str) -> Iterator[None]:
    """Translate errors about a schedule."""
    try:
        with as_told():
            yield
    except (kube.NotFoundError, kube.ConflictError) as error:  # the name is another object's by now
        raise _not_found(schedule_id) from error


def _asked_for(found: Object, request: str) -> Object:
    """Return a schedule if it was made for this very request."""
    annotations = found["metadata"].get("annotations") or {}
    if annotations.get(labels.REQUEST_ANNOTATION) != request:
        raise ConflictError("another schedule was asked for with this idempotency key; take a new key for a new one")
    return found


def _not_found(schedule_id: str) -> NotFoundError:
    return NotFoundError(f"schedule {schedule_id} does not exist")


def _log(what: str, about: Object) -> None:
    namespace, name = key_of(about)
    spec = about["spec"]
    logger.info(
        what,
        extra={
            "schedule_id": id_of(about),
            "schedule": f"{namespace}/{name}",
            "user_id": spec["userId"],
            "graph_id": spec["graph"]["id"],
        },
    )
