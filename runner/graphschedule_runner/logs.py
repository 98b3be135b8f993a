"""Structured logs: one JSON object a line on standard error."""

from __future__ import annotations

import logging

from graphschedule.jsonlog import JsonFormatter


def configure(level: str) -> None:
    """Write every record of that level or above; of the libraries' records, only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in ("graphschedule_runner", "graphschedule_platform"):
        logging.getLogger(room).setLevel(level)
