"""Reading of what `validate` judges: GraphSchedules in YAML, or requests in JSON, one a line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml
from graphschedule import cron
from graphschedule.errors import InvalidValueError
from graphschedule.labels import KIND
from graphschedule.spec import GraphScheduleSpec
from graphschedule_platform.verdict import ExecutionRequest
from pydantic import ValidationError

from graphschedule_runner.console import read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MEMBERS = {
    "graphId": ("graph_id", str),
    "userId": ("user_id", str),
    "graphVersion": ("graph_version", int),
    "inputs": ("inputs", dict),
    "credentials": ("credentials", dict),
    "nodesInputMasks": ("nodes_input_masks", dict),
}
"""Members of a request in a batch: the parameter each gives, and its type."""


def of_schedules(path: Path) -> Iterator[ExecutionRequest]:
    """Read the GraphSchedules of a YAML file; cron and zone are judged here, for they need no database.

    Raises:
        InvalidValueError: the file or a field of it cannot be used.

    """
    try:
        documents = [document for document in yaml.safe_load_all(read("file", path)) if document]
    except yaml.YAMLError as error:
        raise InvalidValueError("--filename", str(path), f"it must be YAML ({' '.join(str(error).split())})") from error
    for document in documents:
        if not isinstance(document, dict) or document.get("kind") != KIND:
            raise InvalidValueError("kind", document.get("kind") if isinstance(document, dict) else document, KIND)
        yield _schedule(document.get("spec"))


def _schedule(members: object) -> ExecutionRequest:
    try:
        spec = GraphScheduleSpec.model_validate(members)
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(map(str, ("spec", *fault["loc"])))
        raise InvalidValueError(place, fault["input"], fault["msg"]) from error
    cron.parse(spec.cron)
    cron.time_zone(spec.time_zone)
    return ExecutionRequest(
        graph_id=spec.graph.id,
        user_id=spec.user_id,
        graph_version=spec.graph.version,
        inputs=spec.inputs,
        credentials={name: one.model_dump(exclude_none=True) for name, one in spec.credentials.items()},
    )


def of_batch(path: Path) -> Iterator[ExecutionRequest]:
    """Read the requests of a file of JSON lines.

    Raises:
        InvalidValueError: a line is no request.

    """
    for number, line in enumerate(read("file", path).split("\n"), start=1):
        if line.strip():
            yield _request(f"{path} line {number}", line)


def _request(place: str, line: str) -> ExecutionRequest:
    try:
        members = json.loads(line)
    except ValueError as error:
        raise InvalidValueError(place, line, f"it must be JSON ({error})") from error
    if not isinstance(members, dict) or not {"graphId", "userId"} <= members.keys() <= _MEMBERS.keys():
        raise InvalidValueError(
            place, line, f"it must be an object with graphId and userId, and of {', '.join(_MEMBERS)}"
        )
    given = {name: value for name, value in members.items() if value is not None}
    for name, value in given.items():
        wanted = _MEMBERS[name][1]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise InvalidValueError(f"{place} {name}", value, f"it must be of type {wanted.__name__}")
    return ExecutionRequest(**{_MEMBERS[name][0]: value for name, value in given.items()})
