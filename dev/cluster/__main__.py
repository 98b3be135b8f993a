"""The local cluster by hand."""

from __future__ import annotations

import argparse
import sys

from dev.cluster import provider


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = _parser().parse_args(arguments)
    try:
        _COMMANDS[options.command](options)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _up(options: argparse.Namespace) -> None:
    cluster = provider.keep_up(options.name, kubelet=not options.control_plane_only)
    print(f"The cluster {cluster.name} runs. Look at it with: kubectl --kubeconfig {cluster.kubeconfig} get pods -A")


def _down(options: argparse.Namespace) -> None:
    provider.down(options.name)


def _status(_options: argparse.Namespace) -> None:
    for name, running in provider.names().items():
        print(f"{name}\t{'running' if running else 'crashed'}\t{provider.folder(name)}")


def _build(options: argparse.Namespace) -> None:
    provider.build(kubelet=not options.control_plane_only)


def _kubeconfig(options: argparse.Namespace) -> None:
    print(provider.opened(options.name).kubeconfig)


_COMMANDS = {"up": _up, "down": _down, "status": _status, "build": _build, "kubeconfig": _kubeconfig}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dev.cluster", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    helps = {
        "up": "start a cluster that runs on until `down`",
        "down": "stop a cluster and remove what it left",
        "status": "list the clusters that were started and not stopped",
        "build": "make all that a cluster needs, so that `up` takes seconds",
        "kubeconfig": "print the path of a running cluster's kubeconfig",
    }
    for command, text in helps.items():
        sub = commands.add_parser(command, help=text, description=text)
        if command in {"up", "down", "kubeconfig"}:
            sub.add_argument("--name", default="demo", help="the cluster's name (default: %(default)s)")
        if command in {"up", "build"}:
            sub.add_argument("--control-plane-only", action="store_true", help="no node: nothing runs pods")
    return parser


if __name__ == "__main__":
    sys.exit(main())
