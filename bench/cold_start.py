"""Cold start: from exec to a queued execution, against a bare script that only connects, inserts and publishes.

`python -m bench.cold_start [--runs N]`. Both start as new processes of the same interpreter, in turns, against the
same real PostgreSQL and RabbitMQ, with their modules compiled as in the image. An execution is queued when a consumer
of the run queue, such as the platform's executor, has its message; so the clock is stopped for both. The bar is a
ratio of 2.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from graphschedule.slots import format_instant
from graphschedule_platform.tables import agent_node
from sqlalchemy import select

from bench.servers import NINE, Platform, platform
from dev.services import topology

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pika
    from graphschedule.payload import RunPayload

    Message = tuple[pika.spec.Basic.Deliver | None, pika.BasicProperties | None, bytes | None]

BAR = 2.0
PATIENCE_SECONDS = 60
HERE = Path(__file__).parent
_IMPORT = re.compile(r"import time: +(\d+) \| +\d+ \| +(\S+)")


def main() -> int:
    """Measure, print, and return 1 if the bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    runs: int = parser.parse_args().runs
    with (
        platform("cold-start") as made,
        topology.channel(made.broker_url) as channel,
        tempfile.TemporaryDirectory() as folder,
    ):
        payload = made.payload()
        file = Path(folder) / "run.json"
        file.write_text(payload.encode())
        environment = _environment(made)
        queued = channel.consume(topology.QUORUM.name, auto_ack=True, inactivity_timeout=PATIENCE_SECONDS)
        bare = [sys.executable, str(HERE / "bare_enqueue.py"), *_bare_arguments(made, payload)]

        def timed(command: list[str]) -> float:
            return _timed(command, environment, queued)

        timed(bare), timed(_runner(file, 0))  # compile and warm both
        pairs = [(timed(bare), timed(_runner(file, run + 1))) for run in range(runs)]
        stages = _stages(file, runs + 1, environment)
        imports = _imports(file, runs + 2, environment)
    baseline, ours = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = ours / baseline
    print(
        f"cold start, exec to queued, median of {runs}: runner {ours * 1e3:.0f} ms, bare psycopg + pika "
        f"{baseline * 1e3:.0f} ms: ratio {ratio:.2f} (bar {BAR})"
    )
    quickest = [min(times) for times in zip(*pairs, strict=True)]
    print(f"  quickest: bare {quickest[0] * 1e3:.0f} ms, runner {quickest[1] * 1e3:.0f} ms")
    print("  inside: " + ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in stages.items()))
    print("  imports: " + ", ".join(f"{name} {seconds * 1e3:.0f} ms" for name, seconds in imports))
    return int(ratio > BAR)


def _environment(made: Platform) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return inherited | made.environment | {"PYTHONUNBUFFERED": "1"}


def _bare_arguments(made: Platform, payload: RunPayload) -> list[str]:
    with made.engine.connect() as connection:
        node_id = connection.scalar(select(agent_node.c.id).where(agent_node.c.agent_graph_id == payload.graph_id))
    return [payload.graph_id, payload.user_id, str(node_id)]


def _runner(payload: Path, minute: int) -> list[str]:
    program = Path(sys.executable).with_name("graphschedule-runner")
    return [str(program), *_arguments(payload, minute)]


def _arguments(payload: Path, minute: int) -> list[str]:
    return ["execute", "--payload", str(payload), "--slot", format_instant(NINE + timedelta(minutes=minute))]


def _timed(command: list[str], environment: dict[str, str], queued: Iterator[Message]) -> float:
    """Return the seconds from exec until the consumer of the queue has the message."""
    start = time.perf_counter()
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        delivery, *_ = next(queued)
        seconds = time.perf_counter() - start
    if process.returncode or delivery is None:
        raise subprocess.CalledProcessError(process.returncode, command)
    return seconds


def _stages(payload: Path, minute: int, environment: dict[str, str]) -> dict[str, float]:
    """Return the seconds that each stage of one run takes."""
    command = [sys.executable, str(HERE / "staged_runner.py"), *_arguments(payload, minute)]
    output = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    stages: dict[str, float] = json.loads(output.splitlines()[-1])
    return stages


def _imports(payload: Path, minute: int, environment: dict[str, str]) -> list[tuple[str, float]]:
    """Return the packages that cost most to import, with seconds of their own modules."""
    command = [sys.executable, "-X", "importtime", *_runner(payload, minute)]
    lines = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stderr
    spent: dict[str, float] = defaultdict(float)
    for microseconds, module in _IMPORT.findall(lines):
        package = module.split(".")[0]
        spent["standard library" if package.lstrip("_") in _STANDARD else package] += int(microseconds) / 1e6
    return sorted(spent.items(), key=lambda item: -item[1])[:8]


_STANDARD = {name.lstrip("_") for name in sys.stdlib_module_names}


if __name__ == "__main__":
    sys.exit(main())
