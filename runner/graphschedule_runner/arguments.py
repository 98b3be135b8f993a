"""The commands and their options. Each command's options name, as `module`, the module here that runs it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 - argparse has no public name for it

PAYLOAD = Path("/etc/graphschedule/run.json")
"""Where a pod finds its run payload."""

INPUTS = Path("/etc/graphschedule/inputs")
"""Where a pod finds what its Secrets and ConfigMaps hold: a folder for each of `spec.inputsFrom`, by index."""

TERMINATION_LOG = Path("/dev/termination-log")
"""Where Kubernetes reads a container's last words; the file is there only in a pod."""


class _Shard(argparse.Action):
    """Names a shard, and with it the module that executes one."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - interface
        namespace: argparse.Namespace,
        values: str | Sequence[object] | None,
        option_string: str | None = None,  # noqa: ARG002 - interface
    ) -> None:
        namespace.shard, namespace.module = values, "shard"


def parse(words: Sequence[str], environment: Mapping[str, str]) -> argparse.Namespace:
    """Return the options; what the pod's environment says is the default of those it concerns."""
    top = argparse.ArgumentParser(prog="graphschedule-runner", description="Runs agent graphs on a schedule.")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _execute(commands, environment)
    if words[:1] != ["execute"]:  # a fire has no time for the others
        _repair(commands)
        _task(commands, environment)
        _validate(commands)
        _upgrade(_group(commands, "db", "the database"))
        _import(_group(commands, "graph", "graphs of a standalone database"))
        _list(_group(commands, "executions", "executions"))
        _list_runs(_group(commands, "tasks", "runs of the housekeeping tasks"))
    return top.parse_args(words)


def _execute(commands: Commands, environment: Mapping[str, str]) -> None:
    command = _command(commands, "execute", "execute", "enqueue one slot of a schedule: what a CronJob's pod does")
    what = command.add_mutually_exclusive_group()
    what.add_argument("--payload", type=Path, default=PAYLOAD, metavar="FILE", help="run payload (%(default)s)")
    what.add_argument("--shard", type=Path, action=_Shard, metavar="FILE", help="run payloads of many schedules")
    command.add_argument(
        "--inputs", type=Path, default=INPUTS, metavar="FOLDER", help="inputs from elsewhere (%(default)s)"
    )
    command.add_argument("--slot", metavar="TIME", help="RFC 3339 fire time; by default it is in the Job's name")
    job = "of the Job that runs this ($GRAPHSCHEDULE_JOB_{})"
    command.add_argument(
        "--job-name", default=environment.get("GRAPHSCHEDULE_JOB_NAME"), help=f"name {job.format('NAME')}"
    )
    command.add_argument("--job-uid", default=environment.get("GRAPHSCHEDULE_JOB_UID"), help=f"uid {job.format('UID')}")
    command.add_argument("--termination-log", type=Path, default=TERMINATION_LOG, metavar="FILE", help="(%(default)s)")


def _repair(commands: Commands) -> None:
    command = _command(commands, "repair", "repair", "finish slots that an earlier run left unfinished")
    command.add_argument(
        "--older-than",
        type=int,
        default=60,
        metavar="SECONDS",
        help="leave younger ones to their run (%(default)s)",
    )


def _task(commands: Commands, environment: Mapping[str, str]) -> None:
    from graphschedule_runner.tasks import TASKS, interval

    text = "do one of the platform's housekeeping tasks"
    listed = "\n".join(f"  {name:34}{what}" for name, what in TASKS.items())
    command = commands.add_parser(
        "task",
        help=text,
        description=text,
        epilog=f"tasks:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(module="run_task")
    command.add_argument("name", choices=TASKS, metavar="NAME", help="one of the tasks below")
    command.add_argument(
        "--every",
        type=interval,
        metavar="SECONDS",
        help="do nothing if the Job's tick is no multiple of this since 1970",
    )
    command.add_argument(
        "--cronjob", default=environment.get("GRAPHSCHEDULE_CRONJOB_NAME"), help="name ($GRAPHSCHEDULE_CRONJOB_NAME)"
    )
    command.add_argument(
        "--job-name", default=environment.get("GRAPHSCHEDULE_JOB_NAME"), help="name ($GRAPHSCHEDULE_JOB_NAME)"
    )
    command.add_argument("--termination-log", type=Path, default=TERMINATION_LOG, metavar="FILE", help="(%(default)s)")
    command.add_argument(
        "--pushgateway",
        default=environment.get("PUSHGATEWAY_URL"),
        metavar="URL",
        help="push metrics there ($PUSHGATEWAY_URL)",
    )
    command.add_argument(
        "--instance",
        default=environment.get("PUSHGATEWAY_INSTANCE", ""),
        help="tells the metrics of this installation from those of others ($PUSHGATEWAY_INSTANCE)",
    )
    _output(command)


def _validate(commands: Commands) -> None:
    command = _command(commands, "validate", "validate", "say what the platform would say to schedules")
    source = command.add_mutually_exclusive_group(required=True)
    source.add_argument("-f", "--filename", type=Path, metavar="FILE", help="a GraphSchedule as YAML")
    source.add_argument("--batch", type=Path, metavar="FILE", help="requests as JSON, one a line")
    _output(command)


def _upgrade(commands: Commands) -> None:
    command = _command(commands, "upgrade", "upgrade", "create or update our tables")
    command.add_argument(
        "--standalone", action="store_true", default=None, help="create the platform's tables too (default on SQLite)"
    )


def _import(commands: Commands) -> None:
    command = _command(commands, "import", "import_graph", "load a graph with its user, blocks and library entry")
    command.add_argument("filename", type=Path, metavar="FILE")


def _list(commands: Commands) -> None:
    command = _command(commands, "list", "executions", "show the newest executions, their status and their inputs")
    command.add_argument("--schedule", metavar="NAME", help="only those of this GraphSchedule")
    command.add_argument("--limit", type=int, default=20, metavar="COUNT", help="(%(default)s)")
    _output(command)


def _list_runs(commands: Commands) -> None:
    from graphschedule_runner.tasks import TASKS

    command = _command(commands, "list", "task_runs", "show the newest run of each task, or the newest of one task")
    command.add_argument("--task", choices=TASKS, metavar="NAME", help="only this task's")
    command.add_argument("--limit", type=int, default=20, metavar="COUNT", help="with --task (%(default)s)")
    _output(command)


def _group(commands: Commands, name: str, text: str) -> Commands:
    return commands.add_parser(name, help=text, description=text).add_subparsers(required=True, metavar="COMMAND")


def _command(commands: Commands, name: str, module: str, text: str) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text, description=text)
    command.set_defaults(module=module)
    return command


def _output(command: argparse.ArgumentParser) -> None:
    command.add_argument("-o", "--output", choices=("text", "json"), default="text", help="(%(default)s)")
