r"""The slot ledger: what became of every slot of every schedule (M35), and the arbiter of exactly once (M10).

One row per slot, in our own schema `graphschedule`. All functions work on sets of slots (one slot is a set of one),
run inside the caller's transaction and never commit. Two runners with the same slot are settled by the database:
the row's primary key decides who claims it, the row's lock decides who publishes it.

How a slot is enqueued, in two transactions:

1. `claim_many`, then the platform's rows of every claim that is `NEW`; commit. From here on the slot has exactly one
   execution, whoever finishes it.
2. `lock_unfinished`, publish the messages of the slots it returned, `mark_enqueued_many`; commit. The locks keep a
   duplicate from publishing at the same time; a crash releases them, and the next attempt or `repair` finishes.

States and transitions (a cell is the state after the event; `=` means that nothing changes):

| state \ event | claim_many          | mark_enqueued_many | record skipped | record failed | record missed |
|---------------|---------------------|--------------------|----------------|---------------|---------------|
| no row        | claimed, NEW        | =                  | skipped        | failed        | missed        |
| missed        | claimed, NEW        | =                  | skipped        | failed        | =             |
| failed        | claimed, NEW        | =                  | skipped        | failed        | =             |
| failed, rows  | claimed, UNFINISHED | enqueued           | =              | failed        | =             |
| claimed       | claimed, UNFINISHED | enqueued           | =              | failed        | =             |
| skipped       | =, SETTLED          | =                  | =              | =             | =             |
| enqueued      | =, SETTLED          | =                  | =              | =             | =             |

"Rows" means that the execution's rows are written, which is so exactly if `claimed_at` is set: it is set in the
transaction that writes them. A failure, permanent or not, never closes a slot: a later attempt (a retried pod, a person
after mending the graph) may still enqueue it, and it is still enqueued once.

**Following changes.** Every write stamps the row with `revision`, a number that never decreases. On PostgreSQL it is
the id of the writing transaction, since a sequence would hand out numbers that commit out of order and a reader would
step over the late ones. `changes_since` reads up to the oldest transaction that is still running, so it misses none; it
shows a row's present state, so counts must be computed from rows, never added up from changes. PostgreSQL also sends
`NOTIFY graphschedule_slot` per writing transaction: a hint to read soon, with nothing in it that could be lost.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING, Any, NamedTuple

from graphschedule.outcomes import Outcome, SlotState
from graphschedule.slots import Slot
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    and_,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    true,
    update,
)

from graphschedule_platform.column_types import Json, UtcTimestamp, json_timestamp, without_control_characters
from graphschedule_platform.dialects import among, insert, recordset

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row, Select
    from sqlalchemy.dialects import postgresql, sqlite

SCHEMA = "graphschedule"
"""Our own schema on PostgreSQL; SQLite has no schemas."""

CHANNEL = "graphschedule_slot"
"""The NOTIFY channel."""

_NEXT_REVISION = "(SELECT coalesce(max(revision), 0) + 1 FROM slot)"
"""On SQLite writers take turns (`BEGIN IMMEDIATE`), so counting up is in the order of commits."""

_UNFINISHED = text("claimed_at IS NOT NULL AND state IN ('claimed', 'failed')")
"""The execution's rows are written, and its message is not known to be in the queue."""

metadata = MetaData()

slot_table = Table(
    "slot",
    metadata,
    Column("id", Text, primary_key=True),
    Column("schedule_uid", Text, nullable=False),
    Column("slot", Text, nullable=False),
    Column("fire_time", UtcTimestamp),
    Column("namespace", Text, nullable=False),
    Column("schedule_name", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("graph_id", Text, nullable=False),
    Column("graph_version", Integer),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("node_errors", Json, nullable=False),
    Column("queue_message", Text),
    Column("attempts", Integer, nullable=False),
    Column("created_at", UtcTimestamp, nullable=False),
    Column("claimed_at", UtcTimestamp),
    Column("enqueued_at", UtcTimestamp),
    Column("updated_at", UtcTimestamp, nullable=False),
    Column("revision", BigInteger, nullable=False),
    UniqueConstraint("schedule_uid", "slot", name="slot_schedule_uid_slot_key"),
    CheckConstraint("state IN ('claimed', 'enqueued', 'skipped', 'failed', 'missed')", name="slot_state_check"),
    Index("slot_revision_idx", "revision"),
    Index("slot_unfinished_idx", "updated_at", postgresql_where=_UNFINISHED),
    Index("slot_state_idx", "schedule_uid", "state"),
    Index("slot_time_idx", "schedule_uid", text("coalesce(fire_time, created_at)")),
    schema=SCHEMA,
)
"""One row per slot. `id` is the slot's execution id, whether or not there is an execution yet."""

_c = slot_table.c
_STANDING = (_c.id, _c.state, _c.attempts, _c.claimed_at)

_OUTCOMES = (SlotState.ENQUEUED, SlotState.SKIPPED, SlotState.FAILED, SlotState.MISSED)
_BEFORE_ALL = literal(datetime(1970, 1, 1, tzinfo=UTC), UtcTimestamp)

_BATCH = 10_000
"""Ids per statement: SQLite takes 32,766 parameters in one, PostgreSQL 65,535."""


class Entry(NamedTuple):
    """A slot, and whose it is. `graph_version` is None while it is not resolved."""

    slot: Slot
    namespace: str
    schedule_name: str
    user_id: str
    graph_id: str
    graph_version: int | None = None
    queue_message: str | None = None
    """What a claim keeps until it is published: whoever finishes the slot sends this and judges nothing again."""


class Record(NamedTuple):
    """A slot that came to skipped, failed or missed, and why: `reason` for programs, `message` for people."""

    entry: Entry
    state: SlotState
    reason: str
    message: str = ""
    node_errors: Mapping[str, Mapping[str, str]] = {}


class ClaimKind(Enum):
    """What a claim came to."""

    NEW = "new"
    """The slot is the caller's: it must write the execution's rows in this very transaction."""
    UNFINISHED = "unfinished"
    """The rows are written already; what remains is to lock, publish and mark."""
    SETTLED = "settled"
    """The slot is enqueued or skipped: there is nothing to do."""


class Claim(NamedTuple):
    """What a claim came to, the slot's state after it, and how many attempts were made so far, this one included."""

    kind: ClaimKind
    state: SlotState
    attempts: int


class SlotRow(NamedTuple):
    """A row of the ledger."""

    id: str
    schedule_uid: str
    slot: str
    fire_time: datetime | None
    namespace: str
    schedule_name: str
    user_id: str
    graph_id: str
    graph_version: int | None
    state: SlotState
    reason: str
    message: str
    node_errors: Mapping[str, Mapping[str, str]]
    queue_message: str | None
    attempts: int
    created_at: datetime
    claimed_at: datetime | None
    enqueued_at: datetime | None
    updated_at: datetime
    revision: int

    @property
    def time(self) -> datetime:
        """The fire time; of a slot made by hand, when it was first recorded."""
        return self.fire_time or self.created_at

    @property
    def entry(self) -> Entry:
        """The slot, and whose it is."""
        slot = Slot(self.schedule_uid, self.slot, self.fire_time)
        return Entry(slot, self.namespace, self.schedule_name, self.user_id, self.graph_id, self.graph_version)


class Changes(NamedTuple):
    """The rows that changed, oldest change first, and the revision to ask from next time."""

    rows: tuple[SlotRow, ...]
    revision: int


class Summary(NamedTuple):
    """What all slots of one schedule amount to.

    Slots are in the order of `SlotRow.time`. Slots made
    by hand are slots like any other: a run by hand that succeeds ends a row of failures, one that fails adds to it.
    Claimed slots have come to nothing yet and count nowhere.
    """

    counts: Mapping[SlotState, int]
    """How many slots are enqueued, skipped, failed and missed."""
    failures: int
    """Failed and missed slots after the last enqueued one."""
    last: SlotRow | None
    """The newest slot that came to something."""
    failure: SlotRow | None
    """The newest one of the `failures`."""


def known_many(connection: Connection, ids: Collection[str]) -> dict[str, Claim]:
    """Return what claims of these slots would come to, for those that are settled or have their rows already.

    Nothing is locked: it saves work, and only `claim_many` decides.
    """
    claims = (
        (row.id, _claim_of(row))
        for batch in _batches(sorted(ids))
        for row in connection.execute(select(*_STANDING).where(among(connection, _c.id, batch)))
    )
    return {id_: claim for id_, claim in claims if claim.kind is not ClaimKind.NEW}


def claim_many(connection: Connection, entries: Iterable[Entry], now: datetime) -> dict[str, Claim]:
    """Claim slots; return what each claim came to, by execution id.

    Waits for another transaction that is claiming or publishing one of them, so that the answer is final.
    """
    rows = _rows(
        _identity(entry, now)
        | {"state": SlotState.CLAIMED, "attempts": 1, "claimed_at": now, "queue_message": entry.queue_message}
        for entry in entries
    )
    new = set(connection.scalars(_insert(connection, rows).on_conflict_do_nothing().returning(_c.id)))
    claims = dict.fromkeys(new, Claim(ClaimKind.NEW, SlotState.CLAIMED, 1))
    claims |= _claim_known(connection, {id_: row for id_, row in rows.items() if id_ not in new})
    return claims


def lock_unfinished(connection: Connection, ids: Collection[str]) -> list[SlotRow]:
    """Lock those of the slots that still have to be published, and return them.

    The locks last until the end of the transaction. Waits for whoever holds one of them; a slot that was finished
    meanwhile is not returned.
    """
    return [
        _slot_row(row)
        for batch in _batches(sorted(ids))
        for row in connection.execute(
            select(slot_table).where(among(connection, _c.id, batch), _UNFINISHED).order_by(_c.id).with_for_update()
        )
    ]


def mark_enqueued_many(connection: Connection, ids: Collection[str], now: datetime) -> frozenset[str]:
    """Mark slots whose message is in the queue; return those that were not marked before."""
    enqueued = update(slot_table).values(
        state=SlotState.ENQUEUED,
        reason=Outcome.ENQUEUED.reason,
        message="",
        node_errors={},
        queue_message=None,
        enqueued_at=now,
        updated_at=now,
        revision=_revision(connection),
    )
    return frozenset(
        id_
        for batch in _batches(sorted(ids))
        for id_ in connection.scalars(enqueued.where(among(connection, _c.id, batch), _UNFINISHED).returning(_c.id))
    )


def record_many(connection: Connection, records: Iterable[Record], now: datetime) -> frozenset[str]:
    """Record slots as skipped, failed or missed; return the ids of those whose state allowed it."""
    rows = _rows(
        _identity(record.entry, now)
        | {
            "state": record.state,
            "reason": record.reason,
            "message": without_control_characters(record.message),
            "node_errors": without_control_characters(record.node_errors),
            "attempts": 0 if record.state is SlotState.MISSED else 1,
        }
        for record in records
    )
    new = _insert(connection, rows)
    told = new.excluded
    unsettled = or_(_c.state == SlotState.MISSED, _c.state == SlotState.FAILED)
    allowed = or_(
        and_(told.state == SlotState.FAILED, or_(unsettled, _c.state == SlotState.CLAIMED)),
        and_(told.state == SlotState.SKIPPED, unsettled, _c.claimed_at.is_(None)),
    )
    statement = new.on_conflict_do_update(
        index_elements=[_c.id],
        set_={
            **{name: told[name] for name in ("state", "reason", "message", "node_errors", "updated_at")},
            "graph_version": func.coalesce(told.graph_version, _c.graph_version),
            # The claim has counted its attempt already.
            "attempts": _c.attempts + case((_c.state == SlotState.CLAIMED, 0), else_=1),
            "revision": _revision(connection),
        },
        where=allowed,
    ).returning(_c.id)
    return frozenset(connection.scalars(statement))


def unfinished(connection: Connection, older_than: datetime, limit: int = 1000) -> list[SlotRow]:
    """Lock and return slots whose last attempt was before `older_than` and did not get their message queued.

    Oldest first. Slots that somebody is publishing at this moment are left out, not waited for.
    """
    query = (
        select(slot_table)
        .where(_UNFINISHED, _c.updated_at < older_than)
        .order_by(_c.updated_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    return [_slot_row(row) for row in connection.execute(query)]


def changes_since(connection: Connection, revision: int = 0) -> Changes:
    """Return the rows changed at `revision` or later by transactions that are all over; 0 returns every row.

    A change that is not returned now, because its transaction or an older one is still running, is returned by a later
    call. Valid within one process' life against one server: start from 0 or the `horizon` after a restart.
    """
    until = horizon(connection)
    query = select(slot_table).where(_c.revision >= revision, _c.revision < until).order_by(_c.revision, _c.id)
    return Changes(tuple(_slot_row(row) for row in connection.execute(query)), max(revision, until))


def horizon(connection: Connection) -> int:
    """Return the revision from which on `changes_since` tells of everything that cannot be seen yet."""
    oldest_running = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
    return connection.scalars(select(_per_dialect(connection, oldest_running, _NEXT_REVISION))).one()


def states_of(connection: Connection, ids: Collection[str]) -> dict[str, SlotState]:
    """Return the state of each of these slots that the ledger knows."""
    return {
        row.id: SlotState(row.state)
        for batch in _batches(sorted(ids))
        for row in connection.execute(select(_c.id, _c.state).where(among(connection, _c.id, batch)))
    }


def summaries(connection: Connection, schedule_uids: Collection[str] | None = None) -> dict[str, Summary]:
    """Return by uid what the slots of these schedules, or of all, amount to; one without slots has no summary."""
    chosen: list[ColumnElement[bool]] = [true()]
    if schedule_uids is not None:
        chosen = [among(connection, _c.schedule_uid, batch) for batch in _batches(sorted(schedule_uids))]
    tallies = [tally for condition in chosen for tally in connection.execute(_tallies(condition))]
    ids = sorted({id_ for tally in tallies for id_ in (tally.last_id, tally.failure_id) if id_ is not None})
    rows = {
        row.id: _slot_row(row)
        for batch in _batches(ids)
        for row in connection.execute(select(slot_table).where(among(connection, _c.id, batch)))
    }
    return {
        tally.schedule_uid: Summary(
            counts={state: getattr(tally, state) for state in _OUTCOMES},
            failures=tally.failures,
            last=rows[tally.last_id],
            failure=rows.get(tally.failure_id),
        )
        for tally in tallies
    }


def _tallies(chosen: ColumnElement[bool]) -> Select[*tuple[Any, ...]]:
    """Return the query of one row per schedule: counts, failures in a row, and the ids of its newest slots.

    `slot_state_idx` serves the counts. All else walks `slot_time_idx` from its end, no further than the last success.
    """
    counts = [func.count().filter(_c.state == state).label(state) for state in _OUTCOMES]
    decided = _c.state != SlotState.CLAIMED
    counted = select(_c.schedule_uid, *counts).where(chosen, decided).group_by(_c.schedule_uid).subquery()

    slot = slot_table.alias().c
    time = func.coalesce(slot.fire_time, slot.created_at)
    newest_first = (time.desc(), slot.id)
    success = select(time).where(slot.schedule_uid == counted.c.schedule_uid, slot.state == SlotState.ENQUEUED)
    success = success.order_by(*newest_first).limit(1)
    known = select(counted, func.coalesce(success.scalar_subquery(), _BEFORE_ALL).label("success")).subquery()

    its = slot.schedule_uid == known.c.schedule_uid
    last = select(slot.id).where(its, slot.state != SlotState.CLAIMED).order_by(*newest_first).limit(1)
    failed = and_(its, slot.state.in_([SlotState.FAILED, SlotState.MISSED]), time > known.c.success)
    failure = select(slot.id).where(failed).order_by(*newest_first).limit(1)
    return select(
        known,
        last.scalar_subquery().label("last_id"),
        failure.scalar_subquery().label("failure_id"),
        select(func.count()).where(failed).scalar_subquery().label("failures"),
    )


def _claim_known(connection: Connection, rows: Mapping[str, dict[str, Any]]) -> dict[str, Claim]:
    """Claim slots that have a row already, in the order of their ids so that bulk claimers cannot deadlock."""
    claims: dict[str, Claim] = {}
    for batch in _batches(list(rows)):
        query = select(*_STANDING).where(among(connection, _c.id, batch)).order_by(_c.id).with_for_update()
        claims |= {row.id: _claim_of(row) for row in connection.execute(query)}
    open_again = {id_: rows[id_] for id_, claim in claims.items() if claim.kind is not ClaimKind.SETTLED}
    if not open_again:
        return claims
    new = _insert(connection, open_again)
    told = new.excluded
    connection.execute(
        new.on_conflict_do_update(
            index_elements=[_c.id],
            set_={
                **{name: told[name] for name in ("state", "reason", "message", "node_errors", "updated_at")},
                "graph_version": case((_c.claimed_at.is_(None), told.graph_version), else_=_c.graph_version),
                "claimed_at": func.coalesce(_c.claimed_at, told.claimed_at),
                "queue_message": func.coalesce(_c.queue_message, told.queue_message),
                "attempts": _c.attempts + 1,
                "revision": _revision(connection),
            },
        )
    )
    return claims


def _claim_of(row: Row[*tuple[Any, ...]]) -> Claim:
    """Return what a claim of a slot with this row comes to."""
    if row.state in {SlotState.ENQUEUED, SlotState.SKIPPED}:
        return Claim(ClaimKind.SETTLED, SlotState(row.state), row.attempts)
    kind = ClaimKind.NEW if row.claimed_at is None else ClaimKind.UNFINISHED
    return Claim(kind, SlotState.CLAIMED, row.attempts + 1)


def _identity(entry: Entry, now: datetime) -> dict[str, Any]:
    slot = entry.slot
    return {
        "id": slot.execution_id,
        "schedule_uid": slot.schedule_uid,
        "slot": slot.key,
        "fire_time": slot.fire_time,
        "namespace": entry.namespace,
        "schedule_name": entry.schedule_name,
        "user_id": entry.user_id,
        "graph_id": entry.graph_id,
        "graph_version": entry.graph_version,
        "reason": "",
        "message": "",
        "node_errors": {},
        "created_at": now,
        "updated_at": now,
    }


def _rows(rows: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return each slot once, in the order of ids: transactions that lock in one order cannot deadlock."""
    return dict(sorted((row["id"], row) for row in rows))


def _insert(connection: Connection, rows: Mapping[str, Mapping[str, Any]]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT of rows that travel as one JSON parameter.

    One statement takes any number of them, and a driver is far quicker with one parameter than with twenty a row.
    """
    names = [column.name for column in slot_table.columns if column.name != "revision"]
    document = json.dumps(list(rows.values()), default=json_timestamp)
    members: list[ColumnElement[Any]]
    if connection.dialect.name == "postgresql":
        members = list(recordset(f"{SCHEMA}.slot", document, names).c)
    else:
        source = func.json_each(literal(document, Text)).table_valued("value")
        members = [source.c.value.op("->>")(name) for name in names]
    # Without WHERE, SQLite would take ON CONFLICT for the ON of a join.
    given = select(*members, _revision(connection)).where(true())
    return insert(connection, slot_table).from_select([*names, "revision"], given)


def _revision(connection: Connection) -> ColumnElement[int]:
    return _per_dialect(connection, "pg_current_xact_id()::text::bigint", _NEXT_REVISION)


def _per_dialect(connection: Connection, postgresql: str, sqlite: str) -> ColumnElement[int]:
    return literal_column(postgresql if connection.dialect.name == "postgresql" else sqlite, BigInteger)


def _batches(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    return (ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH))


def _slot_row(row: Row[Any]) -> SlotRow:
    return SlotRow._make(row)._replace(state=SlotState(row.state))
