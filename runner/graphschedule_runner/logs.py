"""Structured logs: one JSON object a line on standard error."""

from __future__ import annotations

import logging

from pythonjsonlogger.json import JsonFormatter


def configure(level: str) -> None:
    """Write every record of that level or above; of the libraries' records, only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonFormatter(
            "{levelname}{name}{message}",
            style="{",
            timestamp=True,
            rename_fields={"levelname": "level", "name": "logger"},
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for room in ("graphschedule_runner", "graphschedule_platform"):
        logging.getLogger(room).setLevel(level)
