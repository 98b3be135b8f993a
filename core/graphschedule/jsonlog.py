"""Log records as JSON, one object a line.

Our own few lines instead of a library, because a runner pod pays for every import: python-json-logger took a
twentieth of its cold start.
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_OF_EVERY_RECORD = logging.makeLogRecord({}).__dict__.keys() | {"message", "asctime", "color_message"}


class JsonFormatter(logging.Formatter):
    """Writes level, logger, message, whatever the caller gave as `extra`, a traceback if there is one, and the time.

    Extras named in `hidden` are left out: a library may hang objects of its own onto records.
    """

    def __init__(self, hidden: Iterable[str] = ()) -> None:
        super().__init__()
        self._left_out = _OF_EVERY_RECORD | set(hidden)

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line; values that JSON lacks are written as their `str`."""
        line = {"level": record.levelname, "logger": record.name, "message": record.getMessage()}
        line |= {name: value for name, value in record.__dict__.items() if name not in self._left_out}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        line["timestamp"] = datetime.fromtimestamp(record.created, UTC).isoformat()
        return json.dumps(line, default=str)
