"""The heartbeat (M41): a monitor is told of each slot that was enqueued, and of each that failed for good.

What a monitor is not told it notices by itself: a slot that failed for a passing reason is retried, and if no retry
comes through no call is made. The URL is a secret, for who has it can say that all is well: logs name only its host.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import SplitResult, urlsplit, urlunsplit
from urllib.request import Request, urlopen

from graphschedule.outcomes import Outcome, SlotState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

TIMEOUT = 5
"""Seconds for one try, from the look-up of the host to the answer."""

PAUSES = (0.0, 0.5, 1.0)
"""Seconds before each try."""

AT_ONCE = 16
"""Monitors that are told at the same time."""

PATIENCE = 60
"""Seconds for telling all of them."""

_HEADERS = {"User-Agent": "graphschedule-runner"}

_log = logging.getLogger(__name__)


def beat(url: str, outcome: Outcome, stopping: Callable[[], bool]) -> None:
    """Tell the monitor of an outcome; if this fails it is logged, and changes nothing.

    Once `stopping` says so no further try is made.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        _log.warning("no heartbeat: spec.heartbeatUrl is not a URL")
        return
    address = _address(parts, outcome)
    fault = _insist(address, stopping) if address else None
    if fault:
        _log.warning("no heartbeat: %s: %s", parts.hostname, fault)


def beat_all(calls: Iterable[tuple[str, Outcome]], stopping: Callable[[], bool]) -> None:
    """Tell many monitors, several at a time; those whose turn has not come in `PATIENCE` seconds are left out."""
    until = time.monotonic() + PATIENCE

    def is_over() -> bool:
        return stopping() or time.monotonic() > until

    def tell(call: tuple[str, Outcome]) -> bool:
        if is_over():
            return False
        beat(*call, is_over)
        return True

    with ThreadPoolExecutor(AT_ONCE) as pool:
        untold = list(pool.map(tell, calls)).count(False)
    if untold:
        _log.warning("no heartbeat for %d slots: their turn did not come in time", untold)


def _address(url: SplitResult, outcome: Outcome) -> str | None:
    """Return the address to call, None if the outcome is nothing for the monitor."""
    if outcome.state is SlotState.ENQUEUED:
        return urlunsplit(url)
    return urlunsplit(url._replace(path=f"{url.path.rstrip('/')}/fail")) if outcome.permanent else None


def _insist(address: str, stopping: Callable[[], bool]) -> str | None:
    """Call until it succeeds or there is no try left; return the last fault."""
    fault = None
    for pause in PAUSES:
        time.sleep(pause)
        fault = _call(address)
        if fault is None or stopping():
            break
    return fault


def _call(address: str) -> str | None:
    """Call once; return what went wrong.

    A thread of its own, which nobody waits for at the end, is the only limit that look-ups and slow peers keep to.
    """
    answers: list[str | None] = []
    caller = threading.Thread(target=lambda: answers.append(_get(address)), daemon=True)
    caller.start()
    caller.join(TIMEOUT)
    return answers[0] if answers else f"no answer within {TIMEOUT} s"


def _get(address: str) -> str | None:
    try:
        with urlopen(Request(address, headers=_HEADERS), timeout=TIMEOUT):  # noqa: S310 - the CRD lets in only http(s)
            return None
    except HTTPError as error:
        return f"it answered {error.code}"
    except URLError as error:
        return str(error.reason)
    except Exception as error:
        return type(error).__name__  # its text may quote the URL
