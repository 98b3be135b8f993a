"""Outcomes of a slot: what became of it, as a ledger state, a stable reason and a process exit code.

This is the one table that the runner's exit codes, the CronJobs' `podFailurePolicy`, the ledger and the
conditions share. Codes below 64 are left to the interpreter and to shells.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class SlotState(StrEnum):
    """Where a slot stands in the ledger."""

    CLAIMED = "claimed"
    """The execution's rows are written; its message is not yet known to be in the queue."""
    ENQUEUED = "enqueued"
    SKIPPED = "skipped"
    FAILED = "failed"
    MISSED = "missed"


class Outcome(Enum):
    """What one attempt at a slot came to: (reason, exit code, ledger state, permanent)."""

    ENQUEUED = ("Enqueued", 0, SlotState.ENQUEUED, False)
    ALREADY_ENQUEUED = ("AlreadyEnqueued", 0, SlotState.ENQUEUED, False)
    SKIPPED = ("Skipped", 0, SlotState.SKIPPED, False)
    BAD_ARGUMENTS = ("BadArguments", 64, SlotState.FAILED, True)
    GRAPH_NOT_FOUND = ("GraphNotFound", 65, SlotState.FAILED, True)
    GRAPH_NOT_ACCESSIBLE = ("GraphNotAccessible", 66, SlotState.FAILED, True)
    GRAPH_NOT_IN_LIBRARY = ("GraphNotInLibrary", 67, SlotState.FAILED, True)
    GRAPH_INVALID = ("GraphInvalid", 68, SlotState.FAILED, True)
    GRAPH_ERROR = ("GraphError", 69, SlotState.FAILED, True)
    PLATFORM_UNSUPPORTED = ("PlatformUnsupported", 70, SlotState.FAILED, True)
    TRANSIENT = ("Transient", 75, SlotState.FAILED, False)

    def __init__(self, reason: str, exit_code: int, state: SlotState, permanent: bool) -> None:
        self.reason = reason
        self.exit_code = exit_code
        self.state = state
        self.permanent = permanent
        """True when a retry inside the slot cannot help: the Job fails at once."""


PERMANENT_EXIT_CODES: tuple[int, ...] = tuple(sorted(o.exit_code for o in Outcome if o.permanent))
"""Exit codes on which `podFailurePolicy` fails the Job without a retry."""
