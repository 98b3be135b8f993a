"""The shards: who is in which, and the writes that make it so, gathered and paced.

Reconciles say what their schedules' membership is to be; nothing is written for that. A shard whose set of members
changed is put on a workqueue of shards, and looked at when the changes have come to rest. What was applied puts the
schedules that it concerns back on their own queue.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from graphschedule import shards

from graphschedule_operator import graph, kube, memory, plan, shard
from graphschedule_operator.cache import Key, Shard, is_shard, key_of
from graphschedule_operator.cronjob import refusal, stranger
from graphschedule_operator.drift import contains
from graphschedule_operator.members import Pace
from graphschedule_operator.membership import Membership
from graphschedule_operator.packing import Load
from graphschedule_operator.reconcile import CONFLICT_SECONDS, now

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Set
    from datetime import datetime

    from graphschedule_operator.cache import Cache, Object
    from graphschedule_operator.cronjob import CronJobs
    from graphschedule_operator.desired import Accepted
    from graphschedule_operator.members import Member, Members
    from graphschedule_operator.settings import Settings
    from graphschedule_operator.status import Obstacle
    from graphschedule_operator.workqueue import WorkQueue

USUAL = Pace(quiet=1.0, limit=3.0)
HURRIED = Pace(quiet=0.1, limit=0.3)
"""When the group's next fire is near."""
NEAR = timedelta(seconds=5)

WAIT_SECONDS = 0.5
"""When to look again at a CronJob that owes a Job or has one at work."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a schedule stands: the CronJob that fires it, or what is in the way.

    Neither: its shard is about to be written, and puts it on the queue afterwards.
    """

    cronjob: Object | None
    obstacle: Obstacle | None = None


class Offer(NamedTuple):
    """The Secret that was created last for a shard, as far as we know, and when; in seconds of the loop's clock."""

    secret: str | None
    when: float


class Shards:
    """All shards."""

    def __init__(
        self,
        client: kube.Kube,
        cronjobs: CronJobs,
        queue: WorkQueue[Shard],
        put: Callable[[Key], None],
        settings: Settings,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._kube = client
        self._cronjobs = cronjobs
        self._queue = queue
        self._put = put
        self._settings = settings
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._membership = Membership(Load(settings.shard_members, shards.MAX_BYTES))
        self._digests: dict[Shard, tuple[int, str]] = {}
        self._obstacles: dict[Shard, Obstacle] = {}
        self._offers: defaultdict[Shard, Offer] = defaultdict(lambda: Offer(None, self._loop.time()))

    # --- what reconciles say and ask: nothing is written here --------------------------------------------------------

    def begin(self, schedules: Cache) -> None:
        """Take from the statuses of all schedules who is where."""
        self._membership.remember(schedules)

    def join(self, schedule: Object, accepted: Accepted) -> Standing:
        """Have a schedule be a member of one shard: once it is in there, of no other.

        After a start the schedule's status is taken at its word, until it is known what is applied.
        """
        key = key_of(schedule)
        home, member, changed = self._membership.enter(schedule, accepted, self._loop.time())
        for place in changed:
            self._soon(place)
        cronjob, members = self._cronjobs.get(home), self._membership.of(home)
        told = not members.is_applied_known and shard.told(schedule) == home and graph.was_fit(schedule)
        if cronjob is None or not (told or members.applied(key) == member):
            return Standing(None, self._obstacles.get(home))
        self._leave(key, self._membership.places(key) - {home})
        return Standing(cronjob)

    def stay(self, key: Key) -> Object | None:
        """Return the CronJob of a shard that a schedule is a member of, and is to stay as it is."""
        return next(filter(None, map(self._cronjobs.get, self._membership.places(key))), None)

    def leave(self, key: Key) -> None:
        """Have a schedule be no member of any shard."""
        self._leave(key, self._membership.places(key))

    def runs(self, schedule: Object, accepted: Accepted) -> bool:
        """Tell whether a shard is known to give a schedule's runs what its spec asks for now."""
        key = key_of(schedule)
        applied = ((place, self._membership.of(place).applied(key)) for place in self._membership.places(key))
        return any(member and member.line == shard.line(accepted.run, place, schedule) for place, member in applied)

    def _leave(self, key: Key, places: Set[Shard]) -> None:
        if places:
            self._membership.leave(key, places, self._loop.time())
        for place in places:
            self._soon(place)

    def _soon(self, place: Shard) -> None:
        """Have a shard looked at when its changes have come to rest."""
        self._queue.put_after(place, self._rest(self._membership.of(place)))

    def _rest(self, members: Members) -> float:
        due = None if members.group is None else members.group.next_fire(self._clock())
        near = due is not None and due - self._clock() < NEAR
        return members.rest(self._loop.time(), HURRIED if near else USUAL)

    # --- the looks of the shards' own queue: here it is written -------------------------------------------------------

    async def look(self, place: Shard) -> float | None:
        """Look at a shard and write what differs; return in how many seconds to look again if no news comes.

        While it is not known of all members what they are to run, it stays as it is.

        Raises:
            kube.ApiError: the API server did not take a write. Try again later.

        """
        members = self._membership.of(place)
        if (rest := self._rest(members)) > 0:
            return rest
        if not members.is_known:
            return None
        try:
            return await self._bring(place, members)
        except (kube.ConflictError, kube.NotFoundError):
            await self._cronjobs.refresh(place)
            raise
        except kube.UnavailableError:
            raise
        except kube.ApiError as error:
            self._obstruct(place, refusal(place.name, error))
            raise

    async def _bring(self, place: Shard, members: Members) -> float | None:
        live = self._cronjobs.get(place)
        if live is None:
            members.apply({})
            if not members:
                self._forget(place)
                return None
            live = await self._cronjobs.look(place)
        if live is not None and not is_shard(live):
            self._obstruct(place, stranger(place.name, "somebody else", "delete it"))
            return CONFLICT_SECONDS
        if not members or members.group is None:
            gone = live is None or await self._cronjobs.retire(live, self._clock())
            return 0.0 if gone else WAIT_SECONDS
        return await self._apply(place, members.group, members, live)

    async def _apply(self, place: Shard, group: shard.Group, members: Members, live: Object | None) -> float:
        """Bring the CronJob to the set of its members."""
        if live is None:
            made = shard.cronjob(group, place, None, {}, self._settings)
            live = await self._cronjobs.write(plan.Create(made), place, self._clock())
        wanted, digest, file = await self._draft(place, members)
        secret = shard.secret_name(live, digest)
        if secret != shard.named(live) and memory.owes(live, self._clock()):
            return WAIT_SECONDS
        offer = self._offers[place]
        superseded = shard.superseded(live, secret, offer.secret, self._clock())
        expired = shard.expired(superseded, self._clock())
        kept = {name: since for name, since in superseded.items() if name not in expired}
        manifest = shard.cronjob(group, place, secret, kept, self._settings)
        is_new = not contains(live, manifest)
        if is_new or self._loop.time() - offer.when > self._settings.sweep_seconds:
            await self._offer(place, shard.secret(live, secret, file or await _file(wanted)))
        if is_new:
            for name in expired:
                await self._delete(Key(place.namespace, name))
            await self._cronjobs.write(plan.update(manifest, live), place, self._clock())
        self._obstacles.pop(place, None)
        for key in members.apply(wanted):
            self._put(key)
        return self._settings.sweep_seconds

    async def _draft(self, place: Shard, members: Members) -> tuple[Mapping[Key, Member], str, bytes | None]:
        """Return the set as it is to be, the digest of its file, and the file if it had to be made for that."""
        changes, wanted = members.changes, members.wanted()
        known = self._digests.get(place)
        if known is not None and known[0] == changes:
            return wanted, known[1], None
        file = await _file(wanted)
        self._digests[place] = changes, shards.digest(file)
        return wanted, self._digests[place][1], file

    async def _offer(self, place: Shard, secret: Object) -> None:
        """Create a Secret unless it is there: it cannot be read, so this is how one is replaced that was deleted."""
        with suppress(kube.ConflictError):
            await self._kube.create(kube.SECRETS, secret)
        self._offers[place] = Offer(secret["metadata"]["name"], self._loop.time())

    async def _delete(self, secret: Key) -> None:
        with suppress(kube.NotFoundError):
            await self._kube.delete(kube.SECRETS, secret)

    def _forget(self, place: Shard) -> None:
        """Forget a shard that has neither a CronJob nor members."""
        self._membership.forget(place)
        for known in (self._digests, self._obstacles, self._offers):
            known.pop(place, None)

    def _obstruct(self, place: Shard, obstacle: Obstacle) -> None:
        """Have the schedules tell what is in the way of their shard, once."""
        if self._obstacles.get(place) != obstacle:
            self._obstacles[place] = obstacle
            for key in self._membership.of(place).waiting():
                self._put(key)


async def _file(members: Mapping[Key, Member]) -> bytes:
    """Return a shard's file; compressing it takes a while."""
    return await asyncio.to_thread(shards.encode, [member.line for member in members.values()])
