"""`execute`: one slot of one schedule becomes one queued execution."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

from graphschedule.errors import InvalidValueError
from graphschedule.payload import RunPayload
from graphschedule.slots import Slot, parse_instant

from graphschedule_runner import assembly
from graphschedule_runner.console import each_error, read, say

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from graphschedule_platform.fires import FireResult

    from graphschedule_runner.settings import Settings

SLOW_SECONDS = 10
"""An enqueue that takes longer is warned of (M11)."""

MAX_TERMINATION_MESSAGE = 2000
"""Kubernetes keeps 4096 bytes of a container's last words; a longer JSON line would be cut in the middle."""

SHOWN_ERRORS = 3
"""Node errors in the line for people; the ledger keeps them all."""

_log = logging.getLogger(__name__)


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Enqueue the slot, report what became of it, and return the outcome's exit code."""
    began = time.monotonic()
    payload = RunPayload.decode(read("--payload", options.payload))
    slot = slot_of(options, payload)
    publisher = assembly.publisher(settings)
    engine = assembly.engine(settings, once=True)
    # All else is loaded while both are connecting.
    from graphschedule_platform.enqueue import Enqueuer
    from graphschedule_platform.fires import Fire

    fire = Fire(slot, payload)
    delivery = assembly.delivery(settings, publisher)
    judge = assembly.judge(settings)
    if payload.inputs_from:
        from graphschedule_runner import sources

        fire, judge = sources.complete(fire, judge, options.inputs)
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    enqueuer = Enqueuer(engine, judge, delivery, stopping=stopping.is_set)
    try:
        (result,) = enqueuer.enqueue_many([fire])
        _report(result, time.monotonic() - began, options.termination_log)
    finally:
        delivery.close()
        engine.dispose()
    if payload.heartbeat_url:
        from graphschedule_runner import heartbeat

        heartbeat.beat(payload.heartbeat_url, result.outcome, stopping.is_set)
    return result.outcome.exit_code


def slot_of(options: argparse.Namespace, payload: RunPayload) -> Slot:
    """Return the slot that the options give, or else the Job that this pod is of.

    Raises:
        InvalidValueError: they say too little, or something that is no time.

    """
    if options.slot:
        return Slot.at(payload.schedule_uid, parse_instant(options.slot))
    if not options.job_name or not options.job_uid:
        raise InvalidValueError(
            "--slot", options.slot, "give the fire time, such as 2026-05-04T09:00:00Z, or --job-name and --job-uid"
        )
    return Slot.of_job(payload.schedule_uid, payload.cronjob, options.job_name, options.job_uid)


def _report(result: FireResult, elapsed: float, termination_log: Path) -> None:
    """Say what became of the slot: to programs as a log record and as last words, to people as one line."""
    fire, outcome, facts = result.fire, result.outcome, facts_of(result, elapsed)
    message = log(result, facts)
    if elapsed > SLOW_SECONDS:
        _log.warning("enqueueing took longer than %d s", SLOW_SECONDS, extra=facts)
    leave(termination_log, facts | {"message": message[:MAX_TERMINATION_MESSAGE]})
    said = f": {message}" if message else ""
    say(f"{outcome.reason} {facts['schedule']} slot {fire.slot.key} execution {fire.id} in {elapsed:.2f} s{said}")


def facts_of(result: FireResult, elapsed: float) -> dict[str, Any]:
    """Return what programs are told of an outcome; `elapsed` is in seconds (M11)."""
    fire, outcome = result.fire, result.outcome
    return {
        "reason": outcome.reason,
        "exitCode": outcome.exit_code,
        "schedule": f"{fire.payload.namespace}/{fire.payload.name}",
        "slot": fire.slot.key,
        "executionId": fire.id,
        "graphId": fire.payload.graph_id,
        "userId": fire.payload.user_id,
        "elapsedSeconds": round(elapsed, 3),
    }


def log(result: FireResult, facts: dict[str, Any]) -> str:
    """Log an outcome, and return its message with the first of the node errors."""
    message = _summary(result)
    level = logging.ERROR if result.outcome.exit_code else logging.INFO
    _log.log(level, message or result.outcome.reason, extra=facts | {"nodeErrors": result.node_errors})
    return message


def leave(termination_log: Path, facts: dict[str, Any]) -> None:
    """Leave the last words, if this is a pod."""
    if termination_log.exists():
        termination_log.write_text(json.dumps(facts) + "\n", "utf-8")


def _summary(result: FireResult) -> str:
    """Return the message with the first of the node errors."""
    errors = each_error(result.node_errors)
    more = [f"{len(errors) - SHOWN_ERRORS} more"] if len(errors) > SHOWN_ERRORS else []
    return "; ".join([result.message, *errors[:SHOWN_ERRORS], *more]) if errors else result.message
