"""What a test needs to know about a server: how to reach it, from here and from elsewhere."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dev import processes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_PAUSE = 0.02
_PATIENCE = 120.0


@dataclass(frozen=True)
class Service:
    """One server, or one tenant of it (a database, a vhost)."""

    url: str
    """Address for clients on this machine, with user, password and tenant."""

    def url_for(self, host: str) -> str:
        """Return the same address for clients that know this machine by another name or address, such as pods."""
        parts = urlsplit(self.url)
        user, at, _ = parts.netloc.rpartition("@")
        port = f":{parts.port}" if parts.port else ""
        return parts._replace(netloc=f"{user}{at}{host}{port}").geturl()


def until_it_answers(folder: Path, attempt: Callable[[], object], refusal: type[Exception]) -> None:
    """Repeat an attempt to connect until it succeeds; no server here announces in another way that it is ready.

    Raises `RuntimeError` with the ends of the folder's logs if a program of the folder has ended, or after two minutes.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            attempt()
        except refusal as error:
            if time.monotonic() > deadline or not processes.all_alive(folder):
                raise RuntimeError(f"A server does not start: {error}\n{_last_words(folder)}") from error
            time.sleep(_PAUSE)
        else:
            return


def _last_words(folder: Path) -> str:
    return "\n".join(
        line for log in folder.glob("*.log") for line in log.read_text(errors="replace").splitlines()[-10:]
    )
