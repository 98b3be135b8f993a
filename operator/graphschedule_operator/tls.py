"""A server's certificate, which somebody else renews while we run."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError

if TYPE_CHECKING:
    from pathlib import Path

CERTIFICATE, KEY = "tls.crt", "tls.key"
"""What the members of a Secret of type kubernetes.io/tls are called."""


def context(folder: Path) -> ssl.SSLContext:
    """Return a context that shows, at each handshake, the certificate that the folder then has.

    Raises:
        InvalidValueError: the folder has none that can be used.

    """

    def renew(connection: ssl.SSLSocket | ssl.SSLObject, *_: object) -> None:
        connection.context = _read(folder)

    try:
        first = _read(folder)
    except OSError as error:
        remedy = f"it must be a folder with {CERTIFICATE} and {KEY} in PEM form: {error}"
        raise InvalidValueError("GRAPHSCHEDULE_WEBHOOK_CERTIFICATES", str(folder), remedy) from error
    # Called at each handshake, with a server name or without; to change the context is what it is for.
    first.sni_callback = renew
    return first


def _read(folder: Path) -> ssl.SSLContext:
    made = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    made.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    return made
