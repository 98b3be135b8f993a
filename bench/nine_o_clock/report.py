"""What was measured, as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.nine_o_clock import weight

if TYPE_CHECKING:
    from bench.nine_o_clock.load import Load
    from bench.nine_o_clock.part import Part
    from bench.nine_o_clock.stage import Stage

BUSIEST = 7
"""Programs that are named."""


def tell(part: Part) -> None:
    """Print what became of one tick."""
    p50, p99, last = (part.lateness(percent) for percent in (50, 99, 100))
    verdict = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in part.verdict._asdict().items())
    print(
        f"{part.name}: {part.due} due, all queued {part.seconds:.1f} s after the tick: {part.rate:.1f}/s; "
        f"lateness p50 {p50:.1f} s, p99 {p99:.1f} s, max {last:.1f} s"
    )
    print(f"  {verdict}; {part.pods} pods, {part.load.requests} API requests")
    print(f"  processor: {part.load.processor:.1f} s: {_programs(part.load)}")
    if part.told:
        print(f"  all statuses say so {part.told.seconds:.1f} s after the tick, {part.told.requests} requests later")
    if part.weights:
        objects = ", ".join(f"{kind.number} {name} of {kind.size:.0f} B" for name, kind in part.weights.objects.items())
        resident = ", ".join(f"{name} {megabytes:.0f} MB" for name, megabytes in part.weights.megabytes.items())
        print(f"  in etcd: {objects}; in memory: {resident}")


def tell_rows(stage: Stage) -> None:
    """Print what rows take."""
    rows = ", ".join(f"{name} {size:.0f} B" for name, size in weight.rows(stage.platform.engine).items())
    print(f"in PostgreSQL, each: {rows}")


def _programs(load: Load) -> str:
    busiest = sorted(load.programs.items(), key=lambda item: -item[1])[:BUSIEST]
    rest = load.processor - sum(load.programs.values())
    return ", ".join(f"{name} {seconds:.1f}" for name, seconds in [*busiest, ("ended pods and kernel", rest)])
