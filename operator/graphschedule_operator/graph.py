"""A schedule's graph: what is asked about it, how the answer is told, and what follows for the CronJob. Pure."""

from __future__ import annotations

from enum import Enum
from itertools import islice
from typing import TYPE_CHECKING

from graphschedule import labels
from graphschedule.errors import InvalidValueError
from graphschedule.status import ConditionType, Reason
from graphschedule_platform.verdict import ExecutionRequest

from graphschedule_operator.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphschedule_platform.verdict import NodeErrors, Verdict

    from graphschedule_operator.cache import Object
    from graphschedule_operator.desired import Accepted

ERRORS_SHOWN = 10
"""Node errors told in a condition; the rest are counted."""
MAX_MESSAGE = 4096

_FIT = (Reason.CRON_JOB_APPLIED, Reason.SUSPENDED, Reason.PERMANENT_FAILURE, Reason.BREAKER_OPEN)

NO_DATABASE = Judgement(
    "Unknown", Reason.NOT_VALIDATED, "the operator has no database to ask: set GRAPHSCHEDULE_DATABASE_URL"
)
NOT_READ = Judgement("Unknown", Reason.NOT_VALIDATED, "the spec cannot be used, so its graph was not looked at")


def request_of(schedule: Object) -> ExecutionRequest:
    """Return what an accepted schedule asks the platform to run.

    Inputs from Secrets and ConfigMaps are unknown here. They are left out, which is no error: the platform takes an
    input that is not given for its default (C §2.2).
    """
    spec = schedule["spec"]
    return ExecutionRequest(
        graph_id=spec["graph"]["id"],
        user_id=spec["userId"],
        graph_version=spec["graph"].get("version"),
        inputs=spec.get("inputs") or {},
        credentials=spec.get("credentials") or {},
    )


def judgement(verdict: Verdict) -> Judgement:
    """Return how a verdict of the platform is told."""
    if not verdict.valid:
        return Judgement("False", Reason(verdict.kind.outcome.reason), "; ".join(_sentences(verdict))[:MAX_MESSAGE])
    unchecked = "" if verdict.credentials_checked else "; credentials were judged by shape only"
    return Judgement("True", Reason.GRAPH_VALID, f"version {verdict.graph_version} of the graph can be run{unchecked}")


def unanswered(why: str) -> Judgement:
    """Return what is told of a graph that could not be judged."""
    return Judgement("Unknown", Reason.NOT_VALIDATED, f"what fired before goes on firing; {why}"[:MAX_MESSAGE])


def last_told(schedule: Object) -> Judgement | None:
    """Return what the schedule's status says of the graph, if it says so of the present spec."""
    for condition in (schedule.get("status") or {}).get("conditions") or ():
        current = condition["observedGeneration"] == schedule["metadata"]["generation"]
        if condition["type"] == ConditionType.GRAPH_VALID and current and condition["reason"] in [*Reason]:
            return Judgement(condition["status"], Reason(condition["reason"]), condition["message"])
    return None


class Aim(Enum):
    """What is to become of a schedule's firing."""

    FIRE = "as its spec asks, or not at all if that is suspended"
    KEEP = "as it does, for nobody can tell whether what an edit asks for is valid"
    STOP = "not at all"


def aim(accepted: Accepted | InvalidValueError, judged: Judgement, *, runs: bool, suspended: bool) -> Aim:
    """Return what is to become of a schedule by what is known of its graph; see `may_fire` for `runs`.

    `suspended`: the operator keeps it from firing. To be suspended needs no verdict.
    """
    if isinstance(accepted, InvalidValueError):
        return Aim.STOP
    if may_fire(judged, runs=runs):
        return Aim.FIRE
    waits = judged.status == "Unknown" and not (suspended or accepted.spec.suspend)
    return Aim.KEEP if waits else Aim.STOP


def may_fire(judged: Judgement, *, runs: bool) -> bool:
    """Tell whether a schedule may run what its spec asks for: once it is valid, and from then on.

    `runs`: its CronJob runs exactly this already, which is how we know that it was valid once. When it stops being
    valid it goes on: its slots fail, and `spec.onPermanentFailure` decides.
    """
    return judged.status == "True" or judged == NO_DATABASE or runs


def runs(cronjob: Object | None, accepted: Accepted) -> bool:
    """Tell whether a CronJob of its own gives a schedule's runs what the spec asks for now."""
    if cronjob is None:
        return False
    template = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    annotations = template.get("metadata", {}).get("annotations", {})
    return bool(annotations.get(labels.RUN_ANNOTATION) == accepted.payload)


def was_fit(schedule: Object) -> bool:
    """Tell whether a schedule's status says that its present spec fires, or would if it was not suspended.

    So it is known of one that fires together with others, and of one that left them, that it was valid once.
    """
    for told in (schedule.get("status") or {}).get("conditions") or ():
        if told["type"] == ConditionType.SCHEDULED:
            current = told["observedGeneration"] == schedule["metadata"]["generation"]
            return current and told["reason"] in _FIT
    return False


def _sentences(verdict: Verdict) -> Iterator[str]:
    yield verdict.message
    yield from islice(_node_errors(verdict.node_errors), ERRORS_SHOWN)
    more = sum(map(len, verdict.node_errors.values())) - ERRORS_SHOWN
    if more > 0:
        yield f"and {more} more"


def _node_errors(errors: NodeErrors) -> Iterator[str]:
    for node, fields in errors.items():
        yield from (f"node {node}, {field}: {message}" for field, message in fields.items())
