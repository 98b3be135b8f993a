"""Errors of the platform room: what is down, and what cannot be worked with."""

from __future__ import annotations


class TransientError(Exception):
    """Something outside is down or busy: the same call may succeed later, so the slot is retried (M14)."""


class DatabaseUnavailableError(TransientError):
    """The database cannot be reached, refuses us, went away, or did not answer in time."""


class BrokerUnavailableError(TransientError):
    """The broker cannot be reached, refuses us, or went away: one line naming its address, the cause, the remedy."""


class PlatformUnsupportedError(Exception):
    """The database does not hold a platform schema that we can work with (C §9 rule 6)."""


class MigrationRefusedError(Exception):
    """The database is not one that may be upgraded as asked; the message says what to do instead."""


class DependencyError(TransientError):
    """A service, a store or an endpoint that a task needs does not do its part: one line naming it and the fault."""
