"""`db upgrade`: the ledger's tables, and in a standalone database the platform's too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_platform import migrations

from graphschedule_runner import assembly
from graphschedule_runner.console import say

if TYPE_CHECKING:
    import argparse

    from graphschedule_runner.settings import Settings


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Bring the database up to date; return 0."""
    engine = assembly.engine(settings)
    try:
        branches = migrations.upgrade(engine, options.standalone)
    finally:
        engine.dispose()
    say(f"up to date: {', '.join(branches)}")
    return 0
