"""The slot ledger: its table of transitions, and what the database settles between rivals."""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from graphschedule.outcomes import SlotState
from graphschedule.slots import Slot
from graphschedule_platform import ledger
from graphschedule_platform.ledger import Claim, ClaimKind, Entry, Record
from sqlalchemy import select, text

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection, Engine

NOW = datetime(2026, 5, 4, 9, 0, 1, 234_000, tzinfo=UTC)
LATER = NOW + timedelta(seconds=30)


def an_entry(minute: int = 0, schedule_uid: str | None = None) -> Entry:
    slot = Slot.at(schedule_uid or str(uuid.uuid4()), datetime(2026, 5, 4, 9, minute, tzinfo=UTC))
    return Entry(slot, "team-a", "daily", "user-1", "graph-1", 3, '{"graph_exec_id": "e"}')


def id_of(entry: Entry) -> str:
    return entry.slot.execution_id


def rows_of(connection: Connection) -> dict[str, ledger.SlotRow]:
    return {row.id: row for row in all_rows(connection)}


def all_rows(connection: Connection) -> list[ledger.SlotRow]:
    table = ledger.slot_table
    return [ledger._slot_row(row) for row in connection.execute(select(table))]


def the_row(engine: Engine) -> ledger.SlotRow:
    with engine.begin() as connection:
        (row,) = all_rows(connection)
    return row


def claim(connection: Connection, entry: Entry) -> object:
    return ledger.claim_many(connection, [entry], LATER)[id_of(entry)].kind


def mark_enqueued(connection: Connection, entry: Entry) -> object:
    return ledger.mark_enqueued_many(connection, [id_of(entry)], LATER) == {id_of(entry)}


def lock(connection: Connection, ids: Collection[str]) -> set[str]:
    return {row.id for row in ledger.lock_unfinished(connection, ids)}


def record(state: SlotState) -> Callable[[Connection, Entry], object]:
    def do(connection: Connection, entry: Entry) -> object:
        return ledger.record_many(connection, [Record(entry, state, f"Because{state}")], LATER) == {id_of(entry)}

    return do


fail, skip, miss = record(SlotState.FAILED), record(SlotState.SKIPPED), record(SlotState.MISSED)


STARTS: dict[str, list[Callable[[Connection, Entry], object]]] = {
    "no row": [],
    "missed": [miss],
    "failed": [fail],
    "failed, rows": [claim, fail],
    "claimed": [claim],
    "skipped": [skip],
    "enqueued": [claim, mark_enqueued],
}
NEW, UNFINISHED, SETTLED = ClaimKind.NEW, ClaimKind.UNFINISHED, ClaimKind.SETTLED
EVENTS = (claim, mark_enqueued, skip, fail, miss)
TRANSITIONS: dict[str, tuple[tuple[str | None, object], ...]] = {
    # start:        claim_many               mark_enqueued        skipped               failed              missed
    "no row": (("claimed", NEW), (None, False), ("skipped", True), ("failed", True), ("missed", True)),
    "missed": (("claimed", NEW), ("missed", False), ("skipped", True), ("failed", True), ("missed", False)),
    "failed": (("claimed", NEW), ("failed", False), ("skipped", True), ("failed", True), ("failed", False)),
    "failed, rows": (
        ("claimed", UNFINISHED),
        ("enqueued", True),
        ("failed", False),
        ("failed", True),
        ("failed", False),
    ),
    "claimed": (
        ("claimed", UNFINISHED),
        ("enqueued", True),
        ("claimed", False),
        ("failed", True),
        ("claimed", False),
    ),
    "skipped": tuple(("skipped", SETTLED if event is claim else False) for event in EVENTS),
    "enqueued": tuple(("enqueued", SETTLED if event is claim else False) for event in EVENTS),
}


@pytest.mark.parametrize("start", TRANSITIONS)
def test_the_documented_transitions_hold(platform_db: Engine, start: str) -> None:
    for event, (state, answer) in zip(EVENTS, TRANSITIONS[start], strict=True):
        entry = an_entry()
        with platform_db.begin() as connection:
            for step in STARTS[start]:
                step(connection, entry)
            assert event(connection, entry) == answer, f"{start}: {event}"
            row = rows_of(connection).get(id_of(entry))
            assert (row and row.state) == state, f"{start}: {event}"


def test_a_claimed_slot_is_kept_with_all_its_facts(platform_db: Engine) -> None:
    entry = an_entry()
    with platform_db.begin() as connection:
        ledger.claim_many(connection, [entry], NOW)
    row = the_row(platform_db)
    assert row.revision > 0
    assert row == ledger.SlotRow(
        id=id_of(entry),
        schedule_uid=entry.slot.schedule_uid,
        slot="2026-05-04T09:00:00Z",
        fire_time=datetime(2026, 5, 4, 9, tzinfo=UTC),
        namespace="team-a",
        schedule_name="daily",
        user_id="user-1",
        graph_id="graph-1",
        graph_version=3,
        state=SlotState.CLAIMED,
        reason="",
        message="",
        node_errors={},
        queue_message='{"graph_exec_id": "e"}',
        attempts=1,
        created_at=NOW,
        claimed_at=NOW,
        enqueued_at=None,
        updated_at=NOW,
        revision=row.revision,
    )


def test_a_manual_slot_has_no_fire_time(platform_db: Engine) -> None:
    entry = Entry(Slot.manual(str(uuid.uuid4()), "job-1"), "n", "s", "u", "g")
    with platform_db.begin() as connection:
        ledger.claim_many(connection, [entry], NOW)
    row = the_row(platform_db)
    assert (row.slot, row.fire_time, row.graph_version) == ("manual:job-1", None, None)


def test_a_failure_is_kept_with_its_reason_until_a_retry_succeeds(platform_db: Engine) -> None:
    entry = an_entry()
    errors = {"node-1": {"text": "This field is required"}}
    with platform_db.begin() as connection:
        ledger.record_many(connection, [Record(entry, SlotState.FAILED, "GraphInvalid", "1 issue", errors)], NOW)
    row = the_row(platform_db)
    assert (row.reason, row.message, row.node_errors, row.attempts) == ("GraphInvalid", "1 issue", errors, 1)
    with platform_db.begin() as connection:
        assert ledger.claim_many(connection, [entry], LATER) == {
            id_of(entry): Claim(ClaimKind.NEW, SlotState.CLAIMED, 2)
        }
        ledger.mark_enqueued_many(connection, [id_of(entry)], LATER)
    row = the_row(platform_db)
    assert (row.state, row.reason, row.message, row.node_errors) == (SlotState.ENQUEUED, "Enqueued", "", {})
    assert (row.created_at, row.claimed_at, row.enqueued_at, row.attempts) == (NOW, LATER, LATER, 2)
    assert row.queue_message is None


def test_attempts_count_runs_of_the_runner_and_nothing_else(platform_db: Engine) -> None:
    entry = an_entry()
    attempts = []
    for event in (miss, fail, fail, claim, fail, claim, mark_enqueued):
        with platform_db.begin() as connection:
            event(connection, entry)
        attempts.append(the_row(platform_db).attempts)
    assert attempts == [0, 1, 2, 3, 3, 4, 4]


def test_a_retry_that_resolves_another_graph_version_says_so(platform_db: Engine) -> None:
    entry = an_entry()
    newer = Entry(entry.slot, "team-a", "daily", "user-1", "graph-1", 4)
    with platform_db.begin() as connection:
        fail(connection, entry)
        claim(connection, newer)
        assert rows_of(connection)[id_of(entry)].graph_version == 4
        claim(connection, entry)
        assert rows_of(connection)[id_of(entry)].graph_version == 4, "the rows are written for version 4"


def test_bulk_calls_sort_out_every_slot_by_itself(platform_db: Engine) -> None:
    entries = [an_entry(minute) for minute in range(6)]
    fresh, unfinished, enqueued, skipped, failed, missed = entries
    with platform_db.begin() as connection:
        ledger.claim_many(connection, [unfinished, enqueued], NOW)
        ledger.mark_enqueued_many(connection, [id_of(enqueued)], NOW)
        states = [(skipped, SlotState.SKIPPED), (failed, SlotState.FAILED), (missed, SlotState.MISSED)]
        ledger.record_many(connection, [Record(entry, state, "r") for entry, state in states], NOW)
        claims = ledger.claim_many(connection, [*entries, fresh], LATER)
        assert [claims[id_of(entry)].kind for entry in entries] == [NEW, UNFINISHED, SETTLED, SETTLED, NEW, NEW]
        to_publish = lock(connection, [id_of(entry) for entry in entries])
        assert to_publish == {id_of(entry) for entry in (fresh, unfinished, failed, missed)}
        assert ledger.mark_enqueued_many(connection, [id_of(entry) for entry in entries], LATER) == to_publish
        assert lock(connection, to_publish) == set()


def test_nothing_to_do_is_no_error(platform_db: Engine) -> None:
    with platform_db.begin() as connection:
        assert ledger.claim_many(connection, [], NOW) == {}
        assert lock(connection, []) == set()
        assert ledger.mark_enqueued_many(connection, [], NOW) == frozenset()
        assert ledger.record_many(connection, [], NOW) == frozenset()
        assert ledger.unfinished(connection, NOW) == []


def test_more_slots_than_one_statement_takes_are_claimed_and_marked(platform_db: Engine) -> None:
    entries = [an_entry(schedule_uid=str(uuid.UUID(int=number))) for number in range(12_000)]
    ids = {id_of(entry) for entry in entries}
    with platform_db.begin() as connection:
        claims = ledger.claim_many(connection, entries, NOW)
        assert {id_ for id_, claim in claims.items() if claim.kind is NEW} == ids
    with platform_db.begin() as connection:
        assert {claim.kind for claim in ledger.claim_many(connection, entries, NOW).values()} == {UNFINISHED}
        assert ledger.mark_enqueued_many(connection, lock(connection, ids), LATER) == ids


def test_a_rolled_back_claim_leaves_the_slot_to_others(platform_db: Engine) -> None:
    entry = an_entry()
    with platform_db.connect() as connection:
        assert claim(connection, entry) is NEW
        connection.rollback()
    with platform_db.begin() as connection:
        assert claim(connection, entry) is NEW


def until_one_waits(engine: Engine) -> None:
    """Return once a session of this database waits for another's lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while True:
        with engine.connect() as connection:
            if connection.scalar(waiting):
                return


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("rival_commits", "kind"), [(True, UNFINISHED), (False, NEW)])
def test_a_claim_waits_for_a_rival_in_the_middle_of_its_own(
    platform_db: Engine, rival_commits: bool, kind: ClaimKind
) -> None:
    entry = an_entry()

    def claim_too() -> object:
        with platform_db.begin() as connection:
            return claim(connection, entry)

    with ThreadPoolExecutor(1) as pool, platform_db.connect() as rival:
        assert claim(rival, entry) is NEW
        answer = pool.submit(claim_too)
        until_one_waits(platform_db)
        rival.commit() if rival_commits else rival.rollback()
        assert answer.result(timeout=30) is kind


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_a_publisher_waits_for_a_rival_and_then_has_nothing_to_publish(platform_db: Engine) -> None:
    entry = an_entry()

    def lock_too() -> set[str]:
        with platform_db.begin() as connection:
            return lock(connection, [id_of(entry)])

    with platform_db.begin() as connection:
        claim(connection, entry)
    with ThreadPoolExecutor(1) as pool, platform_db.connect() as rival:
        assert lock(rival, [id_of(entry)]) == {id_of(entry)}
        answer = pool.submit(lock_too)
        until_one_waits(platform_db)
        mark_enqueued(rival, entry)
        rival.commit()
        assert answer.result(timeout=30) == set()


def test_rivals_for_the_same_slots_get_each_exactly_once(platform_db: Engine) -> None:
    entries = [an_entry(minute, "5b0f1a52-0f2b-4f0e-9d53-3d1c7f1b0a11") for minute in range(40)]
    rivals = 4
    start = threading.Barrier(rivals)

    def run(turn: int) -> tuple[list[str], list[str]]:
        won: list[str] = []
        published: list[str] = []
        start.wait()
        for first in range(0, len(entries), 8):
            batch = entries[first : first + 8][:: 1 if turn % 2 else -1]
            with platform_db.begin() as connection:
                claims = ledger.claim_many(connection, batch, NOW)
                won += [id_ for id_, claim in claims.items() if claim.kind is NEW]
            with platform_db.begin() as connection:
                held = lock(connection, claims)
                published += ledger.mark_enqueued_many(connection, held, NOW)
                assert set(published) >= held
        return won, published

    with ThreadPoolExecutor(rivals) as pool:
        outcomes = list(pool.map(run, range(rivals)))
    every = sorted(id_of(entry) for entry in entries)
    assert sorted(id_ for won, _ in outcomes for id_ in won) == every
    assert sorted(id_ for _, published in outcomes for id_ in published) == every


def test_what_is_known_is_told_without_a_lock(platform_db: Engine) -> None:
    entries = [an_entry(minute) for minute in range(4)]
    failed, claimed, skipped = entries[1:]
    with platform_db.begin() as connection:
        for event, entry in ((fail, failed), (claim, claimed), (skip, skipped)):
            event(connection, entry)
        assert ledger.known_many(connection, [id_of(entry) for entry in entries]) == {
            id_of(claimed): Claim(UNFINISHED, SlotState.CLAIMED, 2),
            id_of(skipped): Claim(SETTLED, SlotState.SKIPPED, 1),
        }


def test_a_row_gives_its_entry_back(platform_db: Engine) -> None:
    entry = an_entry()
    with platform_db.begin() as connection:
        ledger.claim_many(connection, [entry], NOW)
        (row,) = ledger.lock_unfinished(connection, [id_of(entry)])
    assert row.entry == entry._replace(queue_message=None)


def test_repair_sees_old_unfinished_slots_oldest_first(platform_db: Engine) -> None:
    old, older, failed, fresh, done = (an_entry(minute) for minute in range(5))
    with platform_db.begin() as connection:
        ledger.claim_many(connection, [older, done], NOW)
        ledger.mark_enqueued_many(connection, [id_of(done)], NOW)
        ledger.claim_many(connection, [old, failed], NOW + timedelta(seconds=1))
        ledger.record_many(
            connection, [Record(failed, SlotState.FAILED, "Transient", "broker down")], NOW + timedelta(seconds=2)
        )
        ledger.record_many(connection, [Record(an_entry(9), SlotState.FAILED, "GraphInvalid")], NOW)
        ledger.claim_many(connection, [fresh], LATER)
    with platform_db.begin() as connection:
        found = [row.id for row in ledger.unfinished(connection, LATER)]
        assert found == [id_of(entry) for entry in (older, old, failed)]
        assert [row.id for row in ledger.unfinished(connection, LATER, limit=1)] == found[:1]


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_repair_leaves_out_what_somebody_is_publishing(platform_db: Engine) -> None:
    busy, left = an_entry(0), an_entry(1)
    with platform_db.begin() as connection:
        ledger.claim_many(connection, [busy, left], NOW)
    with platform_db.begin() as publisher, platform_db.begin() as repair:
        ledger.lock_unfinished(publisher, [id_of(busy)])
        assert [row.id for row in ledger.unfinished(repair, LATER)] == [id_of(left)]


def test_changes_are_followed_without_gaps_or_repeats(platform_db: Engine) -> None:
    first, second = an_entry(0), an_entry(1)
    with platform_db.begin() as connection:
        ledger.claim_many(connection, [first], NOW)
    with platform_db.begin() as connection:
        seen = ledger.changes_since(connection)
        assert [row.id for row in seen.rows] == [id_of(first)]
    with platform_db.begin() as connection:
        assert ledger.changes_since(connection, seen.revision).rows == ()
    with platform_db.begin() as connection:
        ledger.record_many(connection, [Record(second, SlotState.SKIPPED, "r")], NOW)
        ledger.mark_enqueued_many(connection, [id_of(first)], NOW)
    with platform_db.begin() as connection:
        changes = ledger.changes_since(connection, seen.revision)
        assert {row.id: row.state for row in changes.rows} == {id_of(first): "enqueued", id_of(second): "skipped"}


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_a_change_that_commits_late_is_not_stepped_over(platform_db: Engine) -> None:
    slow, quick = an_entry(0), an_entry(1)
    with platform_db.connect() as slow_writer:
        ledger.claim_many(slow_writer, [slow], NOW)
        with platform_db.begin() as connection:
            ledger.claim_many(connection, [quick], NOW)
        with platform_db.begin() as reader:
            early = ledger.changes_since(reader)
        slow_writer.commit()
    assert early.rows == (), "the quick writer's change waits for the slow one's"
    with platform_db.begin() as reader:
        late = ledger.changes_since(reader, early.revision)
    assert {row.id for row in late.rows} == {id_of(slow), id_of(quick)}


@pytest.mark.parametrize("platform_url", ["postgresql"], indirect=True)
def test_listeners_are_told_once_per_writing_transaction(platform_db: Engine) -> None:
    with platform_db.connect() as listener:
        listener.execution_options(isolation_level="AUTOCOMMIT")
        listener.execute(text(f"LISTEN {ledger.CHANNEL}"))
        with platform_db.begin() as connection:
            ledger.claim_many(connection, [an_entry(0), an_entry(1)], NOW)
            ledger.record_many(connection, [Record(an_entry(2), SlotState.SKIPPED, "r")], NOW)
        driver = listener.connection.driver_connection
        assert driver is not None
        heard = list(driver.notifies(timeout=10, stop_after=1)) + list(driver.notifies(timeout=0))
    assert [notification.channel for notification in heard] == [ledger.CHANNEL]
