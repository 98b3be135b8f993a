"""Pages of long lists, and the cursors that lead from one to the next. Pure.

A cursor is a place, not a right: it says where a page begins, and the request that shows it is judged as any other.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import orjson

from graphschedule_api.rest.problems import BadRequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT = 100
MAX_LIMIT = 500


def written(place: Sequence[str]) -> str:
    """Return a place as a cursor."""
    return base64.urlsafe_b64encode(orjson.dumps(list(place))).decode().rstrip("=")


def read(cursor: str | None, length: int, *, begins: str) -> list[str] | None:
    """Return the place of a cursor, so many texts of which the first is known; None without one.

    Raises:
        BadRequestError: it is none of ours, or of another list.

    """
    if cursor is None:
        return None
    try:
        place: Any = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError as error:
        raise _not_ours() from error
    if not isinstance(place, list) or len(place) != length or not all(isinstance(part, str) for part in place):
        raise _not_ours()
    if place[0] != begins:
        raise _not_ours()
    return place


def _not_ours() -> BadRequestError:
    return BadRequestError("cursor: it is not one that an earlier page of this list ended with; begin without one")
