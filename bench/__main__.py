"""`make bench`: every benchmark, one after the other. `docs/benchmarks.md` says what each measures."""

from __future__ import annotations

import subprocess
import sys

BENCHES = ("cold_start", "enqueue", "reconcile", "nine_o_clock", "drop_in", "kill")


def main() -> int:
    """Run the benchmarks named as arguments, all if none is; return how many failed."""
    return sum(_run(name) != 0 for name in sys.argv[1:] or BENCHES)


def _run(name: str) -> int:
    print(f"\n## {name}", flush=True)
    return subprocess.run([sys.executable, "-m", f"bench.{name}"], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
