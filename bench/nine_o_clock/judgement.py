"""What was due against what was queued. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Verdict(NamedTuple):
    """How much is wrong; all zeros mean that exactly what was due was queued, once."""

    lost: int
    """Schedules due that have no QUEUED execution, or no message."""

    doubled: int
    """Executions beyond the one of each schedule due: an execution's id is that of its schedule and slot."""

    stale: int
    """Executions with other inputs than their schedule had at the tick."""

    sent_again: int
    """Messages beyond the first of an execution. The executor takes an execution once (C §2.9), so they are harmless;
    only a run that was killed between a publish and its mark leaves any."""


def judge(due: Mapping[str, Any], queued: Mapping[str, Any], messages: Sequence[str]) -> Verdict:
    """Compare inputs by execution id, due and in QUEUED rows, and the execution ids of the queue's messages."""
    sent = Counter(messages)
    return Verdict(
        lost=len(due.keys() - (queued.keys() & sent.keys())),
        doubled=len((queued.keys() | sent.keys()) - due.keys()),
        stale=sum(1 for id_ in due.keys() & queued.keys() if due[id_] != queued[id_]),
        sent_again=sent.total() - len(sent),
    )
