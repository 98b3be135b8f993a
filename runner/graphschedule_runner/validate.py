"""`validate`: what the platform would say to a GraphSchedule, or to requests one a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from graphschedule_runner import assembly, requests
from graphschedule_runner.console import each_error, say

if TYPE_CHECKING:
    import argparse

    from graphschedule_platform.verdict import ExecutionRequest, Verdict

    from graphschedule_runner.settings import Settings

_UNCHECKED = "credentials judged by their shape only, for ENCRYPTION_KEY is not set"


def run(options: argparse.Namespace, settings: Settings) -> int:
    """Print each verdict; return 0 for a batch that was judged, else the exit code of the first refusal."""
    asked = list(requests.of_batch(options.batch) if options.batch else requests.of_schedules(options.filename))
    with assembly.transaction(settings) as connection:
        verdicts = assembly.judge(settings)(connection, asked)
    for request, verdict in zip(asked, verdicts, strict=True):
        say(json.dumps(_members(verdict)) if options.output == "json" else _text(request, verdict))
    refusals = [verdict.kind.outcome.exit_code for verdict in verdicts if not verdict.valid]
    return 0 if options.batch or not refusals else refusals[0]


def _members(verdict: Verdict) -> dict[str, Any]:
    return {
        "verdict": verdict.kind.word,
        "message": verdict.message,
        "nodeErrors": verdict.node_errors,
        "startingNodes": verdict.starting_nodes,
        "nodesInputMasks": verdict.nodes_input_masks,
        "nodesToSkip": list(verdict.nodes_to_skip),
        "graphVersion": verdict.graph_version,
        "credentialsChecked": verdict.credentials_checked,
    }


def _text(request: ExecutionRequest, verdict: Verdict) -> str:
    said = [f"graph {request.graph_id} for user {request.user_id}", verdict.kind.word]
    if verdict.message:
        said.append(verdict.message)
    if verdict.valid:
        said.append(f"version {verdict.graph_version} starts {len(verdict.starting_nodes)} nodes")
        said.append("credentials checked" if verdict.credentials_checked else _UNCHECKED)
    return "\n  ".join([": ".join(said), *each_error(verdict.node_errors)])
