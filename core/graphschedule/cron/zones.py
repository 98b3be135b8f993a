"""Time zones by IANA name, in the spelling that Kubernetes takes."""

from __future__ import annotations

from difflib import get_close_matches
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

from graphschedule.errors import InvalidValueError

_FIELD = "spec.timeZone"


def time_zone(name: str | None) -> ZoneInfo:
    """Return the zone of an IANA name; None means UTC.

    Only names of the IANA database count, in their exact spelling. Files that a zoneinfo folder may hold besides
    (`localtime`, `posixrules`, `right/UTC`) and Kubernetes' own refusals (`Local`, the empty name; kubernetes,
    pkg/apis/batch/validation, validateTimeZone) are none of them.

    Raises:
        InvalidValueError: the name is no IANA time zone.

    """
    if name is None:
        return ZoneInfo("UTC")
    if name in _names():
        return ZoneInfo(name)
    raise InvalidValueError(_FIELD, name, _remedy(name))


@cache
def _names() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text().split())


def _remedy(name: str) -> str:
    """Say what to write instead: names that end in the same city, or look alike."""
    spelled = {known.lower(): known for known in sorted(_names())}
    wanted = name.strip().lower().replace(" ", "_")
    same_city = [known for known in spelled if known == wanted or (wanted and known.endswith(f"/{wanted}"))]
    close = [spelled[known] for known in same_city or get_close_matches(wanted, spelled, n=2, cutoff=0.8)]
    write = " or ".join(close[:2]) if close else "a name such as Europe/Berlin, or leave the field out for UTC"
    return f"it is not the name of an IANA time zone; write {write}"
