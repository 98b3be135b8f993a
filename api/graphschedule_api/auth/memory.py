"""What was answered lately: short answers that are asked for again and again."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from graphschedule_api.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

T = TypeVar("T")

LARGEST = 10_000
"""Answers that are kept."""


class Memory(Generic[T]):
    """Keeps answers for `fresh_seconds`, and for `stale_seconds` while nobody can be asked."""

    def __init__(self, fresh_seconds: float, stale_seconds: float) -> None:
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        self._known: OrderedDict[Hashable, tuple[float, T]] = OrderedDict()

    async def get(self, question: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a question.

        Raises:
            UnavailableError: it is not known, and `ask` says so.

        """
        asked, known = self._known.get(question, (0.0, None))
        age = time.monotonic() - asked
        if known is not None and age < self._fresh_seconds:
            return known
        try:
            answer = await ask()
        except UnavailableError:
            if known is not None and age < self._stale_seconds:
                return known
            raise
        self._known[question] = time.monotonic(), answer
        self._known.move_to_end(question)
        if len(self._known) > LARGEST:
            self._known.popitem(last=False)
        return answer
