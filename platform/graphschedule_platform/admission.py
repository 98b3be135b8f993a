"""The first step of enqueueing: judge fires, claim their slots, and write what they become.

`graphschedule_platform.enqueue` explains the order of steps. Everything here belongs to one transaction of the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from graphschedule.outcomes import Outcome, SlotState
from sqlalchemy import or_, select, update

from graphschedule_platform import context, ledger, tables
from graphschedule_platform.bulk import insert_many
from graphschedule_platform.dialects import pair_among
from graphschedule_platform.fires import Fire, FireResult, Results
from graphschedule_platform.ledger import Claim, ClaimKind, Entry, Record
from graphschedule_platform.probe import probe
from graphschedule_platform.rows import execution_rows, later_columns, queue_message
from graphschedule_platform.verdict import ExecutionRequest, Verdict, VerdictKind

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection, Table

    from graphschedule_platform.context import RunContext
    from graphschedule_platform.probe import PlatformSchema
    from graphschedule_platform.rows import Row

Judge = Callable[["Connection", Sequence[ExecutionRequest]], Sequence[Verdict]]
"""`graphschedule_platform.validate.validate_many` with everything but the requests filled in."""


class _Accepted(NamedTuple):
    """A fire that the platform would run, and what the executor is told of its user and graph."""

    fire: Fire
    verdict: Verdict
    context: RunContext

    @property
    def entry(self) -> Entry:
        """The ledger's entry, with the queue message."""
        message = queue_message(self.fire.id, self.fire.request, self.verdict, self.context)
        return self.fire.entry(self.verdict.graph_version, message)


class _Refused(NamedTuple):
    """A fire that the platform would not run."""

    fire: Fire
    verdict: Verdict

    @property
    def record(self) -> Record:
        """The ledger's record of the refusal."""
        outcome = self.verdict.kind.outcome
        return Record(self.fire.entry(), outcome.state, outcome.reason, self.verdict.message, self.verdict.node_errors)

    @property
    def result(self) -> FireResult:
        """The refusal as the fire's result."""
        return FireResult(self.fire, self.verdict.kind.outcome, self.verdict.message, self.verdict.node_errors)


def admit(connection: Connection, fires: Sequence[Fire], judge: Judge, now: datetime) -> Results:
    """Write the executions of fires that have none yet; return results for those that end here.

    A fire without a result has its execution, which now waits for its message to be published.

    Raises:
        PlatformUnsupportedError: the database is not one that we can work with.

    """
    schema = probe(connection)
    known = ledger.known_many(connection, [fire.id for fire in fires])
    accepted, refused = _judge(connection, schema, [fire for fire in fires if fire.id not in known], judge, now)
    unfinished = [fire for fire in fires if fire.id in known and known[fire.id].kind is ClaimKind.UNFINISHED]
    entries = [one.entry for one in accepted] + [fire.entry() for fire in unfinished]
    claims = known | ledger.claim_many(connection, entries, now)
    _write(connection, schema, [one for one in accepted if claims[one.fire.id].kind is ClaimKind.NEW], now)
    settled = [fire for fire in fires if fire.id in claims and claims[fire.id].kind is ClaimKind.SETTLED]
    return {fire.id: _settled(fire, claims[fire.id]) for fire in settled} | _refuse(connection, refused, now)


def _judge(
    connection: Connection, schema: PlatformSchema, fires: Sequence[Fire], judge: Judge, now: datetime
) -> tuple[list[_Accepted], list[_Refused]]:
    """Sort fires by what the platform would say; it, too, refuses a user without a row (C §2.6)."""
    if not fires:
        return [], []
    judged = list(zip(fires, judge(connection, [fire.request for fire in fires]), strict=True))
    valid = [_user_and_graph(fire) for fire, verdict in judged if verdict.valid]
    contexts = context.load_many(connection, schema, valid, now)
    accepted, refused = [], []
    for fire, verdict in judged:
        known = contexts.get(_user_and_graph(fire))
        if not verdict.valid:
            refused.append(_Refused(fire, verdict))
        elif known is None:
            refused.append(_Refused(fire, Verdict(VerdictKind.ERROR, f"User #{fire.payload.user_id} not found.")))
        else:
            accepted.append(_Accepted(fire, verdict, known))
    return accepted, refused


def _user_and_graph(fire: Fire) -> tuple[str, str]:
    return fire.payload.user_id, fire.payload.graph_id


def _write(connection: Connection, schema: PlatformSchema, accepted: Sequence[_Accepted], now: datetime) -> None:
    """Insert the executions' rows, table by table."""
    written = [execution_rows(one.fire.id, one.fire.request, one.verdict, now) for one in accepted]
    executions = [
        rows.execution | _present(schema.agent_graph_execution, later_columns(one.fire.slot, one.context))
        for rows, one in zip(written, accepted, strict=True)
    ]
    insert_many(connection, schema.agent_graph_execution, executions)
    insert_many(connection, tables.agent_node_execution, [row for rows in written for row in rows.nodes])
    insert_many(connection, tables.agent_node_execution_input_output, [row for rows in written for row in rows.inputs])
    if "last_run_at" in schema.library_agent.c:
        _note_last_run(connection, schema.library_agent, [one.fire for one in accepted], now)


def _present(table: Table, values: Row) -> Row:
    return {name: value for name, value in values.items() if name in table.c}


def _note_last_run(connection: Connection, library: Table, fires: Sequence[Fire], now: datetime) -> None:
    """Move the library entries' last run forward, never back (C §2.5)."""
    pairs = {_user_and_graph(fire) for fire in fires}
    ran = pair_among(connection, (library.c.user_id, library.c.agent_graph_id), pairs)
    earlier = or_(library.c.last_run_at.is_(None), library.c.last_run_at < now)
    # Locked in one order, so that two runners cannot deadlock.
    locked = select(library.c.id).where(ran, earlier).order_by(library.c.id).with_for_update()
    connection.execute(update(library).where(library.c.id.in_(locked)).values(last_run_at=now))


def _settled(fire: Fire, claim: Claim) -> FireResult:
    return FireResult(fire, Outcome.SKIPPED if claim.state is SlotState.SKIPPED else Outcome.ALREADY_ENQUEUED)


def _refuse(connection: Connection, refused: Sequence[_Refused], now: datetime) -> Results:
    """Record refusals; a slot that somebody else has settled meanwhile is not refused any more."""
    if not refused:
        return {}
    recorded = ledger.record_many(connection, [one.record for one in refused], now)
    return {
        one.fire.id: one.result if one.fire.id in recorded else FireResult(one.fire, Outcome.ALREADY_ENQUEUED)
        for one in refused
    }
