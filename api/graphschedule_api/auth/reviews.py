"""Callers with Kubernetes' tokens, such as those of service accounts: who they are and what they may do is asked there.

By TokenReview and SubjectAccessReview (kubernetes, pkg/apis/authentication and pkg/apis/authorization). Answers stand
for a moment, and for longer while the API server is away: what is read from the cache then can still be read.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import Any, NamedTuple

import orjson

from graphschedule_api import kube
from graphschedule_api.auth.callers import Caller, Right
from graphschedule_api.auth.memory import Memory
from graphschedule_api.errors import UnauthenticatedError
from graphschedule_api.told import as_told

FRESH_SECONDS = 10
STALE_SECONDS = 600


class _Subject(NamedTuple):
    """Who a token is of, as a TokenReview says and a SubjectAccessReview asks; `text` is JSON, nothing if nobody."""

    name: str
    text: bytes


_NOBODY = _Subject("", b"")


class Reviews:
    """Asks Kubernetes. `audience` is whom tokens must be meant for; empty: the API server itself."""

    def __init__(self, client: kube.Kube, audience: str) -> None:
        self._kube = client
        self._audiences = [audience] if audience else []
        self._subjects: Memory[_Subject] = Memory(FRESH_SECONDS, STALE_SECONDS)
        self._rights: Memory[bool] = Memory(FRESH_SECONDS, STALE_SECONDS)

    async def caller(self, token: str) -> Caller:
        """Return whose token it is.

        Raises:
            UnauthenticatedError: Kubernetes does not know it.
            UnavailableError: Kubernetes cannot be asked now.

        """
        digest = hashlib.sha256(token.encode()).digest()
        subject = await self._subjects.get(digest, partial(self._subject, token))
        if subject is _NOBODY:
            raise UnauthenticatedError("Kubernetes does not know this token, or it has expired")
        return Caller(f"account {subject.name}", review=partial(self._may, subject))

    async def _may(self, subject: _Subject, right: Right, namespace: str) -> bool:
        return await self._rights.get((subject, right, namespace), partial(self._review, subject, right, namespace))

    async def _subject(self, token: str) -> _Subject:
        asked = {"token": token} | ({"audiences": self._audiences} if self._audiences else {})
        told = await self._ask(kube.TOKEN_REVIEWS, "TokenReview", asked)
        if not told.get("authenticated") or (self._audiences and not told.get("audiences")):
            return _NOBODY
        user = told["user"]
        asks = {name: user.get(name) for name in ("groups", "uid", "extra")} | {"user": user["username"]}
        return _Subject(user["username"], orjson.dumps(asks))

    async def _review(self, subject: _Subject, right: Right, namespace: str) -> bool:
        attributes = {**right._asdict(), "namespace": namespace}
        asked = {**orjson.loads(subject.text), "resourceAttributes": attributes}
        told = await self._ask(kube.ACCESS_REVIEWS, "SubjectAccessReview", asked)
        return bool(told["allowed"])

    async def _ask(self, resource: kube.Resource, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
        with as_told():
            answer = await self._kube.create(resource, {"apiVersion": resource.api, "kind": kind, "spec": spec})
        told: dict[str, Any] = answer["status"]
        return told
