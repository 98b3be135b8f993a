"""The first step of enqueueing: judge fires, claim their slots, and write what they become.

`graphschedule_platform.enqueue` explains the order of steps. Everything here belongs to one transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphschedule.outcomes import Outcome, SlotState
from sqlalchemy import insert

from graphschedule_platform import context, ledger, tables
from graphschedule_platform.fires import Fire, FireResult, Results
from graphschedule_platform.ledger import Claim, ClaimKind, Entry, Record
from graphschedule_platform.rows import execution_rows, queue_message
from graphschedule_platform.verdict import ExecutionRequest, Verdict, VerdictKind

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Table

    from graphschedule_platform.context import RunContext
    from graphschedule_platform.rows import Row

Judge = Callable[["Connection", Sequence[ExecutionRequest]], Sequence[Verdict]]
"""`graphschedule_platform.validate.validate_many` with everything but the requests filled in."""


@dataclass(frozen=True, slots=True)
class _Judged:
    """A fire with its verdict and, if that is valid, what the executor is told of its user and graph."""

    fire: Fire
    verdict: Verdict
    context: RunContext | None

    @property
    def entry(self) -> Entry:
        """The ledger's entry, with the queue message if there will be one."""
        if self.context is None:
            return self.fire.entry()
        message = queue_message(self.fire.id, self.fire.request, self.verdict, self.context)
        return self.fire.entry(self.verdict.graph_version, message)


def admit(connection: Connection, fires: Sequence[Fire], judge: Judge, now: datetime) -> Results:
    """Write the executions of fires that have none yet; return results for those that end here.

    A fire without a result has its execution, which now waits for its message to be published.
    """
    known = ledger.known_many(connection, [fire.id for fire in fires])
    judged = _judge(connection, [fire for fire in fires if fire.id not in known], judge, now)
    accepted = [one for one in judged if one.context]
    unfinished = [fire for fire in fires if fire.id in known and known[fire.id].kind is ClaimKind.UNFINISHED]
    entries = [one.entry for one in accepted] + [fire.entry() for fire in unfinished]
    claims = known | ledger.claim_many(connection, entries, now)
    _write(connection, [one for one in accepted if claims[one.fire.id].kind is ClaimKind.NEW], now)
    settled = [fire for fire in fires if fire.id in claims and claims[fire.id].kind is ClaimKind.SETTLED]
    return {fire.id: _settled(fire, claims[fire.id]) for fire in settled} | _refuse(
        connection, [one for one in judged if not one.context], now
    )


def _judge(connection: Connection, fires: Sequence[Fire], judge: Judge, now: datetime) -> list[_Judged]:
    if not fires:
        return []
    verdicts = judge(connection, [fire.request for fire in fires])
    valid = [_user_and_graph(fire) for fire, verdict in zip(fires, verdicts, strict=True) if verdict.valid]
    contexts = context.load_many(connection, valid, now)
    return [_judged(fire, verdict, contexts) for fire, verdict in zip(fires, verdicts, strict=True)]


def _judged(fire: Fire, verdict: Verdict, contexts: Mapping[tuple[str, str], RunContext]) -> _Judged:
    if not verdict.valid:
        return _Judged(fire, verdict, None)
    known = contexts.get(_user_and_graph(fire))
    if known is None:  # the platform, too, needs the user's row (C §2.6)
        verdict = Verdict(VerdictKind.ERROR, f"User #{fire.payload.user_id} not found")
    return _Judged(fire, verdict, known)


def _user_and_graph(fire: Fire) -> tuple[str, str]:
    return fire.payload.user_id, fire.payload.graph_id


def _write(connection: Connection, accepted: Iterable[_Judged], now: datetime) -> None:
    """Insert the executions' rows, table by table."""
    written = [execution_rows(one.fire.id, one.fire.request, one.verdict, now) for one in accepted]
    _insert(connection, tables.agent_graph_execution, [rows.execution for rows in written])
    _insert(connection, tables.agent_node_execution, [row for rows in written for row in rows.nodes])
    _insert(connection, tables.agent_node_execution_input_output, [row for rows in written for row in rows.inputs])


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _settled(fire: Fire, claim: Claim) -> FireResult:
    return FireResult(fire, Outcome.SKIPPED if claim.state is SlotState.SKIPPED else Outcome.ALREADY_ENQUEUED)


def _record(entry: Entry, verdict: Verdict) -> Record:
    outcome = verdict.kind.outcome
    return Record(entry, outcome.state, outcome.reason, verdict.message, verdict.node_errors)


def _refuse(connection: Connection, refused: Sequence[_Judged], now: datetime) -> Results:
    """Record refusals; a slot that somebody else has settled meanwhile is not refused any more."""
    records = [_record(one.entry, one.verdict) for one in refused]
    recorded = ledger.record_many(connection, records, now)
    return {
        one.fire.id: FireResult(one.fire, one.verdict.kind.outcome, one.verdict.message, one.verdict.node_errors)
        if one.fire.id in recorded
        else FireResult(one.fire, Outcome.ALREADY_ENQUEUED)
        for one in refused
    }
