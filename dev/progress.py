"""One line on stderr for each step that takes a person's time, and how long it took."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say what begins, and when it is done."""
    print(f"{what} …", file=sys.stderr, flush=True)
    begun = time.monotonic()
    yield
    print(f"{what}: done in {time.monotonic() - begun:.1f} s", file=sys.stderr, flush=True)
