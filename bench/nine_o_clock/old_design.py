"""The old design's tick: the service runs beside the cluster, on the same platform."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from graphschedule.slots import format_instant

from bench.nine_o_clock.part import Part, execution_id, tick_after, watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from bench.nine_o_clock.population import Ask
    from bench.nine_o_clock.stage import Stage

ADDED_PER_SECOND = 100
"""Jobs that the service surely puts into its job store in a second."""

_ROOT = Path(__file__).resolve().parents[2]


def old_design(stage: Stage, asks: Sequence[Ask]) -> Part:
    """Let APScheduler fire the asks at one tick."""
    tick = tick_after(10 + len(asks) / ADDED_PER_SECOND)
    uids = [str(uuid.uuid4()) for _ in asks]
    due = {execution_id(uid, tick): ask.inputs for uid, ask in zip(uids, asks, strict=True)}
    payloads = [ask.payload(uid).encode() for uid, ask in zip(uids, asks, strict=True)]
    with _service(stage, payloads, tick):
        return watch(stage, "APScheduler", tick, due)


@contextmanager
def _service(stage: Stage, payloads: Sequence[str], tick: datetime) -> Iterator[None]:
    """Run the service; the block begins when all jobs are in its store."""
    with tempfile.NamedTemporaryFile("w") as members:
        members.write("\n".join(payloads))
        members.flush()
        command = [sys.executable, "-m", "bench.nine_o_clock.old_service", members.name, format_instant(tick)]
        environment = os.environ | stage.platform.environment
        with subprocess.Popen(command, env=environment, cwd=_ROOT, stdout=subprocess.PIPE) as service:
            if service.stdout is None or service.stdout.readline() != b"ready\n":
                raise RuntimeError("the APScheduler service did not start: it says why above")
            try:
                yield
            finally:
                service.terminate()
