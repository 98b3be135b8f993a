"""Where the harness keeps what is dear to make: outside the tree, so that a fresh clone finds it again."""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """Return the cache's root: `$GRAPHSCHEDULE_CACHE`, else `graphschedule` in the user's XDG cache folder."""
    given = os.environ.get("GRAPHSCHEDULE_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "graphschedule"
