"""The curves of all ticks in one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bench.nine_o_clock.part import Part


def plot(parts: Iterable[Part], file: Path) -> None:
    """Draw how many schedules were queued by when; both axes are logarithmic, so that rates are distances."""
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for part in parts:
        seconds, depths = zip(*part.curve.samples, strict=True)
        axes.step(seconds, depths, where="post", label=f"{part.name}: {part.due} due, {part.rate:.0f}/s")
    axes.set(xscale="log", yscale="log", xlabel="seconds after the tick", ylabel="schedules queued", xlim=(0.5, None))
    axes.grid(visible=True, alpha=0.3)
    axes.legend(loc="upper left")
    file.parent.mkdir(parents=True, exist_ok=True)
    with mpl.rc_context({"svg.hashsalt": "nine", "svg.fonttype": "none"}):
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else {})
