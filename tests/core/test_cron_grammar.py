"""What may be written in a cron expression, what it becomes, and what is said about the rest."""

from __future__ import annotations

import pytest
from graphschedule.cron import Cron, parse
from graphschedule.errors import InvalidValueError
from hypothesis import given
from hypothesis import strategies as st

CANONICAL = [
    ("* * * * *", "* * * * *"),
    ("  0\t9  * * 1 ", "0 9 * * 1"),
    ("00 09 01 01 *", "0 9 1 1 *"),
    ("*/15 * * * *", "*/15 * * * *"),
    ("0-59/15 * * * *", "*/15 * * * *"),
    ("0/30 * * * *", "0,30 * * * *"),
    ("5/20 * * * *", "5,25,45 * * * *"),
    ("0-59 0-23 * 1-12 *", "* * * * *"),
    ("3,1,2,1 * * * *", "1-3 * * * *"),
    ("50-10/5 * * * *", "0,5,10,50,55 * * * *"),
    ("0 22-2 * * *", "0 0-2,22,23 * * *"),
    ("0 22-2/2 * * *", "0 0,2,22 * * *"),
    ("0 0 25-5 * *", "0 0 1-5,25-31 * *"),
    ("0 0 1 nov-feb *", "0 0 1 1,2,11,12 *"),
    ("0 0 1 NOV-Feb/2 *", "0 0 1 1,11 *"),
    ("0 0 1 7,jan *", "0 0 1 1,7 *"),
    ("*/90 * * * *", "0 * * * *"),
    ("? ? ? ? ?", "* * * * *"),
    ("*/1 */1 */1 */1 */1", "* * * * *"),
]

WEEKDAYS = [
    ("0", "0"), ("7", "0"), ("sun", "0"), ("SUN,Mon", "0,1"), ("1-5", "1-5"), ("mon-fri", "1-5"),
    ("5-7", "0,5,6"), ("fri-sun", "0,5,6"), ("fri-7", "0,5,6"), ("5-1", "0,1,5,6"), ("fri-mon", "0,1,5,6"),
    ("0-7", "0-6"), ("sun-sat", "0-6"), ("1-7", "0-6"), ("mon-sun", "0-6"), ("7-6", "0-6"),
    ("7-2", "0-2"), ("7-7", "0"), ("0-0", "0"), ("sat-sun", "0,6"),
    ("1-7/2", "0,1,3,5"), ("0-7/2", "*/2"), ("5-7/2", "0,5"), ("fri-mon/2", "0,5"),
    ("*/7", "0"), ("*/2", "*/2"), ("3/2", "3,5"), ("7/2", "*/2"), ("*", "*"), ("*,3", "*"), ("*/2,?", "*"),
]  # fmt: skip

ERRORS = [
    ("", "write five fields, minute hour day-of-month month weekday, such as 0 9 * * 1-5"),
    ("0 9 * *", "it has 4 of five fields"),
    ("0 * * * * *", "it has 6 fields, but seconds and years are not supported; write five"),
    ("0 0 12 * * ? 2026", "it has 7 fields, but seconds and years are not supported"),
    ("@every 5m", "@every is not supported; write a step, such as */5 * * * *"),
    ("@daily", "@daily is not supported; write 0 0 * * *"),
    ("@Hourly", "@hourly is not supported; write 0 * * * *"),
    ("@weekly", "write 0 0 * * 0"),
    ("@yearly", "write 0 0 1 1 *"),
    ("@reboot", "@reboot is not supported; write five fields"),
    ("TZ=Europe/Berlin 0 9 * * *", "the time zone is a field of its own; write it into spec.timeZone"),
    ("CRON_TZ=UTC 0 9 * * *", "write it into spec.timeZone"),
    ("61 * * * *", "minute: 61 is out of range; write 0 to 59"),
    ("0 24 * * *", "hour: 24 is out of range; write 0 to 23"),
    ("0 0 0 * *", "day-of-month: 0 is out of range; write 1 to 31"),
    ("0 0 1 13 *", "month: 13 is out of range; write 1 to 12 or jan to dec"),
    ("0 0 * * 8", "weekday: 8 is out of range; write 0 to 7 or sun to sat"),
    ("0 0 * * 5-8", "weekday: 8 is out of range"),
    ("1,,2 * * * *", "minute: a list has an empty item; write a value on each side of a comma"),
    (", * * * *", "minute: a list has an empty item"),
    ("*/0 * * * *", "minute: '0' is not a step; write a whole number from 1 after the slash"),
    ("*/ * * * *", "minute: '' is not a step"),
    ("*/-1 * * * *", "minute: '-1' is not a step"),
    ("1/2/3 * * * *", "minute: '2/3' is not a step"),
    ("0 0 * * monday", "weekday: 'monday' is not understood; write mon"),
    ("0 0 1 january *", "month: 'january' is not understood; write jan"),
    ("0 0 * * x", "weekday: 'x' is not understood; write 0 to 7 or sun to sat"),
    ("jan * * * *", "minute: 'jan' is not understood; write 0 to 59"),
    ("-1 * * * *", "minute: '-1' is not understood"),
    ("1- * * * *", "minute: '1-' is not understood"),
    ("1-2-3 * * * *", "minute: '1-2-3' is not understood"),
    ("+5 * * * *", "minute: '+5' is not understood"),
    ("1.5 * * * *", "minute: '1.5' is not understood"),
    ("٣ * * * *", "minute: '٣' is not understood"),
    ("*-5 * * * *", "minute: a star stands alone or with a step; write * or */5"),
    ("** * * * *", "minute: a star stands alone"),
    ("H * * * *", "minute: H (spread by hash) is not supported yet; write 0 to 59"),
    ("0 H(0-7)/2 * * *", "hour: H (spread by hash) is not supported yet; write 0 to 23"),
    ("H/15 * * * *", "minute: H (spread by hash) is not supported yet; write 0 to 59"),
    ("0 0 L * *", "day-of-month: L (the last) is not supported; write 1 to 31"),
    ("0 0 L-3 * *", "day-of-month: L (the last) is not supported"),
    ("0 0 * * 5L", "weekday: L (the last) is not supported"),
    ("0 0 * * friL", "weekday: L (the last) is not supported"),
    ("0 0 15W * *", "day-of-month: W (the nearest working day) is not supported; write 1-5 as the weekday"),
    ("0 0 LW * *", "day-of-month: W (the nearest working day) is not supported"),
    ("0 0 * * 5#2", "weekday: # (the nth weekday of a month) is not supported; write the weekday alone, such as 5"),
    ("0 0 31 2 *", "it would never fire, for none of its months has a day 31; write a day up to 28"),
    ("0 0 30,31 feb *", "none of its months has a day 30"),
    ("0 0 31 4,6,9,11 *", "none of its months has a day 31"),
]


@pytest.mark.parametrize(("written", "canonical"), CANONICAL)
def test_an_expression_becomes_what_the_controller_takes(written: str, canonical: str) -> None:
    assert parse(written).canonical == canonical


@pytest.mark.parametrize(("written", "canonical"), WEEKDAYS)
def test_sunday_is_0_and_7_and_ranges_wrap(written: str, canonical: str) -> None:
    assert parse(f"0 9 * * {written}").canonical == f"0 9 * * {canonical}"


@pytest.mark.parametrize("days", ["*", "?", "*/1", "15,*"])
def test_a_star_leaves_the_choice_of_days_to_the_other_field(days: str) -> None:
    assert parse(f"0 9 {days} * 1").canonical == "0 9 * * 1"


@pytest.mark.parametrize(("days", "canonical"), [("*/2", "*/2"), ("1-31", "1-31"), ("1/1", "1-31")])
def test_a_list_of_all_days_is_not_a_star(days: str, canonical: str) -> None:
    assert parse(f"0 9 {days} * 1").canonical == f"0 9 {canonical} * 1"


@pytest.mark.parametrize("written", ["0 0 31 2 1", "0 0 29 2 *", "0 0 31 2,3 *", "0 0 30 2,4 *"])
def test_an_expression_that_fires_now_and_then_is_taken(written: str) -> None:
    assert parse(written)


@pytest.mark.parametrize(("written", "remedy"), ERRORS)
def test_an_error_names_the_field_the_value_and_the_remedy(written: str, remedy: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        parse(written)
    message = str(caught.value)
    assert message.startswith(f"spec.cron: {written!r} is not valid: ")
    assert remedy in message


def test_a_monstrous_expression_gives_one_short_line() -> None:
    for written in ("9" * 100_000 + " * * * *", "1," * 50_000 + "x * * * *", "\n" * 1000 + "x"):
        with pytest.raises(InvalidValueError) as caught:
            parse(written)
        assert len(str(caught.value)) < 1000
        assert "\n" not in str(caught.value)


ITEMS = st.from_regex(r"\A(\*|\?|[0-9]{1,2}(-[0-9]{1,2})?|(mon|fri|sun|jan|dec)(-(tue|sat|feb|nov))?)(/[1-9]0?)?\Z")
FIELD_TEXTS = st.lists(ITEMS, min_size=1, max_size=3).map(",".join)
EXPRESSIONS = st.lists(FIELD_TEXTS, min_size=5, max_size=5).map(" ".join)
NEAR_MISSES = st.text(alphabet="0123456789*/-,?#@LWHsunfeb \n=TZ", max_size=30)


def understood(text: str) -> Cron | None:
    try:
        return parse(text)
    except InvalidValueError as error:
        assert "\n" not in str(error)
        return None


@given(st.one_of(EXPRESSIONS, NEAR_MISSES, st.text()))
def test_any_text_is_either_taken_or_refused_in_one_line(text: str) -> None:
    understood(text)


@given(EXPRESSIONS)
def test_the_canonical_form_means_the_same_and_stays_as_it_is(text: str) -> None:
    cron = understood(text)
    if cron is not None:
        assert parse(cron.canonical) == cron
        assert parse(cron.canonical).canonical == cron.canonical
