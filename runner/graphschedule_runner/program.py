"""From the words of a command line to an exit code.

Each command is a module of its own, imported only when it is asked for: a fire pays for nothing but `execute`.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError
from graphschedule.outcomes import Outcome
from graphschedule_platform.errors import MigrationRefusedError, PlatformUnsupportedError, TransientError

from graphschedule_runner import arguments, logs
from graphschedule_runner.console import complain
from graphschedule_runner.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


def run(words: Sequence[str]) -> int:
    """Run one command; return its exit code (`graphschedule.outcomes`)."""
    options = arguments.parse(words, os.environ)
    try:
        settings = Settings.from_environment(os.environ)
        logs.configure(settings.log_level)
        command = import_module(f"graphschedule_runner.{options.module}")
        code: int = command.run(options, settings)
    except InvalidValueError as error:
        return _refuse(Outcome.BAD_ARGUMENTS, error)
    except TransientError as error:
        return _refuse(Outcome.TRANSIENT, error)
    except (MigrationRefusedError, PlatformUnsupportedError) as error:
        return _refuse(Outcome.PLATFORM_UNSUPPORTED, error)
    return code


def _refuse(outcome: Outcome, error: Exception) -> int:
    complain(f"error: {error}")
    return outcome.exit_code
