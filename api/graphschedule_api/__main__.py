"""Command line: `graphschedule-api serve`, and `graphschedule-api openapi`, which prints the description."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
from typing import TYPE_CHECKING

import pydantic
import uvloop
from graphschedule.errors import InvalidValueError

from graphschedule_api import app, kube, logs
from graphschedule_api.serve import serve
from graphschedule_api.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__package__)

NO_LOGIN = 1
BAD_SETTINGS = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="graphschedule-api", description="The HTTP API of GraphSchedule.")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve until SIGTERM; settings are environment variables")
    commands.add_parser("openapi", help="print the OpenAPI document")
    if parser.parse_args(arguments).command == "openapi":
        sys.stdout.write(f"{json.dumps(app.routed().openapi(), indent=2)}\n")
        return 0
    return _serve()


def _serve() -> int:
    try:
        settings = Settings()
    except pydantic.ValidationError as error:
        for problem in error.errors(include_url=False):
            names = ("GRAPHSCHEDULE", *(str(part).upper() for part in problem["loc"]))
            sys.stderr.write(f"{'_'.join(names)}: {problem['msg']}\n")
        return BAD_SETTINGS
    logs.configure(settings.log_level)
    gc.freeze()  # the modules are for ever: searching them for garbage again and again would only cost time
    try:
        uvloop.run(serve(settings))
    except kube.LoginError as error:
        logger.error("%s", error)
        return NO_LOGIN
    except InvalidValueError as error:
        logger.error("%s", error)
        return BAD_SETTINGS
    return 0


if __name__ == "__main__":
    sys.exit(main())
