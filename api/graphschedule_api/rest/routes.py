"""All paths of REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.exception_handlers import http_exception_handler
from starlette.exceptions import HTTPException

from graphschedule_api.rest import cron_preview, problems, runs, schedules, tasks

if TYPE_CHECKING:
    from fastapi import FastAPI, Request
    from fastapi.responses import Response

PREFIX = "/v1"

router = APIRouter()
for each in (schedules, runs, cron_preview, tasks):
    router.include_router(each.router, generate_unique_id_function=lambda route: route.name)


def serve(app: FastAPI) -> None:
    """Have REST served; what no route answers below its prefix is told as problem details too."""
    app.include_router(router)
    describe = app.openapi

    def openapi() -> dict[str, Any]:
        described = describe()
        described["components"]["schemas"].update(problems.schemas())
        return described

    app.openapi = openapi  # type: ignore[method-assign] # as FastAPI's documentation has it

    @app.exception_handler(HTTPException)
    async def tell(request: Request, error: HTTPException) -> Response:
        if request.url.path.startswith(f"{PREFIX}/"):
            return problems.answer(error)
        return await http_exception_handler(request, error)
