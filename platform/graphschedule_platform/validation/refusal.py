"""How a rule says no."""

from __future__ import annotations

from graphschedule_platform.verdict import NodeErrors, VerdictKind


class RefusalError(Exception):
    """The platform would refuse the request; `kind` tells which of its errors it would raise."""

    def __init__(
        self, message: str, kind: VerdictKind = VerdictKind.ERROR, node_errors: NodeErrors | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.node_errors: NodeErrors = node_errors or {}


def invalid(node_errors: NodeErrors) -> RefusalError:
    """Return the platform's GraphValidationError of collected node errors (C §2.3)."""
    issues = sum(len(errors) for errors in node_errors.values())
    return RefusalError(
        f"Graph validation failed: {issues} issues on {len(node_errors)} nodes", VerdictKind.INVALID, node_errors
    )
