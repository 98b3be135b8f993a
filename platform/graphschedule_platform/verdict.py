"""The question and the answer of validation: an execution somebody asks for, and what the platform would say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, NamedTuple

from graphschedule.outcomes import Outcome

NodeErrors = Mapping[str, Mapping[str, str]]
"""Collected errors by node id and field (C §2.2)."""

NodeInputs = Mapping[str, Mapping[str, Any]]
"""Values by node id and field: starting nodes' inputs, or masks."""

NOTHING: Mapping[str, Any] = {}
"""What mappings are by default."""


class ExecutionRequest(NamedTuple):
    """The parameters of `add_graph_execution` that a schedule can give (C §2.1).

    `graph_version` None means the highest version; `credentials` maps a credential-input name to
    `{id, provider, type, title?}`; `nodes_input_masks` are the caller's own masks.
    """

    graph_id: str
    user_id: str
    graph_version: int | None = None
    inputs: Mapping[str, Any] = {}
    credentials: Mapping[str, Mapping[str, Any]] = {}
    nodes_input_masks: NodeInputs = NOTHING


class VerdictKind(Enum):
    """What the platform would answer: (word on the wire, outcome of a slot judged so)."""

    VALID = ("valid", Outcome.ENQUEUED)
    GRAPH_NOT_FOUND = ("graph_not_found", Outcome.GRAPH_NOT_FOUND)
    NOT_ACCESSIBLE = ("not_accessible", Outcome.GRAPH_NOT_ACCESSIBLE)
    NOT_IN_LIBRARY = ("not_in_library", Outcome.GRAPH_NOT_IN_LIBRARY)
    INVALID = ("invalid", Outcome.GRAPH_INVALID)
    """The platform's GraphValidationError: collected node errors."""
    ERROR = ("error", Outcome.GRAPH_ERROR)
    """The platform's plain ValueError: the first fault found, with no node errors."""
    NO_INPUTS = ("no_inputs", Outcome.BAD_ARGUMENTS)
    """Inputs that are kept elsewhere could not be read, so nothing was judged."""

    def __init__(self, word: str, outcome: Outcome) -> None:
        self.word = word
        self.outcome = outcome


class Verdict(NamedTuple):
    """What the platform would say to one request.

    For a valid one: the resolved `graph_version`, `starting_nodes` with the inputs each is given,
    `nodes_input_masks` compiled from credentials and the caller's masks (C §2.1 step 3), `nodes_to_skip`, and
    `credentials_checked`: whether credentials were looked up in the user's store or only judged by shape.
    """

    kind: VerdictKind
    message: str = ""
    node_errors: NodeErrors = NOTHING
    graph_version: int | None = None
    starting_nodes: NodeInputs = NOTHING
    nodes_input_masks: NodeInputs = NOTHING
    nodes_to_skip: tuple[str, ...] = ()
    credentials_checked: bool = False

    @property
    def valid(self) -> bool:
        """Whether the platform would run it."""
        return self.kind is VerdictKind.VALID
