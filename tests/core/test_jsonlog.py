"""Log lines, read back as a log collector reads them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import datetime

from graphschedule.jsonlog import JsonFormatter


def line(record: logging.LogRecord, *hidden: str) -> dict[str, object]:
    text = JsonFormatter(hidden).format(record)
    assert "\n" not in text
    parsed: dict[str, object] = json.loads(text)
    return parsed


def record(message: str, *args: object, **extra: object) -> logging.LogRecord:
    return logging.makeLogRecord({"name": "us", "levelname": "INFO", "msg": message, "args": args, **extra})


def test_a_line_has_level_logger_message_and_time() -> None:
    parsed = line(record("fired %s", "once", created=0.5))
    assert parsed == {
        "level": "INFO",
        "logger": "us",
        "message": "fired once",
        "timestamp": "1970-01-01T00:00:00.500000+00:00",
    }
    assert datetime.fromisoformat(str(parsed["timestamp"])).tzinfo is not None


def test_extras_are_members_and_hidden_ones_are_not() -> None:
    parsed = line(record("fired", slot="manual:1", elsewhere=object, secret="x"), "secret")
    assert (parsed["slot"], parsed["elsewhere"]) == ("manual:1", "<class 'object'>")
    assert "secret" not in parsed


def test_a_traceback_stays_on_its_line() -> None:
    try:
        int("x")
    except ValueError:
        failed = record("failed", exc_info=sys.exc_info())
    assert "ValueError" in str(line(failed)["exception"])
