"""Command line of the vocabulary: `python -m graphschedule next EXPR --time-zone Z --from T --count N`."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, NoReturn

from graphschedule.cron import parse, time_zone
from graphschedule.errors import InvalidValueError
from graphschedule.outcomes import Outcome
from graphschedule.slots import format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Sequence

_MAX_COUNT = 100_000


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(Outcome.BAD_ARGUMENTS.exit_code, f"{' '.join(message.split())}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the next fire times as a JSON list of UTC instants; return the exit code.

    A bad argument gives one line on stderr and `Outcome.BAD_ARGUMENTS`.
    """
    options = _parser().parse_args(arguments)
    try:
        times = _next(options)
    except InvalidValueError as error:
        sys.stderr.write(f"{error}\n")
        return Outcome.BAD_ARGUMENTS.exit_code
    sys.stdout.write(f"{json.dumps(times)}\n")
    return 0


def _next(options: argparse.Namespace) -> list[str]:
    cron = parse(options.expression)
    zone = time_zone(options.time_zone)
    start = parse_instant(options.start, field="--from") if options.start is not None else datetime.now(UTC)
    return [format_instant(instant) for instant in islice(cron.upcoming(start, zone), _count(options.count))]


def _count(text: str) -> int:
    if text.isdecimal() and len(text) <= len(str(_MAX_COUNT)) and 1 <= int(text) <= _MAX_COUNT:
        return int(text)
    raise InvalidValueError("--count", text, f"write a whole number from 1 to {_MAX_COUNT}")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="graphschedule", description="Cron expressions as the CronJob controller takes them.")
    commands = parser.add_subparsers(dest="command", required=True)
    following = commands.add_parser(
        "next",
        help="print the next fire times",
        description="Print the next fire times of a cron expression as a JSON list of UTC instants. "
        "The list is shorter when no further time comes within five years.",
    )
    following.add_argument("expression", metavar="EXPR", help="five fields: minute hour day-of-month month weekday")
    following.add_argument("--time-zone", metavar="Z", help="IANA time zone, such as Europe/Berlin (default: UTC)")
    following.add_argument(
        "--from",
        dest="start",
        metavar="T",
        help="list times strictly after this one, such as 2026-05-04T09:00:00Z (default: now)",
    )
    following.add_argument("--count", default="5", metavar="N", help="how many times to list (default: %(default)s)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
