"""The one shape of an error that a person reads: which field, which value, what would be right."""

from __future__ import annotations

_SHOWN = 120


class InvalidValueError(ValueError):
    """A value a person gave cannot be used.

    `str()` of it is one line that names the field, the value and the remedy; conditions, Events, problem
    details and exit messages all show that line.
    """

    def __init__(self, field: str, value: object, remedy: str) -> None:
        self.field = field
        self.value = value
        self.remedy = remedy
        super().__init__(f"{field}: {_shown(value)} is not valid: {remedy}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
