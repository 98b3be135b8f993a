"""The test as the node: pods that never run, and end as a test says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.operator.world import World


def pods(world: World) -> list[dict[str, Any]]:
    """Return the pods of a namespace."""
    found: list[dict[str, Any]] = json.loads(world.kubectl("get", "pods", "--output", "json"))["items"]
    return found


def end(world: World, pod: dict[str, Any], *, code: int = 0, **report: object) -> None:
    """Have a pod end with a report as its last words."""
    message = json.dumps({"text": None, "counts": {}} | report) if report else ""
    terminated = {"exitCode": code, "reason": "Completed", "message": message}
    container = {"name": "main", "image": "x", "imageID": "x", "ready": False, "restartCount": 0}
    status = {
        "phase": "Failed" if code else "Succeeded",
        "containerStatuses": [container | {"state": {"terminated": terminated}}],
    }
    world.patch("pod", pod["metadata"]["name"], {"status": status}, "--subresource=status")
