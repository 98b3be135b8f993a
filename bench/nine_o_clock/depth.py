"""How a queue fills: its depth, looked at many times a second from the tick on.

Messages carry no time of their own (C §2.9), and a consumer would take processor time from what is measured. But the
moment at which the queue holds so many messages is the lateness of the so-many-th schedule.
"""

from __future__ import annotations

import math
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from dev.services import topology

if TYPE_CHECKING:
    from types import TracebackType

LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Curve:
    """Depths of a queue at seconds after the tick; the depth never falls, for nobody consumes."""

    samples: list[tuple[float, int]] = field(default_factory=list)

    @property
    def depth(self) -> int:
        """The last depth seen."""
        return self.samples[-1][1] if self.samples else 0

    def seconds_until(self, count: int) -> float:
        """Return when the queue first held so many messages; infinity if it never did."""
        return next((seconds for seconds, depth in self.samples if depth >= count), math.inf)

    def lateness(self, percent: float, of: int) -> float:
        """Return within how many seconds of the tick that share of so many schedules was queued."""
        return self.seconds_until(math.ceil(of * percent / 100))


class Depths:
    """Looks at the platform's run queue for as long as the block lasts."""

    def __init__(self, broker_url: str, tick: float) -> None:
        """Remember the queue's vhost and the tick, in seconds since the epoch."""
        self.curve = Curve()
        self._url = broker_url
        self._tick = tick
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        with topology.channel(self._url) as channel:
            while not self._done.wait(LOOK_SECONDS):
                declared = channel.queue_declare(topology.QUORUM.name, passive=True)
                self.curve.samples.append((time.time() - self._tick, declared.method.message_count))
