"""The paths of schedules: listed, made, read, replaced, patched, deleted, paused and resumed."""

from __future__ import annotations

import asyncio
import hashlib
import re
import uuid
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import pydantic
from fastapi import APIRouter, Body, Header, Path, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from graphschedule import cron
from graphschedule.errors import InvalidValueError

from graphschedule_api import schedule
from graphschedule_api.auth import callers
from graphschedule_api.errors import ConflictError, NotAuthorizedError, PreconditionError
from graphschedule_api.rest import listing, models, views
from graphschedule_api.rest.listing import Sort
from graphschedule_api.rest.pages import LIMIT, MAX_LIMIT
from graphschedule_api.rest.problems import BadRequestError, Kind, documented
from graphschedule_api.rest.routing import Asking, Known, RestRoute

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphschedule.spec import GraphScheduleSpec

    from graphschedule_api.auth.callers import Caller, Right
    from graphschedule_api.cache import Object
    from graphschedule_api.schedules import Schedules

_ATTEMPTS = 3
"""Of a change that others change under it."""
_KEYS = uuid.UUID("6f1f35c5-5d43-4f0f-9a8c-4e7b6a3bd1c4")
"""The name space of ids that are made from idempotency keys (RFC 9562 section 5.5)."""
_TAGS = re.compile(r'\s*(W/)?"([^"]*)"\s*(?:,|$)')
_MERGE_PATCH = "application/merge-patch+json"

router = APIRouter(route_class=RestRoute, tags=["schedules"], prefix="/v1/schedules")

ScheduleId = Annotated[str, Path(description="Id of the schedule.")]
IfMatch = Annotated[
    str | None, Header(description="The ETag of the version that is meant; another one is left as it is, with 412.")
]

READING = documented(
    Kind.UNAUTHENTICATED, Kind.FORBIDDEN, Kind.NOT_FOUND, Kind.INVALID, Kind.TOO_MANY_REQUESTS, Kind.UNAVAILABLE
)
CHANGING = READING | documented(Kind.BAD_REQUEST, Kind.CONFLICT, Kind.PRECONDITION_FAILED)
WRITING = CHANGING | documented(Kind.TOO_LARGE, Kind.UNSUPPORTED_MEDIA_TYPE)
_LISTING = {status: told for status, told in READING.items() if status != Kind.NOT_FOUND.status}
_CREATING = {
    status: told
    for status, told in WRITING.items()
    if status not in {Kind.NOT_FOUND.status, Kind.PRECONDITION_FAILED.status}
}
_TAGGED = {"ETag": {"description": "Its version.", "schema": {"type": "string"}}}
_PLACED = {"Location": {"description": "Where it can be read.", "schema": {"type": "string"}}}
_SCHEDULE: dict[str, Any] = {"model": models.ScheduleResource, "description": "The schedule.", "headers": _TAGGED}
_MADE = _SCHEDULE | {"headers": _TAGGED | _PLACED}


@router.get("", responses=_LISTING | documented(Kind.BAD_REQUEST) | {200: {"model": models.SchedulePage}})
async def list_schedules(
    caller: Asking,
    schedules: Known,
    *,
    user_id: Annotated[str | None, Query(alias="userId", description="Only those of this user.")] = None,
    graph_id: Annotated[str | None, Query(alias="graphId", description="Only those of this graph.")] = None,
    paused: Annotated[bool | None, Query(description="Only those that are paused, or are not.")] = None,
    ready: Annotated[bool | None, Query(description="Only those that are ready, or are not.")] = None,
    sort: Annotated[Sort, Query(description="The order.")] = Sort.CREATED,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Schedules of a page, at most.")] = LIMIT,
    cursor: Annotated[str | None, Query(description="`nextCursor` of the page before.")] = None,
) -> Response:
    """List schedules, page by page: a user's own; of others those that the caller may list."""
    now = datetime.now(UTC)
    whose, allowed = _of_whom(caller, user_id), await _where_it_may_list(caller, schedules)
    chosen = [
        entry
        for entry in schedules.entries(user_id=whose, graph_id=graph_id)
        if paused in {None, entry.paused} and ready in {None, entry.ready} and entry.key.namespace in allowed
    ]
    # Beside the other requests: to reckon the next runs of all schedules takes a while.
    shown, following = await asyncio.to_thread(listing.page, chosen, sort, limit, cursor, now)
    return views.response({"items": [views.view(each.read(), now) for each in shown], "nextCursor": following})


@router.post("", status_code=201, responses=_CREATING | {201: _MADE})
async def create_schedule(
    draft: Annotated[models.Draft, Body(openapi_examples={"weekly": {"value": models.EXAMPLE}})],
    caller: Asking,
    schedules: Known,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="A text of the caller's choice, such as a UUID: asked again with it, for the same schedule, "
            "the one that was made is returned.",
        ),
    ] = None,
) -> Response:
    """Make a schedule, if the platform would run its graph."""
    now = datetime.now(UTC)
    spec = _spec_of(draft, caller, now)
    await caller.require(callers.CREATE, schedules.namespace, spec.user_id)
    if idempotency_key is None:
        made = await schedules.create(spec)
    else:
        made, _ = await schedules.create_once(spec, _id_of(caller, idempotency_key), _digest(spec))
    told = views.view(made, now)
    headers = {"ETag": views.etag(made), "Location": f"{router.prefix}/{told['id']}"}
    return views.response(told, 201, headers)


@router.get("/{schedule_id}", responses=READING | {200: _SCHEDULE})
async def get_schedule(schedule_id: ScheduleId, caller: Asking, schedules: Known) -> Response:
    """Return a schedule."""
    found = await own(schedule_id, caller, schedules, callers.GET)
    return views.schedule_response(found, datetime.now(UTC))


@router.put("/{schedule_id}", responses=WRITING | {200: _SCHEDULE})
async def replace_schedule(
    schedule_id: ScheduleId,
    draft: Annotated[models.Draft, Body(openapi_examples={"weekly": {"value": models.EXAMPLE}})],
    caller: Asking,
    schedules: Known,
    if_match: IfMatch = None,
) -> Response:
    """Have a schedule be as the body says, with defaults for what it leaves out. Its user stays."""
    now = datetime.now(UTC)
    found = await own(schedule_id, caller, schedules, callers.PATCH)
    spec = _spec_of(draft, caller, now)
    await caller.require(callers.PATCH, found["metadata"]["namespace"], spec.user_id)
    found, version = await _at(found, if_match, schedules)
    changed = await schedules.replace(found, spec, version=version)
    return views.schedule_response(changed, now)


@router.patch("/{schedule_id}", responses=WRITING | {200: _SCHEDULE})
async def patch_schedule(
    schedule_id: ScheduleId,
    patch: Annotated[
        dict[str, Any],
        Body(media_type=_MERGE_PATCH, openapi_examples={"later": {"value": {"cron": "30 9 * * mon"}}}),
    ],
    caller: Asking,
    schedules: Known,
    if_match: IfMatch = None,
) -> Response:
    """Change a schedule by a JSON merge patch (RFC 7396): null takes a member away."""
    now = datetime.now(UTC)
    found, version = await _at(await own(schedule_id, caller, schedules, callers.PATCH), if_match, schedules)
    for _ in range(_ATTEMPTS):
        spec = _spec_of(_read(views.merged(found["spec"], patch)), caller, now)
        await caller.require(callers.PATCH, found["metadata"]["namespace"], spec.user_id)
        try:
            changed = await schedules.replace(found, spec, version=found["metadata"]["resourceVersion"])
        except PreconditionError:  # others have changed what the patch was merged into
            if version is not None:
                raise
            found = await schedules.newest(found)
        else:
            return views.schedule_response(changed, now)
    raise ConflictError(f"schedule {schedule_id} changes faster than it can be changed; try again")


@router.delete("/{schedule_id}", status_code=204, responses=CHANGING)
async def delete_schedule(
    schedule_id: ScheduleId, caller: Asking, schedules: Known, if_match: IfMatch = None
) -> Response:
    """Delete a schedule."""
    found, version = await _at(await own(schedule_id, caller, schedules, callers.DELETE), if_match, schedules)
    await schedules.delete(found, version=version)
    return Response(status_code=204)


@router.post("/{schedule_id}:pause", responses=CHANGING | {200: _SCHEDULE})
async def pause_schedule(
    schedule_id: ScheduleId, caller: Asking, schedules: Known, if_match: IfMatch = None
) -> Response:
    """Stop new runs of a schedule."""
    return await _suspend(schedule_id, caller, schedules, if_match, suspended=True)


@router.post("/{schedule_id}:resume", responses=CHANGING | {200: _SCHEDULE})
async def resume_schedule(
    schedule_id: ScheduleId, caller: Asking, schedules: Known, if_match: IfMatch = None
) -> Response:
    """Have a schedule run again; slots that passed meanwhile are not made up."""
    return await _suspend(schedule_id, caller, schedules, if_match, suspended=False)


@router.get("/{schedule_id}/next-runs", responses=READING | {200: {"model": models.NextRuns}})
async def list_next_runs(
    schedule_id: ScheduleId,
    caller: Asking,
    schedules: Known,
    count: Annotated[int, Query(ge=1, le=100, description="How many, at most.")] = 5,
) -> Response:
    """Return when a schedule fires next, in its zone and UTC."""
    found = await own(schedule_id, caller, schedules, callers.GET)
    times = schedule.times_of(found)
    return views.response(
        {"timeZone": times.zone, "paused": schedule.is_paused(found), "items": _next_runs(times, count)}
    )


async def own(schedule_id: str, caller: Caller, schedules: Schedules, right: Right) -> Object:
    """Return a schedule about which a caller has a right.

    Raises:
        NotFoundError, UnavailableError: as `Schedules.get`.
        NotAuthorizedError: it has not, or it is another user's.

    """
    found = await schedules.get(schedule_id)
    await caller.require(right, found["metadata"]["namespace"], found["spec"]["userId"])
    return found


async def _suspend(
    schedule_id: str, caller: Caller, schedules: Schedules, if_match: str | None, *, suspended: bool
) -> Response:
    found, version = await _at(await own(schedule_id, caller, schedules, callers.PATCH), if_match, schedules)
    changed = await schedules.suspend(found, suspended=suspended, version=version)
    return views.schedule_response(changed, datetime.now(UTC))


async def _at(found: Object, if_match: str | None, schedules: Schedules) -> tuple[Object, str | None]:
    """Return a schedule as it is in a version that is meant, and that version; None: any is.

    Raises:
        BadRequestError: If-Match cannot be read.
        PreconditionError: it is in another version.

    """
    if if_match is None or if_match.strip() == "*":
        return found, None
    tags = _tags(if_match)
    if found["metadata"]["resourceVersion"] not in tags:
        found = await schedules.newest(found)
    version: str = found["metadata"]["resourceVersion"]
    if version not in tags:
        raise PreconditionError(f"the schedule is in version {views.etag(found)}, not {if_match}")
    return found, version


def _tags(if_match: str) -> set[str]:
    """Return the strong entity tags of a header; weak ones match nothing (RFC 9110 section 13.1.1)."""
    if not re.fullmatch(f"(?:{_TAGS.pattern})+", if_match):
        raise BadRequestError('If-Match: write the ETag of an earlier answer, with its quotes, such as "123"')
    return {tag for weak, tag in _TAGS.findall(if_match) if not weak}


def _of_whom(caller: Caller, user_id: str | None) -> str | None:
    """Return whose schedules are listed: who acts for one user is shown that user's.

    Raises:
        NotAuthorizedError: they are another user's.

    """
    if caller.user_id is None:
        return user_id
    if user_id not in {None, caller.user_id}:
        raise NotAuthorizedError(f"{caller.name} may not act for user {user_id}")
    return caller.user_id


async def _where_it_may_list(caller: Caller, schedules: Schedules) -> set[str]:
    """Return the namespaces of which a caller may list schedules.

    Raises:
        NotAuthorizedError: there is none.

    """
    namespaces = {entry.key.namespace for entry in schedules.entries()} | {schedules.namespace}
    allowed = {each for each in namespaces if await caller.may(callers.LIST, each)}
    if not allowed:
        raise NotAuthorizedError(f"{caller.name} may not {callers.LIST} in namespace {schedules.namespace}")
    return allowed


def _spec_of(draft: models.Draft, caller: Caller, now: datetime) -> GraphScheduleSpec:
    """Return the spec of a draft, of the caller's own user where it names none.

    Raises:
        InvalidValueError: a member cannot be used.

    """
    members = schedule.spec_members(draft)
    members.setdefault("userId", caller.user_id)
    if members["userId"] is None:
        raise InvalidValueError("spec.userId", None, "name the user; you may act for more than one")
    return schedule.accepted(members, now)


def _read(members: object) -> models.Draft:
    try:
        return models.Draft.model_validate(members)
    except pydantic.ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from error


def _id_of(caller: Caller, key: str) -> str:
    """Return the id of the schedule that a caller makes with a key: no other caller's is the same."""
    return str(uuid.uuid5(_KEYS, orjson.dumps([caller.name, key]).decode()))


def _digest(spec: GraphScheduleSpec) -> str:
    """Return what tells one spec from another."""
    return hashlib.sha256(orjson.dumps(schedule.spec_members(spec), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _next_runs(times: schedule.Times, count: int) -> Sequence[dict[str, datetime]]:
    """Return the next times; none for what somebody's hands have made unusable."""
    try:
        expression, zone = schedule.parsed(times.cron), cron.time_zone(times.zone)
    except InvalidValueError:
        return []
    upcoming = expression.upcoming(schedule.start_of(times, datetime.now(UTC)), zone)
    return [views.moment(each.astimezone(zone)) for each in islice(upcoming, count)]
