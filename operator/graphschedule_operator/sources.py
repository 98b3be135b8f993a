"""Inputs from Secrets and ConfigMaps (M45): the volumes that show them. Pure.

The operator never reads them, nor has it the right to: the kubelet mounts them into the pod of each run, which so gets
what they hold at that moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphschedule.payload import InputSource

FOLDER = "/etc/graphschedule/inputs"
"""Below it lies one folder for each source, called by its index."""


def volumes(sources: Sequence[InputSource]) -> list[dict[str, Any]]:
    """Return a pod's volumes, one for each source.

    All are optional to the kubelet, so that the pod starts without them: it is the run that says what is missing.
    """
    return [{"name": _name(index)} | _content(source) for index, source in enumerate(sources)]


def mounts(sources: Sequence[InputSource]) -> list[dict[str, Any]]:
    """Return where the container sees the volumes."""
    return [{"name": _name(index), "mountPath": f"{FOLDER}/{index}", "readOnly": True} for index in range(len(sources))]


def _name(index: int) -> str:
    return f"inputs-{index}"


def _content(source: InputSource) -> dict[str, Any]:
    keys = {"items": [{"key": source.key, "path": source.key}]} if source.key else {}
    if source.kind == "Secret":
        return {"secret": {"secretName": source.name, "optional": True} | keys}
    return {"configMap": {"name": source.name, "optional": True} | keys}
