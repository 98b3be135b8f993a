"""A condition in the making: what is said of one aspect of a schedule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from graphschedule.status import Reason


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether the aspect is as it should be, and why."""

    status: Literal["True", "False", "Unknown"]
    reason: Reason
    message: str
