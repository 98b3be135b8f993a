"""Structured logs: one JSON object a line on standard error, ours and kopf's alike."""

from __future__ import annotations

import logging

from graphschedule.jsonlog import JsonFormatter

_KOPF_FIELDS = ("k8s_ref", "k8s_skip", "settings")


def configure(level: str) -> None:
    """Write every record of that level or above; of kopf's per-event lines, only warnings."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter(hidden=_KOPF_FIELDS))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf.objects").setLevel(logging.WARNING)
