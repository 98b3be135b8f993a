"""`python -m dev.images build [NAME...]`: build images and print where they are."""

from __future__ import annotations

import argparse
import sys

from dev.images import NAMES, build


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m dev.images", description="Build the project's images.")
    verbs = parser.add_subparsers(required=True)
    verb = verbs.add_parser("build", help="build images that are not in the cache, and print where they are")
    verb.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}; all if none is given")
    names = parser.parse_args().names
    if unknown := set(names) - set(NAMES):
        parser.error(f"no image is called {', '.join(sorted(unknown))}: choose from {', '.join(NAMES)}")
    try:
        built = build(*names)
    except RuntimeError as error:
        sys.exit(str(error))
    for image in built.values():
        print(f"{image.ref}\t{image.archive.stat().st_size / 1e6:.0f} MB\t{image.archive}")


if __name__ == "__main__":
    main()
