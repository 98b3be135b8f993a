"""Reading a cron expression, with errors that say what to write instead."""

from __future__ import annotations

import re
from difflib import get_close_matches

from graphschedule.cron.fields import FIELDS, Field
from graphschedule.cron.schedule import Cron
from graphschedule.errors import InvalidValueError

MAX_LENGTH = 200
"""Characters of an expression, far more than a sensible one needs."""

_ORDER = "minute hour day-of-month month weekday"
_STARS = ("*", "?")
_NUMBER = re.compile(r"[0-9]{1,9}")
_LONGEST = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
"""Days of the months that never have 31."""

_MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}

_DIALECTS = (
    (re.compile(r"h(\(.*\))?", re.IGNORECASE), "H (spread by hash) is not supported yet; write {allowed}"),
    (re.compile(r".*#.*"), "# (the nth weekday of a month) is not supported; write the weekday alone, such as 5"),
    (re.compile(r"\d*l?w", re.IGNORECASE), "W (the nearest working day) is not supported; write 1-5 as the weekday"),
    (re.compile(r"(\d*|[a-z]{3})l(-\d+)?", re.IGNORECASE), "L (the last) is not supported; write {allowed}"),
    (re.compile(r".*[*?].*"), "a star stands alone or with a step; write * or */5"),
)
"""Forms of other cron dialects, in the order in which they are recognised."""


class _Unusable(Exception):  # noqa: N818 - it never leaves this module
    """Says what is wrong and what to write instead; `parse` adds the field and the whole expression."""


def parse(text: str) -> Cron:
    """Return the meaning of a five-field cron expression; `graphschedule.cron` has the rules.

    Raises:
        InvalidValueError: the expression cannot be used; the message says what to write instead.

    """
    try:
        return _cron(text)
    except _Unusable as reason:
        raise InvalidValueError("spec.cron", text, str(reason)) from None


def _cron(text: str) -> Cron:
    (minutes, _), (hours, _), (days, day_is_star), (months, _), (weekdays, weekday_is_star) = map(
        _read_field, FIELDS, _split(text)
    )
    if weekday_is_star and days[0] > max(_LONGEST.get(month, 31) for month in months):
        raise _Unusable(f"it would never fire, for none of its months has a day {days[0]}; write a day up to 28")
    return Cron(minutes, hours, days, months, weekdays, day_is_star, weekday_is_star)


def _split(text: str) -> list[str]:
    """Return the five fields."""
    if len(text) > MAX_LENGTH:
        raise _Unusable(f"it has {len(text)} characters; write at most {MAX_LENGTH}")
    words = text.split()
    if not words:
        raise _Unusable(f"write five fields, {_ORDER}, such as 0 9 * * 1-5")
    if words[0].startswith("@"):
        raise _Unusable(_instead_of_macro(words[0].lower()))
    if "TZ=" in words[0].upper():
        raise _Unusable("the time zone is a field of its own; write it into spec.timeZone")
    if len(words) > len(FIELDS):
        raise _Unusable(f"it has {len(words)} fields, but seconds and years are not supported; write five: {_ORDER}")
    if len(words) < len(FIELDS):
        raise _Unusable(f"it has {len(words)} of five fields; write {_ORDER}, with * for any value")
    return words


def _instead_of_macro(macro: str) -> str:
    if macro in _MACROS:
        return f"{macro} is not supported; write {_MACROS[macro]}"
    if macro == "@every":
        return "@every is not supported; write a step, such as */5 * * * * for every five minutes"
    return f"{macro} is not supported; write five fields, {_ORDER}"


def _read_field(field: Field, text: str) -> tuple[tuple[int, ...], bool]:
    """Return the values of one field, ascending, and whether it is a star."""
    items = [_read_item(field, item) for item in text.split(",")]
    values = {value for values, _ in items for value in values}
    return tuple(sorted(values)), any(star for _, star in items)


def _read_item(field: Field, item: str) -> tuple[set[int], bool]:
    """Return the values of one item of a list, `*`, `n` or `a-b`, each with or without `/step`."""
    if not item:
        raise _Unusable(f"{field.name}: a list has an empty item; write a value on each side of a comma")
    span, slash, step_text = item.partition("/")
    step = _read_step(field, step_text) if slash else 1
    if span in _STARS:
        return set(range(field.low, field.high + 1, step)), step == 1
    first, dash, last = span.partition("-")
    start = _read_value(field, first, span)
    if dash:
        return _between(field, start, _read_value(field, last, span), step), False
    return _between(field, start, field.high if slash else start, step), False


def _between(field: Field, start: int, end: int, step: int) -> set[int]:
    """Return every `step`th value from start to end, on through the wrap where the end comes before the start."""
    if start == field.closing:
        start, end = field.low, end % field.size
    if end < start:
        end += field.size
    return {field.low + (value - field.low) % field.size for value in range(start, end + 1, step)}


def _read_step(field: Field, text: str) -> int:
    if not _NUMBER.fullmatch(text) or int(text) == 0:
        raise _Unusable(f"{field.name}: {text!r} is not a step; write a whole number from 1 after the slash")
    return int(text)


def _read_value(field: Field, text: str, span: str) -> int:
    if text.lower() in field.names:
        return field.low + field.names.index(text.lower())
    if not _NUMBER.fullmatch(text):
        raise _Unusable(f"{field.name}: {_instead_of_word(field, text, span)}")
    value = int(text)
    if not field.low <= value <= field.high and value != field.closing:
        raise _Unusable(f"{field.name}: {value} is out of range; write {_allowed(field)}")
    return value


def _instead_of_word(field: Field, text: str, span: str) -> str:
    for pattern, remedy in _DIALECTS:
        if pattern.fullmatch(span):
            return remedy.format(allowed=_allowed(field))
    close = get_close_matches(text.lower(), field.names, n=1, cutoff=0.5) if text else []
    return f"{span!r} is not understood; write {close[0] if close else _allowed(field)}"


def _allowed(field: Field) -> str:
    numbers = f"{field.low} to {field.closing or field.high}"
    return f"{numbers} or {field.names[0]} to {field.names[-1]}" if field.names else numbers
