"""Judges schedules' graphs: many at a time, beside reconciling and never in its way."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

import orjson
from graphschedule_platform import catalogue, stores
from graphschedule_platform.validate import validate_many

from graphschedule_operator import graph
from graphschedule_operator.platform import UnansweredError

if TYPE_CHECKING:
    from graphschedule_platform.verdict import ExecutionRequest, Verdict
    from sqlalchemy import Connection

    from graphschedule_operator.cache import Cache, Key, Object
    from graphschedule_operator.judgement import Judgement
    from graphschedule_operator.platform import Platform
    from graphschedule_operator.settings import Settings

logger = logging.getLogger(__name__)

Validate = Callable[["Connection", Sequence["ExecutionRequest"]], Sequence["Verdict"]]
"""`graphschedule_platform.validate.validate_many` with everything but the requests filled in."""

BATCH = 500
"""Requests judged at once: enough to share what is loaded, and little to get ready between two reconciles."""
RETRY_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one schedule's graph.

    `question` stands for all that the verdict depends on; `asked_for` is (user id, graph id). `judged` is when we
    learnt it, by the loop's clock, and `valid_at` the last time that this question was judged and found valid.
    """

    question: int
    asked_for: tuple[str, str]
    verdict: Judgement
    judged: float
    valid_at: datetime | None = None


class Judge:
    """What is known of every schedule's graph, kept up to date.

    - Who asks for the first time, or something else than before, waits; the schedule is put on the queue when there
      is a verdict, and whenever it changes.
    - What a status says of the present spec counts as the verdict until there is a new one, so that a restart over
      an unchanged world writes nothing.
    - A verdict stands for `settings.validate_seconds`. While the database does not answer, an older one is unknown.
    """

    def __init__(
        self,
        platform: Platform,
        validate: Validate,
        schedules: Cache,
        put: Callable[[Key], None],
        settings: Settings,
    ) -> None:
        self._platform = platform
        self._validate = validate
        self._schedules = schedules
        self._put = put
        self._validate_seconds = settings.validate_seconds
        self._recheck_seconds = settings.recheck_seconds
        self._loop = asyncio.get_running_loop()
        self._next_look = self._loop.time() + settings.recheck_seconds
        self._known: dict[Key, Known] = {}
        self._waiting: dict[Key, None] = {}
        self._asked = asyncio.Event()
        self._outage: Judgement | None = None

    def verdict(self, key: Key, schedule: Object) -> Known | None:
        """Return what is known of an accepted schedule's graph; None means that it is put on the queue when it is."""
        request = graph.request_of(schedule)
        question = _question(schedule, request)
        known = self._known.pop(key, None)
        if known is None or known.question != question:
            self.again([key])
            verdict = (graph.last_told(schedule) if known is None else None) or self._outage
            if verdict is None:
                return None
            known = Known(question, (request.user_id, request.graph_id), verdict, self._loop.time())
        self._known[key] = known
        return known

    def again(self, keys: Iterable[Key]) -> None:
        """Have schedules judged anew, soon."""
        self._waiting |= dict.fromkeys(keys)
        if self._waiting:
            self._asked.set()

    def asking_for(self, asked_for: tuple[str, str]) -> list[Key]:
        """Return the schedules of a user and a graph."""
        return [key for key, known in self._known.items() if known.asked_for == asked_for]

    async def for_ever(self) -> None:
        """Judge what is asked, as it is asked, and look through what is known from time to time."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next_look):
                    await self._asked.wait()
            if self._loop.time() >= self._next_look:
                self._look_through()
            try:
                await self._judge_some()
            except UnansweredError as error:
                self._miss(str(error))
                await asyncio.sleep(RETRY_SECONDS)

    def _look_through(self) -> None:
        """Ask again about verdicts that are old, and about those that somebody is likely to be mending."""
        self._next_look = self._loop.time() + self._recheck_seconds
        self.again(key for key, known in self._known.items() if known.verdict.status != "True" or self._is_old(known))

    async def _judge_some(self) -> None:
        batch = {key: self._schedules.get(key) for key in islice(self._waiting, BATCH)}
        for key in batch:
            del self._waiting[key]
        if not self._waiting:
            self._asked.clear()
        asked = {key: (schedule, graph.request_of(schedule)) for key, schedule in batch.items() if schedule}
        for key in batch.keys() - asked.keys():
            self._known.pop(key, None)
        if not asked:
            return
        begun = datetime.now(UTC)
        try:
            verdicts = await self._ask([request for _, request in asked.values()])
        except UnansweredError:
            self.again(asked)
            raise
        if self._outage is not None:
            logger.info("graphs can be judged again")
            self._outage = None
        for (key, (schedule, request)), verdict in zip(asked.items(), verdicts, strict=True):
            self._learn(key, schedule, request, graph.judgement(verdict), begun)

    async def _ask(self, requests: Sequence[ExecutionRequest]) -> Sequence[Verdict]:
        try:
            return await self._platform.read(lambda connection: self._validate(connection, requests))
        except UnansweredError:
            raise
        except Exception as error:
            logger.exception("could not judge")
            raise UnansweredError("the graphs could not be judged: the operator's log has the details") from error

    def _learn(self, key: Key, schedule: Object, request: ExecutionRequest, verdict: Judgement, at: datetime) -> None:
        before = self._known.get(key)
        question = _question(schedule, request)
        if verdict.status == "True":
            valid_at: datetime | None = at
        else:
            valid_at = before.valid_at if before and before.question == question else None
        asked_for = (request.user_id, request.graph_id)
        self._known[key] = Known(question, asked_for, verdict, self._loop.time(), valid_at)
        if before is None or before.verdict != verdict:
            self._put(key)

    def _miss(self, why: str) -> None:
        """Tell those who wait that there is no verdict now; one that is not old stands."""
        if self._outage is None:
            logger.warning("graphs cannot be judged, will try again: %s", why)
            self._outage = graph.unanswered(why)
        for key in self._waiting:
            known = self._known.get(key)
            if known is None:
                self._put(key)
            elif known.verdict != self._outage and self._is_old(known):
                self._known[key] = replace(known, verdict=self._outage)
                self._put(key)

    def _is_old(self, known: Known) -> bool:
        return self._loop.time() - known.judged >= self._validate_seconds


def validation(settings: Settings) -> Validate:
    """Return validation as the settings want it.

    Raises:
        InvalidValueError: the encryption key, the system credentials or the catalogue cannot be used.

    """
    cipher = settings.encryption_key.get_secret_value() if settings.encryption_key else None
    if cipher is not None:
        stores.check_key(cipher)
    return partial(
        validate_many,
        catalogue=catalogue.load(),
        cipher=cipher,
        system_credentials=stores.system_credentials(settings.system_credentials),
    )


def _question(schedule: Object, request: ExecutionRequest) -> int:
    """Return a number that stands for all that a verdict depends on, of this very schedule."""
    members = [
        *(schedule["metadata"]["uid"], request.graph_id, request.graph_version, request.user_id),
        *(request.inputs, request.credentials),
    ]
    return hash(orjson.dumps(members, option=orjson.OPT_SORT_KEYS))
