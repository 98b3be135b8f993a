"""Free ports of this machine."""

from __future__ import annotations

import contextlib
import random
import socket

# Below NodePorts, and below what the kernel gives to outgoing connections, one of which could take a port chosen here.
_RANGE = range(20_000, 30_000)


def free(count: int) -> list[int]:
    """Return `count` different ports that nobody listens on at this moment."""
    found: list[int] = []
    for port in random.sample(_RANGE, len(_RANGE)):
        if len(found) == count:
            break
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("", port))
            found.append(port)
    return found
