"""`graphschedule-runner`: enqueue a slot, finish unfinished ones, judge a schedule, prepare the database."""

from __future__ import annotations

import gc
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code (`graphschedule.outcomes`)."""
    # A fire is over in a second, a sixth of which would go into looking for garbage among the modules it loads.
    gc.disable()
    try:
        from graphschedule_runner.program import run

        return run(sys.argv[1:] if words is None else words)
    finally:
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
