"""What can go wrong for a caller; each surface writes these in its own form."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from graphschedule_platform.verdict import Verdict


class NotFoundError(Exception):
    """There is no such schedule or task."""


class UnauthenticatedError(Exception):
    """The caller does not say who it is, or not credibly."""


class NotAuthorizedError(Exception):
    """The caller may not do this."""


class ConflictError(Exception):
    """The schedule is not in a state for this, or changes faster than it can be changed."""


class PreconditionError(Exception):
    """The schedule is not the version any more that the caller means."""


class RefusedError(Exception):
    """The cluster does not take the schedule as it is; `str()` is what it said."""


class GraphRefusedError(Exception):
    """The platform would not run the graph as it is asked for (M2); `verdict` says why."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        super().__init__(verdict.message)


class TaskFailedError(Exception):
    """A system task ran and failed; `str()` is what it said."""


class TooManyRequestsError(Exception):
    """The caller asks too often; `seconds` is how long it is to wait."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"too many requests: wait for {seconds:.1f} s")


class UnavailableError(Exception):
    """Something that the answer needs is away; the same request may succeed later."""


class UnhealthyServiceError(Exception):
    """The service cannot do its work; `str()` says why (M29)."""
