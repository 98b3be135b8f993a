"""Nine o'clock: many schedules due in the same minute, on a cluster with a node, in one run three ways.

`python -m bench.nine_o_clock [--members N] [--kill] [--churn N] [--only WAY]`, on real PostgreSQL and RabbitMQ, with
the chart installed. `apscheduler` is the baseline: the platform's scheduler of today, a process with three threads
that enqueues one schedule at a time; `per-schedule` gives each schedule a CronJob and a pod of its own; `grouped`
packs them into shards. All run the same graphs for the same users, and write the same rows and messages. The two slow
ones are measured on as many schedules as they can finish in minutes, and compared by their rates. The bars: 10,000
grouped schedules are queued within 10 seconds of the tick, at 5 times the rate of `apscheduler` and 50 times that of
`per-schedule`, and nothing is lost or doubled.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bench.nine_o_clock import report
from bench.nine_o_clock.killing import kill_halfway
from bench.nine_o_clock.old_design import old_design
from bench.nine_o_clock.plot import plot
from bench.nine_o_clock.population import settle
from bench.nine_o_clock.product import fire
from bench.nine_o_clock.stage import stage

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.nine_o_clock.part import Part
    from bench.nine_o_clock.population import Ask
    from bench.nine_o_clock.stage import Stage

GROUPED, PER_SCHEDULE, APSCHEDULER = "grouped", "per-schedule", "apscheduler"
BAR_SECONDS = 10
BAR_MEMBERS = 10_000
BARS = {APSCHEDULER: 5, PER_SCHEDULE: 50}
RESULTS = Path(__file__).resolve().parents[1] / "results"


def main() -> int:
    """Measure, print, draw, and return 1 if a bar is missed."""
    options = _options()
    sizes = {APSCHEDULER: options.apscheduler, PER_SCHEDULE: options.per_schedule, GROUPED: options.members}
    parts: dict[str, Part] = {}
    with stage() as made:
        asks = settle(made.platform.engine, max(*sizes.values(), options.members + options.churn))
        for way in options.only or sizes:
            parts[way] = _measure(made, way, asks, sizes[way], options)
            report.tell(parts[way])
        report.tell_rows(made)
    plot(parts.values(), options.results / "nine-o-clock.svg")
    return int(any([_wrong(parts.values()), _slow(parts), _too_close(parts)]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=BAR_MEMBERS, help="grouped schedules")
    parser.add_argument("--per-schedule", type=int, default=90, help="schedules with a pod of their own")
    parser.add_argument("--apscheduler", type=int, default=3000, help="jobs of the old design")
    parser.add_argument("--only", choices=(APSCHEDULER, PER_SCHEDULE, GROUPED), action="append", help="measure only it")
    parser.add_argument("--kill", action="store_true", help="kill the runners of the grouped ones halfway")
    parser.add_argument(
        "--churn", type=int, default=0, help="add, edit and delete so many grouped ones in the minute before the tick"
    )
    parser.add_argument(
        "--pace", type=float, default=60, help="schedules that are surely ready a second: how early they are created"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the plot")
    options = parser.parse_args()
    if 2 * options.churn > options.members:
        parser.error("--churn: so many are edited and as many deleted, so --members must be twice as many at least")
    return options


def _measure(made: Stage, way: str, asks: Sequence[Ask], count: int, options: argparse.Namespace) -> Part:
    if way == APSCHEDULER:
        return old_design(made, asks[:count])
    if way == PER_SCHEDULE:
        return fire(made, "PerSchedule", asks[:count], pace=options.pace)
    meanwhile = partial(kill_halfway, made.cluster, count) if options.kill else None
    fresh = asks[count : count + options.churn]
    return fire(made, "Grouped", asks[:count], pace=options.pace, fresh=fresh, meanwhile=meanwhile)


def _wrong(parts: Iterable[Part]) -> bool:
    """Tell whether anything is lost, doubled or stale."""
    return any(part.verdict.lost or part.verdict.doubled or part.verdict.stale for part in parts)


def _slow(parts: Mapping[str, Part]) -> bool:
    """Tell whether the grouped ones, if they are as many as the bar is for, came too late."""
    part = parts.get(GROUPED)
    return part is not None and part.due >= BAR_MEMBERS and part.seconds > BAR_SECONDS


def _too_close(parts: Mapping[str, Part]) -> bool:
    """Print how much faster grouped is than the others; tell whether that is too little anywhere."""
    ratios = {way: parts[GROUPED].rate / parts[way].rate for way in BARS if {GROUPED, way} <= parts.keys()}
    for way, ratio in ratios.items():
        print(f"grouped : {way}: ratio {ratio:.1f} (bar {BARS[way]})")
    return any(ratio < BARS[way] for way, ratio in ratios.items())


if __name__ == "__main__":
    sys.exit(main())
