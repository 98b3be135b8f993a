"""A server's certificate, which somebody else renews while we run."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""What the members of a Secret of type kubernetes.io/tls are called."""


def context(folder: Path) -> ssl.SSLContext:
    """Return a context that shows, at each handshake, the certificate that the folder then has.

    Raises:
        OSError: the folder has no certificate that can be used (ssl.SSLError is one).

    """

    def renew(connection: ssl.SSLSocket | ssl.SSLObject, *_: object) -> None:
        connection.context = _read(folder)

    first = _read(folder)
    # Called at each handshake, with a server name or without; to change the context is what it is for.
    first.sni_callback = renew
    return first


def _read(folder: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    return made
