from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule.slots import Slot, format_instant, parse_instant
from hypothesis import given
from hypothesis import strategies as st

UID = "9e2f9b1c-3f0e-4c57-9a63-0f7a4f1d2b11"
OTHER_UID = "1b0f6c86-22a5-4c9e-8a58-7a6d5d7e0c22"
JOB_UID = "5d0a2a7e-5b0e-4a1e-b7a0-6f4f5b3a9c33"
NINE = datetime(2026, 5, 4, 9, tzinfo=UTC)
NINE_IN_MINUTES = "29631420"


def test_a_job_of_the_controller_has_the_fire_time_in_its_name() -> None:
    slot = Slot.of_job(UID, "morning", f"morning-{NINE_IN_MINUTES}", JOB_UID)
    assert slot == Slot(UID, "2026-05-04T09:00:00Z", NINE)


@pytest.mark.parametrize("cronjob", ["daily-2", "report-29631420", "a.b-c", "x" * 52])
def test_digits_in_the_cronjobs_own_name_do_not_matter(cronjob: str) -> None:
    assert Slot.of_job(UID, cronjob, f"{cronjob}-{NINE_IN_MINUTES}", JOB_UID).fire_time == NINE


@pytest.mark.parametrize(
    "job",
    [
        "morning-now",
        "morning",
        "morning-",
        f"morning{NINE_IN_MINUTES}",
        f"morning-retry-{NINE_IN_MINUTES}",
        f"evening-{NINE_IN_MINUTES}",
        f"morning-{NINE_IN_MINUTES}-2",
        "morning-20260504",
        "morning-1777885200",
        "morning-202605040900",
        "morning-1",
    ],
)
def test_a_job_with_any_other_name_was_made_by_hand(job: str) -> None:
    assert Slot.of_job(UID, "morning", job, JOB_UID) == Slot(UID, f"manual:{JOB_UID}", None)


@given(st.datetimes(datetime(2021, 5, 1), datetime(2150, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001 (hypothesis adds the zone)
def test_the_name_of_a_job_and_its_slot_agree(instant: datetime) -> None:
    minutes = int(instant.timestamp()) // 60
    assert Slot.of_job(UID, "morning", f"morning-{minutes}", JOB_UID) == Slot.at(UID, instant)


def test_the_slot_of_an_instant_is_its_minute_in_utc_whatever_its_zone() -> None:
    berlin = timezone(timedelta(hours=2))
    assert Slot.at(UID, datetime(2026, 5, 4, 11, 0, 59, 999_999, tzinfo=berlin)) == Slot.at(UID, NINE)


def test_an_execution_id_is_a_uuid_of_the_slot_and_nothing_else() -> None:
    identity = Slot.at(UID, NINE).execution_id
    assert uuid.UUID(identity).version == 5
    assert identity == Slot.of_job(UID, "morning", f"morning-{NINE_IN_MINUTES}", OTHER_UID).execution_id
    assert identity == "5560f168-fa77-56ad-ab3f-88246dde6e60"


def test_different_slots_have_different_execution_ids() -> None:
    slots = [Slot.at(UID, NINE), Slot.at(UID, NINE + timedelta(minutes=1)), Slot.at(OTHER_UID, NINE)]
    slots += [Slot.manual(UID, JOB_UID), Slot.manual(UID, OTHER_UID)]
    assert len({slot.execution_id for slot in slots}) == len(slots)


def test_an_instant_is_written_in_utc_with_whole_seconds() -> None:
    assert format_instant(datetime(2026, 5, 4, 11, 0, 0, 5, timezone(timedelta(hours=2)))) == "2026-05-04T09:00:00Z"


@pytest.mark.parametrize("text", ["2026-05-04T09:00:00Z", "2026-05-04T11:00:00+02:00", "2026-05-04T09:00:00.000Z"])
def test_an_instant_is_read_in_any_zone(text: str) -> None:
    assert parse_instant(text) == NINE


@pytest.mark.parametrize(
    "text", ["", "now", "2026-05-04", "2026-05-04T09:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00"]
)
def test_an_error_names_the_field_the_value_and_the_remedy(text: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        parse_instant(text, field="--from")
    assert str(caught.value).startswith(f"--from: {text!r} is not valid: write an RFC 3339 time with its zone")
