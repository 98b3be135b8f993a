"""The admission webhook: tells whoever applies a schedule at once what its conditions would tell a moment later.

It is a handler of our own and not kopf's: kopf answers only about what it has discovered and watches, and logs each
refusal as a handler that failed. Here a review goes through the very functions that judge a schedule in a reconcile.
"""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aiohttp import web
from graphschedule.errors import InvalidValueError
from graphschedule.status import Reason

from graphschedule_operator import graph, tls
from graphschedule_operator.desired import accept
from graphschedule_operator.judgement import Judgement
from graphschedule_operator.platform import UnansweredError
from graphschedule_operator.status import acceptance

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from graphschedule_operator.cache import Object
    from graphschedule_operator.judge import Validate
    from graphschedule_operator.platform import Platform
    from graphschedule_operator.settings import Settings

PATH = "/admission"
_MAX_BYTES = 8 << 20
"""Size of a review: it holds an object twice, which may have 1.5 MiB (etcd's limit of a request)."""
_WARNED = (Reason.TIME_ZONE_DEFAULTED, Reason.NOT_VALIDATED)


class Webhook:
    """Answers the API server's reviews of schedules.

    While the database gives no answer within `seconds`, a schedule passes with a warning: its conditions will tell.
    """

    def __init__(self, platform: Platform, validate: Validate, seconds: float) -> None:
        self._platform = platform
        self._validate = validate
        self._seconds = seconds

    @asynccontextmanager
    async def served(self, host: str, port: int, certificates: Path) -> AsyncIterator[None]:
        """Serve over HTTPS during the block, with the certificate in a folder.

        Raises:
            InvalidValueError: there is none that can be used.

        """
        app = web.Application(client_max_size=_MAX_BYTES)
        app.router.add_post(PATH, self._review)
        # As for health: an idle connection would keep kopf waiting when it stops.
        runner = web.AppRunner(app, access_log=None, keepalive_timeout=1.0, shutdown_timeout=1.0)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, ssl_context=tls.context(certificates)).start()
            yield
        finally:
            await runner.cleanup()

    async def _review(self, request: web.Request) -> web.Response:
        try:
            asked = (await request.json())["request"]
            uid, schedule = asked["uid"], asked["object"]
        except (ValueError, KeyError, TypeError):
            raise web.HTTPBadRequest(text="this is no AdmissionReview (admission.k8s.io/v1) of an object\n") from None
        response = {"uid": uid} | answer(await self._aspects(schedule))
        return web.json_response({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response})

    async def _aspects(self, schedule: Object) -> list[Judgement]:
        try:
            spec = acceptance(accept(schedule, datetime.now(UTC)))
        except InvalidValueError as error:
            return [acceptance(error)]
        return [spec, await self._judge(schedule)]

    async def _judge(self, schedule: Object) -> Judgement:
        request = graph.request_of(schedule)
        try:
            async with asyncio.timeout(self._seconds):
                (verdict,) = await self._platform.read(lambda connection: self._validate(connection, [request]))
        except (UnansweredError, TimeoutError) as error:
            why = str(error) or f"the database did not answer within {self._seconds:g} s"
            return Judgement("Unknown", Reason.NOT_VALIDATED, f"the graph could not be validated yet: {why}")
        return graph.judgement(verdict)


def served(settings: Settings, platform: Platform | None, validate: Validate) -> AbstractAsyncContextManager[None]:
    """Serve the webhook during the block, if the settings name certificates and there is a database to ask."""
    if settings.webhook_certificates is None or platform is None:
        return nullcontext()
    webhook = Webhook(platform, validate, settings.webhook_seconds)
    return webhook.served(settings.host, settings.webhook_port, settings.webhook_certificates)


def answer(aspects: Iterable[Judgement]) -> dict[str, Any]:
    """Return the answer that judgements amount to: the first fault refuses; what is doubtful only warns."""
    warnings = []
    for aspect in aspects:
        if aspect.status == "False":
            return {"allowed": False, "status": {"code": 422, "reason": "Invalid", "message": aspect.message}}
        if aspect.reason in _WARNED:
            warnings.append(aspect.message)
    return {"allowed": True, "warnings": warnings}
