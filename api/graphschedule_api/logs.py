"""Structured logs: one JSON object a line on standard error, ours and uvicorn's alike."""

from __future__ import annotations

import logging

from graphschedule.jsonlog import JsonFormatter


def configure(level: str) -> None:
    """Write every record of that level or above."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
