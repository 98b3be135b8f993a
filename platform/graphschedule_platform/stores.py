"""Users' credentials as the platform stores them, and the platform's own (C §1.3, §2.3)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError

from graphschedule_platform.facts import CredentialStore, StoredCredential

if TYPE_CHECKING:
    from collections.abc import Collection

OLLAMA = StoredCredential("744fdc56-071a-4761-b5a5-0af0ce10a2b5", "ollama", "api_key")
"""The one system credential that every platform has, whatever its settings (C §2.12)."""

_KEY_BYTES = 32


def check_key(key: str) -> None:
    """Check that a text has the form of a Fernet key.

    Raises:
        InvalidValueError: it has not; the message does not show it.

    """
    try:
        usable = len(base64.urlsafe_b64decode(key)) == _KEY_BYTES
    except ValueError:
        usable = False
    if not usable:
        remedy = "it must be the platform's Fernet key: 32 bytes in URL-safe base64"
        raise InvalidValueError("ENCRYPTION_KEY", "(hidden)", remedy)


def open_store(integrations: str | None, key: str, system: Collection[StoredCredential]) -> CredentialStore:
    """Return the credentials of a user's encrypted `User.integrations`, with the system's.

    `integrations` is None when there is no such user. A text that the key does not open makes the store unavailable:
    the platform then refuses whoever refers to a credential.
    """
    if integrations is None:
        return CredentialStore(unavailable="the user does not exist")
    try:
        own = _decrypted(integrations, key) if integrations else []
    except ValueError as error:
        return CredentialStore(unavailable=str(error))
    return CredentialStore({credential.id: credential for credential in (*system, *own)})


def _decrypted(text: str, key: str) -> list[StoredCredential]:
    from cryptography.fernet import Fernet, InvalidToken

    try:
        members = json.loads(Fernet(key).decrypt(text))
        stored = members.get("credentials") or []
        return [StoredCredential(entry["id"], entry["provider"], entry["type"]) for entry in stored]
    except InvalidToken as error:
        raise ValueError("the user's stored credentials do not open with the encryption key") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError("the user's stored credentials are not in the expected form") from error


def system_credentials(text: str) -> tuple[StoredCredential, ...]:
    """Return the system credentials that a platform has switched on, Ollama's included.

    `text` lists the others as `provider:type:id`, separated by commas: which ones there are is in the platform's
    settings alone (C §2.3).

    Raises:
        InvalidValueError: an entry has another form.

    """
    return (OLLAMA, *(_system_credential(entry.strip()) for entry in text.split(",") if entry.strip()))


def _system_credential(entry: str) -> StoredCredential:
    provider, _, rest = entry.partition(":")
    kind, _, credential_id = rest.partition(":")
    if not (provider and kind and credential_id) or ":" in credential_id:
        raise InvalidValueError("SYSTEM_CREDENTIALS", entry, "write provider:type:id, separated by commas")
    return StoredCredential(credential_id, provider, kind)
