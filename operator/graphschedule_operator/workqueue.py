"""The workqueue: which schedules need looking at, and who is looking at them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Hashable
from typing import Generic, NamedTuple, Protocol, TypeVar

Key = TypeVar("Key", bound=Hashable)


Key_contra = TypeVar("Key_contra", contravariant=True)


class Put(Protocol[Key_contra]):
    """Puts keys on a queue; see `WorkQueue.put`."""

    def __call__(self, key: Key_contra, *, routine: bool = False) -> None:
        """Put a key."""


class Routine(float):
    """A delay in seconds, after which a look is routine."""


class _Timer(NamedTuple):
    when: float
    """Uvloop's handle of a timer that is due at once does not tell."""
    handle: asyncio.Handle
    routine: bool


class ClosedError(Exception):
    """The queue is closed: there is no more work."""


class WorkQueue(Generic[Key]):
    """An asynchronous queue of keys.

    Its invariants:

    - A key that is put several times before anyone takes it is taken once.
    - No two workers hold one key: a key that is put while it is held is given out again only after `done`.
    - A key waits for at most one delayed put; of two, the sooner stands, and it is routine only if both are.
    - `put_backoff` doubles a key's own delay with each call, up to a limit, until `forget`.
    - Keys are given out in the order in which they were put, and at most `rate` of them per second.
    - Routine keys give way: at most `routine_rate` of them per second are given out, and each only when no other key
      waits. One that is put again as not routine is so from then on, and one that waits already does not become
      routine: so a key waits once, for whatever reasons it was put, and as long as the most urgent of them allows.

    All times are seconds of the running loop's clock.
    """

    def __init__(
        self, *, rate: float, routine_rate: float = 100.0, first_delay: float = 0.5, last_delay: float = 300.0
    ) -> None:
        self._interval = 1.0 / rate
        self._routine_interval = 1.0 / routine_rate
        self._first_delay = first_delay
        self._last_delay = last_delay
        self._loop = asyncio.get_running_loop()
        self._ready: deque[Key] = deque()
        self._routine: OrderedDict[Key, None] = OrderedDict()
        self._dirty: dict[Key, bool] = {}
        """The keys that were put and not taken, and whether they are routine."""
        self._held: set[Key] = set()
        self._timers: dict[Key, _Timer] = {}
        self._releasing: asyncio.TimerHandle | None = None
        self._next_release = 0.0
        self._failures: dict[Key, int] = {}
        self._available = asyncio.Semaphore(0)
        self._closed = False
        self._next_turn = 0.0
        self._progress = self._loop.time()

    def __len__(self) -> int:
        """Count the keys that wait for a worker; delayed ones do not count."""
        return len(self._dirty)

    def put(self, key: Key, *, routine: bool = False) -> None:
        """Have the key looked at as soon as a worker is free, or if it is routine, when there is time."""
        waits_as_routine = self._dirty.get(key)
        if waits_as_routine is False or waits_as_routine is routine:
            return
        if not self._dirty and not self._held:
            self._progress = self._loop.time()
        self._dirty[key] = routine
        if key not in self._held:
            self._line_up(key)

    def put_after(self, key: Key, delay: float) -> None:
        """Have the key looked at in `delay` seconds, unless it is to be sooner already."""
        when, routine = self._loop.time() + delay, isinstance(delay, Routine)
        pending = self._timers.get(key)
        if pending is not None:
            when, routine = min(when, pending.when), routine and pending.routine
            pending.handle.cancel()
        self._timers[key] = _Timer(when, self._loop.call_at(when, self._put_delayed, key), routine)

    def put_backoff(self, key: Key) -> None:
        """Have the key looked at again after a failure, each time twice as late as the time before."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.put_after(key, min(self._first_delay * 2.0 ** min(failures, 32), self._last_delay))

    def forget(self, key: Key) -> None:
        """Forget the key's failures: the next `put_backoff` begins anew."""
        self._failures.pop(key, None)

    async def get(self) -> Key:
        """Take a key; it is the caller's alone until `done`.

        Raises:
            ClosedError: the queue is closed.

        """
        await self._available.acquire()
        try:
            await self._turn()
        except asyncio.CancelledError:
            self._available.release()
            raise
        if self._closed:
            self._available.release()
            raise ClosedError
        key = self._ready.popleft()
        del self._dirty[key]
        self._held.add(key)
        return key

    def done(self, key: Key) -> None:
        """Give the key back."""
        self._progress = self._loop.time()
        self._held.discard(key)
        if key in self._dirty:
            self._line_up(key)

    def close(self) -> None:
        """Give out no more keys; whoever waits for one is told."""
        self._closed = True
        self._available.release()

    def stalled_for(self) -> float:
        """Return for how many seconds there has been work and none was finished; 0 when there is none."""
        return self._loop.time() - self._progress if self._dirty or self._held else 0.0

    async def _turn(self) -> None:
        """Wait until the rate allows one more."""
        now = self._loop.time()
        self._next_turn = max(self._next_turn, now) + self._interval
        if (wait := self._next_turn - self._interval - now) > 0:
            await asyncio.sleep(wait)

    def _line_up(self, key: Key) -> None:
        if self._dirty[key]:
            self._routine[key] = None
            self._release_later()
        else:
            self._routine.pop(key, None)
            self._offer(key)

    def _release_later(self) -> None:
        if self._routine and self._releasing is None:
            self._releasing = self._loop.call_at(self._next_release, self._release)

    def _release(self) -> None:
        """Let one routine key into the line, if the line is empty, and come back when the next one may follow."""
        self._releasing = None
        self._next_release = self._loop.time() + self._routine_interval
        if self._routine and not self._ready:
            key, _ = self._routine.popitem(last=False)
            self._dirty[key] = False
            self._offer(key)
        self._release_later()

    def _offer(self, key: Key) -> None:
        self._ready.append(key)
        self._available.release()

    def _put_delayed(self, key: Key) -> None:
        self.put(key, routine=self._timers.pop(key).routine)
