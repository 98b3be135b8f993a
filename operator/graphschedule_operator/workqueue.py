"""The workqueue: which schedules need looking at, and who is looking at them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class ClosedError(Exception):
    """The queue is closed: there is no more work."""


class WorkQueue(Generic[Key]):
    """An asynchronous queue of keys.

    Its invariants:

    - A key that is put several times before anyone takes it is taken once.
    - No two workers hold one key: a key that is put while it is held is given out again only after `done`.
    - A key waits for at most one delayed put; of two, the sooner stands.
    - `put_backoff` doubles a key's own delay with each call, up to a limit, until `forget`.
    - Keys are given out in the order in which they were put, and at most `rate` of them per second.

    All times are seconds of the running loop's clock.
    """

    def __init__(self, *, rate: float, first_delay: float = 0.5, last_delay: float = 300.0) -> None:
        self._interval = 1.0 / rate
        self._first_delay = first_delay
        self._last_delay = last_delay
        self._loop = asyncio.get_running_loop()
        self._ready: deque[Key] = deque()
        self._dirty: set[Key] = set()
        self._held: set[Key] = set()
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._failures: dict[Key, int] = {}
        self._available = asyncio.Semaphore(0)
        self._closed = False
        self._next_turn = 0.0
        self._progress = self._loop.time()

    def __len__(self) -> int:
        """Count the keys that wait for a worker; delayed ones do not count."""
        return len(self._dirty)

    def put(self, key: Key) -> None:
        """Have the key looked at as soon as a worker is free."""
        if key in self._dirty:
            return
        if not self._dirty and not self._held:
            self._progress = self._loop.time()
        self._dirty.add(key)
        if key not in self._held:
            self._offer(key)

    def put_after(self, key: Key, delay: float) -> None:
        """Have the key looked at in `delay` seconds, unless it is to be sooner already."""
        when = self._loop.time() + delay
        pending = self._timers.get(key)
        if pending is not None:
            if pending.when() <= when:
                return
            pending.cancel()
        self._timers[key] = self._loop.call_at(when, self._put_delayed, key)

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
        self._dirty.discard(key)
        self._held.add(key)
        return key

    def done(self, key: Key) -> None:
        """Give the key back."""
        self._progress = self._loop.time()
        self._held.discard(key)
        if key in self._dirty:
            self._offer(key)

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

    def _offer(self, key: Key) -> None:
        self._ready.append(key)
        self._available.release()

    def _put_delayed(self, key: Key) -> None:
        del self._timers[key]
        self.put(key)
