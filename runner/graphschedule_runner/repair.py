"""`repair`: slots that a run left unfinished are published and marked."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from graphschedule.outcomes import Outcome
from graphschedule_platform.enqueue import utc_now
from graphschedule_platform.repair import repair

from graphschedule_runner import assembly
from graphschedule_runner.console import say

if TYPE_CHECKING:
    import argparse

    from graphschedule_runner.settings import Settings

_log = logging.getLogger(__name__)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Finish unfinished slots; return 0, or the code of a passing fault if some could not be finished."""
    delivery = assembly.delivery(settings, assembly.publisher(settings))
    engine = assembly.engine(settings)
    try:
        repaired = repair(engine, delivery, timedelta(seconds=options.older_than), utc_now)
    finally:
        delivery.close()
        engine.dispose()
    for execution_id in repaired.finished:
        _log.info("finished", extra={"executionId": execution_id})
    for execution_id, fault in repaired.faults.items():
        _log.error(fault, extra={"executionId": execution_id})
    say(f"finished {len(repaired.finished)} slots, {len(repaired.faults)} not yet")
    return Outcome.TRANSIENT.exit_code if repaired.faults else 0
