"""Inputs from Secrets and ConfigMaps (M45), as the volumes of a pod show them when it starts."""

from __future__ import annotations

import json
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from graphschedule.errors import InvalidValueError
from graphschedule_platform.fires import Fire
from graphschedule_platform.verdict import Verdict, VerdictKind

from graphschedule_runner.secrecy import discreet

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from graphschedule.payload import InputSource, RunPayload
    from graphschedule_platform.admission import Judge


MAX_BYTES = 1024 * 1024
"""Limit of all inputs together, as JSON: as much as one Secret or ConfigMap can hold."""

_CONTENTS = {"Text": "text in UTF-8", "Json": "JSON in UTF-8"}

Inputs = dict[str, Any]


def complete(fire: Fire, judge: Judge, folder: Path) -> tuple[Fire, Judge]:
    """Return the fire with all its inputs, and its judge, who now tells nobody what was in a Secret.

    In `folder`, the volume of each source is the folder called by its index. If a source cannot be used, the fire is
    returned as it was, with a judge who refuses it for that reason. So the slot is on record as failed, unless an
    earlier attempt has written its execution: that one gets finished, for it needs no inputs any more.
    """
    (((completed,), its_judge),) = complete_many([fire], judge, folder)
    return completed, its_judge


def complete_many(fires: Iterable[Fire], judge: Judge, folder: Path) -> list[tuple[list[Fire], Judge]]:
    """Do the same for fires that share the volumes in `folder`; return them in parts, each with a judge of its own."""
    read = cache(partial(_read, folder))
    parts: dict[tuple[InputSource, ...], tuple[list[Fire], Judge]] = {}
    refused: dict[str, tuple[list[Fire], Judge]] = {}
    for fire in fires:
        payload = fire.payload
        try:
            found = read(payload.namespace, payload.inputs_from)
            inputs = _merged(payload, found)
        except InvalidValueError as error:
            refused.setdefault(str(error), ([], _refusing(str(error))))[0].append(fire)
            continue
        if payload.inputs_from not in parts:
            parts[payload.inputs_from] = [], discreet(judge, _secret(payload.inputs_from, found))
        parts[payload.inputs_from][0].append(Fire(fire.slot, payload._replace(inputs=inputs)))
    return [*parts.values(), *refused.values()]


def size(folder: Path) -> int:
    """Return the bytes that all volumes in a folder show: none, if there is no such folder."""
    return sum(path.stat().st_size for path in folder.glob("*/*") if path.is_file())


def _refusing(message: str) -> Judge:
    refusal = Verdict(VerdictKind.NO_INPUTS, message)
    return lambda _, requests: [refusal for _ in requests]


def _secret(sources: Sequence[InputSource], found: Sequence[Inputs]) -> list[Inputs]:
    """Return what is from Secrets."""
    return [values for source, values in zip(sources, found, strict=True) if source.kind == "Secret"]


def _read(folder: Path, namespace: str, sources: Sequence[InputSource]) -> list[Inputs]:
    """Return what each source gives."""
    found = []
    for index, source in enumerate(sources):
        field = f"spec.inputsFrom[{index}]"
        files = _files(folder / str(index), source.key)
        if not files and not source.optional:
            remedy = f"namespace {namespace} has no such thing, or it is empty; create it, or set optional: true"
            raise InvalidValueError(field, _title(source, source.key), remedy)
        found.append({source.input or key: _value(field, source, key, content) for key, content in files.items()})
    return found


def _files(folder: Path, key: str | None) -> dict[str, bytes]:
    """Return what a volume shows: one file for each key, beside folders of the kubelet's own."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob(key or "*")) if path.is_file()}


def _value(field: str, source: InputSource, key: str, content: bytes) -> object:
    try:
        text = content.decode()
        return json.loads(text) if source.format == "Json" else text
    except (ValueError, RecursionError):  # whose messages may quote what they could not read
        remedy = f"format {source.format} takes {_CONTENTS[source.format]}"
        raise InvalidValueError(field, _title(source, key), remedy) from None


def _title(source: InputSource, key: str | None) -> str:
    return f"{source.kind} {source.name}" + (f", key {key}" if key else "")


def _merged(payload: RunPayload, found: Sequence[Inputs]) -> Inputs:
    """Lay each source's values over those before it."""
    inputs = dict(payload.inputs)
    for values in found:
        inputs |= values
    size = len(json.dumps(inputs))
    if size > MAX_BYTES:
        remedy = f"together they may take {MAX_BYTES} bytes; keep large data in a store that the graph reads"
        raise InvalidValueError("spec.inputs and spec.inputsFrom", f"{size} bytes", remedy)
    return inputs
