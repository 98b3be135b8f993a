"""The application: which routes there are, and what lives as long as it does."""

from __future__ import annotations

import asyncio
import gc
import logging
from contextlib import asynccontextmanager
from importlib import metadata
from typing import TYPE_CHECKING

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

from graphschedule_api import health, kube, metrics
from graphschedule_api.auth.authenticator import Authenticator
from graphschedule_api.auth.reviews import Reviews
from graphschedule_api.auth.web_tokens import WebTokens
from graphschedule_api.cache import Cache
from graphschedule_api.health import Health, Phase
from graphschedule_api.limits import Bounded, Pace
from graphschedule_api.middleware import Farewell, Measured
from graphschedule_api.platform import Platform
from graphschedule_api.rest import routes as rest
from graphschedule_api.rpc import routes as rpc
from graphschedule_api.runs import Runs
from graphschedule_api.schedules import Schedules
from graphschedule_api.tasks import Tasks
from graphschedule_api.watch import Watcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    from kubernetes.aio.client import Configuration

    from graphschedule_api.settings import Settings

    Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

logger = logging.getLogger(__name__)

DESCRIPTION = "Agent graphs of the AutoGPT Platform on a schedule, kept as GraphSchedule resources on Kubernetes."


def routed(lifespan: Lifespan | None = None, *, rpc_enabled: bool = True, rest_enabled: bool = True) -> FastAPI:
    """Return the application with its routes; it serves nothing but its description without a life."""
    app = FastAPI(
        title="GraphSchedule",
        description=DESCRIPTION,
        version=metadata.version("graphschedule-api"),
        lifespan=lifespan,
    )
    app.include_router(health.router)
    if rpc_enabled:
        app.include_router(rpc.health)
        app.include_router(rpc.router)
    if rest_enabled:
        rest.serve(app)
    return app


def create(settings: Settings, login: Configuration) -> FastAPI:
    """Return the application of these settings. Its life begins with the server's: it then follows the schedules.

    Raises:
        InvalidValueError: the database URL, a key, or another of the platform's settings cannot be used.

    """
    platform = Platform(settings)
    state = Health()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        cache = Cache()
        metrics.SCHEDULES.set_function(lambda: len(cache))
        async with kube.Kube.connect(
            login, connections=settings.connections, timeout_seconds=settings.request_seconds
        ) as client:
            watchers = [Watcher(client, cache, namespace, settings) for namespace in settings.namespaces or (None,)]
            app.state.schedules = schedules = Schedules(client, cache, watchers, platform, settings.namespace)
            app.state.tasks = Tasks(client, settings, state.stopping)
            app.state.runs = Runs(client, platform)
            app.state.authenticator = _authenticator(client, settings)
            metrics.CACHE_AGE_SECONDS.set_function(schedules.age)
            tasks = [asyncio.create_task(each) for each in (_begin(state, watchers), *(w.for_ever() for w in watchers))]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
        platform.close()

    app = routed(life, rpc_enabled=settings.rpc_enabled, rest_enabled=settings.rest_enabled)
    app.state.settings, app.state.health, app.state.platform = settings, state, platform
    app.state.pace = Pace(settings.rate, settings.burst)
    app.add_middleware(Bounded, limit=settings.body_bytes)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-Match", "Idempotency-Key", "Prefer"],
            expose_headers=["Age", "ETag", "Location", "Retry-After"],
        )
    app.add_middleware(Farewell, health=state)
    app.add_middleware(Measured)
    return app


def _authenticator(client: kube.Kube, settings: Settings) -> Authenticator:
    reviews = Reviews(client, settings.token_audience) if settings.kubernetes_tokens else None
    return Authenticator(reviews, WebTokens(settings.jwt) if settings.jwt else None)


async def _begin(state: Health, watchers: Sequence[Watcher]) -> None:
    """Be ready once all schedules are known, unless the end has come before."""
    for watcher in watchers:
        await watcher.filled.wait()
    gc.freeze()  # what is known now mostly stays: searching it for garbage would hold requests up
    if state.phase is Phase.STARTING:
        state.phase = Phase.READY
        logger.info("ready")
