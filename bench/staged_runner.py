"""The runner with a clock on its stages: run as a script with the runner's arguments, it prints seconds as JSON.

What is left of the total after all stages is SQLAlchemy building statements, validation, and Python itself. Both
connections are made in the background: in a real run, while the modules are loaded that are loaded here beforehand.
"""

import gc
import time

began = time.perf_counter()
gc.disable()  # as the runner does

import json  # noqa: E402 - the clock starts before anything is imported
import sys  # noqa: E402
from collections import Counter, defaultdict  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import ParamSpec, TypeVar  # noqa: E402

import graphschedule_platform.enqueue  # noqa: E402
import graphschedule_platform.publisher  # noqa: E402
import graphschedule_platform.validate  # noqa: E402
import graphschedule_runner.execute  # noqa: E402, F401
import psycopg  # noqa: E402
import sqlalchemy.dialects.postgresql.psycopg  # noqa: E402, F401
from graphschedule_runner.__main__ import main  # noqa: E402

P = ParamSpec("P")
R = TypeVar("R")
spent: dict[str, float] = defaultdict(float)
spent["imports"] = time.perf_counter() - began
calls: Counter[str] = Counter()


def clocked(stage: str, function: Callable[P, R]) -> Callable[P, R]:
    """Return a function that adds the time it takes to a stage."""

    def timed(*arguments: P.args, **named: P.kwargs) -> R:
        calls[stage] += 1
        start = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            spent[stage] += time.perf_counter() - start

    return timed


publisher = graphschedule_platform.publisher.Publisher
publisher.connect = clocked("broker connect", publisher.connect)  # type: ignore[method-assign]
publisher.publish_many = clocked("publish", publisher.publish_many)  # type: ignore[method-assign]
psycopg.connect = clocked("database connect", psycopg.connect)
for method in ("execute", "executemany"):
    setattr(psycopg.Cursor, method, clocked("queries", getattr(psycopg.Cursor, method)))
psycopg.Connection.commit = clocked("commits", psycopg.Connection.commit)  # type: ignore[method-assign]

code = main(sys.argv[1:])
spent["total"] = time.perf_counter() - began
print(json.dumps({f"{stage} ({calls[stage]})" if calls[stage] > 1 else stage: time for stage, time in spent.items()}))
sys.exit(code)
