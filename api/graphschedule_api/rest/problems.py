"""Errors as REST tells them: problem details (RFC 9457), of a closed set of types."""

from __future__ import annotations

import json
import logging
import math
from enum import Enum
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from graphschedule.errors import InvalidValueError
from graphschedule_platform.verdict import VerdictKind
from pydantic import BaseModel, Field
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException

from graphschedule_api.errors import (
    ConflictError,
    GraphRefusedError,
    NotAuthorizedError,
    NotFoundError,
    PreconditionError,
    RefusedError,
    TooManyRequestsError,
    UnauthenticatedError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 5
"""When what is away may be there again."""
_BODY = "body"


class Kind(Enum):
    """The types of problems, each with its status, title, and what it means."""

    BAD_REQUEST = (400, "Bad request", "The request cannot be read: a header, a cursor or the JSON is malformed.")
    UNAUTHENTICATED = (401, "Unauthenticated", "No token was shown, or one that is not valid.")
    FORBIDDEN = (403, "Forbidden", "The caller may not do this, or may not act for this user.")
    NOT_FOUND = (404, "Not found", "There is no such thing.")
    METHOD_NOT_ALLOWED = (405, "Method not allowed", "This cannot be done here.")
    CONFLICT = (409, "Conflict", "What is there does not allow it: the detail says why.")
    PRECONDITION_FAILED = (412, "Precondition failed", "The schedule is not the version that If-Match names.")
    TOO_LARGE = (413, "Too large", "The body is too large.")
    UNSUPPORTED_MEDIA_TYPE = (415, "Unsupported media type", "The body is of a kind that is not read here.")
    INVALID = (422, "Invalid", "A value cannot be used, or the platform would not run the graph.")
    TOO_MANY_REQUESTS = (429, "Too many requests", "The caller asks too often; Retry-After says when to go on.")
    INTERNAL = (500, "Internal error", "The request failed; the service's log says why.")
    UNAVAILABLE = (503, "Unavailable", "Something that the answer needs is away; Retry-After says when to ask again.")

    def __init__(self, status: int, title: str, meaning: str) -> None:
        self.status = status
        self.title = title
        self.meaning = meaning

    @property
    def uri(self) -> str:
        """The problem's type: a name, not an address (RFC 4151)."""
        return f"tag:graphschedule.io,2026:problems/{self.name.lower().replace('_', '-')}"


class FieldError(BaseModel):
    """What is wrong with one value."""

    field: str = Field(description="Where it is, such as graph.version.")
    message: str = Field(description="What would be right.")


class Problem(BaseModel):
    """Problem details."""

    type: str = Field(description="Which of the types it is, as a name.")
    title: str = Field(description="That type for people.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What happened, for people.")
    errors: list[FieldError] | None = Field(default=None, description="Values that cannot be used.")
    reason: str | None = Field(default=None, description="Why the platform would not run the graph, for programs.")
    nodeErrors: dict[str, dict[str, str]] | None = Field(  # noqa: N815 - as it is on the wire
        default=None, description="By the id of a node and the name of its field: what is wrong there."
    )


_BY_ERROR: dict[type[Exception], Kind] = {
    UnauthenticatedError: Kind.UNAUTHENTICATED,
    NotAuthorizedError: Kind.FORBIDDEN,
    NotFoundError: Kind.NOT_FOUND,
    ConflictError: Kind.CONFLICT,
    PreconditionError: Kind.PRECONDITION_FAILED,
    RefusedError: Kind.INVALID,
    TooManyRequestsError: Kind.TOO_MANY_REQUESTS,
    UnavailableError: Kind.UNAVAILABLE,
}
_BY_STATUS = {kind.status: kind for kind in Kind}


class BadRequestError(Exception):
    """Something about the request that is no value of its body cannot be read."""


def documented(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of answers with these problems."""
    return {
        kind.status: {
            "description": kind.meaning,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": _example(kind)}},
        }
        for kind in kinds
    }


def schemas() -> dict[str, Any]:
    """Return the OpenAPI schemas that these descriptions refer to."""
    _, described = models_json_schema([(Problem, "serialization")], ref_template="#/components/schemas/{model}")
    defined: dict[str, Any] = described["$defs"]
    return defined


def answer(error: Exception) -> Response:
    """Return the answer to a request that ended in an error."""
    if isinstance(error, RequestValidationError):
        return _of_shape(error)
    if isinstance(error, GraphRefusedError):
        verdict = error.verdict
        nodes = verdict.node_errors if verdict.kind is VerdictKind.INVALID else None
        return _response(Kind.INVALID, verdict.message, reason=verdict.kind.outcome.reason, nodeErrors=nodes)
    if isinstance(error, InvalidValueError):
        field, (_, message) = error.field.replace("spec.", ""), str(error).split(": ", 1)
        return _response(Kind.INVALID, f"{field}: {message}", errors=[_field_error(field, message)])
    if isinstance(error, BadRequestError):
        return _response(Kind.BAD_REQUEST, str(error))
    if isinstance(error, HTTPException):
        return _response(_BY_STATUS.get(error.status_code, Kind.BAD_REQUEST), str(error.detail), error.headers)
    for cause, kind in _BY_ERROR.items():
        if isinstance(error, cause):
            return _response(kind, str(error), _headers(error))
    logger.error("a request failed", exc_info=error)
    return _response(Kind.INTERNAL, "the request failed: the API's log has the details")


def _of_shape(error: RequestValidationError) -> Response:
    """Tell what FastAPI found: a body that is no JSON is malformed, all else are values that cannot be used."""
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return _response(Kind.BAD_REQUEST, "the body is not valid JSON")
    errors = [_field_error(_path(each["loc"]), each["msg"]) for each in found]
    return _response(Kind.INVALID, "; ".join(f"{each['field']}: {each['message']}" for each in errors), errors=errors)


def _path(location: Sequence[int | str]) -> str:
    """Return where a value is: inside of the body, or the name of a parameter."""
    first, *rest = location
    return ".".join(map(str, rest)) or (_BODY if first == _BODY else str(first))


def _field_error(field: str, message: str) -> dict[str, str]:
    return {"field": field, "message": message}


def _headers(error: Exception) -> dict[str, str]:
    if isinstance(error, UnauthenticatedError):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, TooManyRequestsError):
        return {"Retry-After": str(math.ceil(error.seconds))}
    if isinstance(error, UnavailableError):
        return {"Retry-After": str(RETRY_SECONDS)}
    return {}


def _response(kind: Kind, detail: str, headers: Mapping[str, str] | None = None, **members: object) -> Response:
    told = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": detail}
    told |= {name: value for name, value in members.items() if value is not None}
    return Response(json.dumps(told), kind.status, dict(headers or {}), MEDIA_TYPE)


def _example(kind: Kind) -> dict[str, Any]:
    return {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": kind.meaning}
