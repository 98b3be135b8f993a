"""Credentials: grouped by what they open, handed to nodes, and checked (C §2.3, §2.12)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from graphschedule_platform.validation.refusal import RefusalError

if TYPE_CHECKING:
    from graphschedule_platform.facts import Block, CredentialField, CredentialStore, Graph, JsonObject, JsonValue, Node
    from graphschedule_platform.validation.structure import Blocks

REQUIRED = "These credentials are required"
INVALID = "Invalid credentials: "
NOT_AVAILABLE = "Credentials not available: "
UNKNOWN = "Unknown credentials #"

_MEMBERS = ("id", "title", "provider", "type")

Groups = Mapping[str, Sequence[tuple[str, str]]]
"""The (node id, field) pairs that one credential input of a graph is for, by the input's name."""


def group(graph: Graph, blocks: Blocks) -> Groups:
    """Return a graph's credential inputs, over the graph and its sub-graphs (C §2.3). Pickers take no part.

    Raises:
        RefusalError: a discriminating value has no mapping, as with a retired model.

    """
    groups: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for node in (node for member in graph.with_sub_graphs for node in member.nodes):
        block = blocks.get(node.block_id)
        for credential in block.input.credentials if block else ():
            key = _key(_providers(credential, node), credential.types)
            groups[key].append((node.id, credential.name))
    return groups


def _key(providers: frozenset[str], types: frozenset[str]) -> str:
    return f"{'-'.join(sorted(providers))}_{'-'.join(sorted(types))}_credentials"


def _providers(credential: CredentialField, node: Node) -> frozenset[str]:
    """Return the providers a node's field takes, narrowed by the value of the discriminating field."""
    value = node.constants.get(credential.discriminator) if credential.discriminator else None
    if value is None:
        return frozenset(credential.providers)
    if isinstance(value, list | dict):
        raise RefusalError(f"`{credential.discriminator}` of node #{node.id} must be a single value")
    if credential.mapping:
        return frozenset({_mapped(credential.mapping, value)})
    return frozenset({credential.providers[0], _host(str(value))}) if value else frozenset(credential.providers)


def _mapped(mapping: Mapping[str, str], value: JsonValue) -> str:
    if value not in mapping:
        raise RefusalError(f"Model '{value}' is not supported. It may be retired: choose another in the agent.")
    return mapping[value]


def _host(url: str) -> str:
    """Return the host of a URL, with its port; the scheme may be left out."""
    address = url.strip("/ ")
    try:
        has_scheme = re.match(r"[a-z][a-z0-9+.-]*://", address, re.IGNORECASE)
        return urlsplit(address if has_scheme else f"http://{address}").netloc
    except ValueError as error:
        raise RefusalError(f"{url!r:.120} is not a URL: {error}") from error


def masks(groups: Groups, credentials: Mapping[str, JsonObject]) -> dict[str, dict[str, JsonValue]]:
    """Return masks that hand the given credentials to the nodes of their groups (C §2.3).

    Null members are dropped; credentials of unknown names are ignored, and groups without credentials skipped.
    """
    masks: dict[str, dict[str, JsonValue]] = defaultdict(dict)
    for name, places in groups.items():
        given = credentials.get(name)
        if given is None:
            continue
        reference = {member: given[member] for member in _MEMBERS if given.get(member) is not None}
        for node_id, field_name in places:
            masks[node_id][field_name] = reference
    return masks


class Findings:
    """What a check of a node's credentials comes to: texts by field, and whether the node is to be skipped."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}
        self.skipped = False


def check_node(node: Node, block: Block, mask: JsonObject, store: CredentialStore | None) -> Findings:
    """Check the credentials and picked files of a node of the top-level graph (C §2.3).

    Without a store only the shape of references is checked.
    """
    findings = Findings()
    missing = False
    for credential in block.input.credentials:
        optional = node.credentials_optional or credential.name not in block.input.required
        reference = _reference(node, credential, mask, optional)
        if reference is None or (isinstance(reference, dict) and not reference.get("id")):
            missing = True
            error = None if optional else REQUIRED
        else:
            error = _reference_error(credential, reference, store)
        if error:
            findings.errors[credential.name] = error
    for name in block.input.pickers:
        _check_picker(name, node, block, mask, store, findings)
    if missing and node.credentials_optional and not findings.errors:
        findings.skipped = True
    return findings


def _reference(node: Node, credential: CredentialField, mask: JsonObject, optional: bool) -> JsonValue:
    """Return the reference a field holds: the mask's, else the constant's, which an optional field ignores."""
    if credential.name in mask:
        return mask[credential.name]
    return None if optional else node.constants.get(credential.name)


def _reference_error(credential: CredentialField, reference: JsonValue, store: CredentialStore | None) -> str | None:
    malformed = _malformation(credential, reference)
    if malformed:
        return INVALID + malformed
    if store is None:
        return None
    if store.unavailable:
        return NOT_AVAILABLE + store.unavailable
    stored = store.credentials.get(reference["id"])
    if stored is None:
        return f"{UNKNOWN}{reference['id']}"
    if (stored.provider, stored.type) != (reference["provider"], reference["type"]):
        return INVALID + "type/provider mismatch"
    return None


_ANY_PROVIDER = ("string",)
"""What the platform writes as the providers of a field that takes any."""


def _malformation(credential: CredentialField, reference: JsonValue) -> str:
    """Return why a value is no reference `{id, title?, provider, type}` that the field takes; empty if it is."""
    if not isinstance(reference, dict):
        return "they must be an object with id, provider and type"
    if not isinstance(reference["id"], str):
        return "id must be a text"
    if not isinstance(reference.get("title"), str | None):
        return "title must be a text"
    provider, kind = reference.get("provider"), reference.get("type")
    if credential.providers != _ANY_PROVIDER and provider not in credential.providers:
        return f"provider must be one of {', '.join(credential.providers)}, not {provider!r}"
    if kind not in tuple(credential.types):
        return f"type must be one of {', '.join(sorted(credential.types))}, not {kind!r}"
    return ""


def _check_picker(
    name: str, node: Node, block: Block, mask: JsonObject, store: CredentialStore | None, findings: Findings
) -> None:
    """Note what a picked file lacks: a text if the field is required, else that the node is skipped (C §2.3)."""
    if name not in mask and name not in node.constants:
        return
    text = _picker_error(mask[name] if name in mask else node.constants[name], store)
    if text is None:
        return
    if node.credentials_optional or name not in block.input.required:
        findings.skipped = True
    else:
        findings.errors[name] = text


def _picker_error(value: JsonValue, store: CredentialStore | None) -> str | None:
    """Return why a picked file cannot be opened; provider and type are not looked at (C §2.12)."""
    if value is None:
        return NOT_AVAILABLE + "no file is chosen"
    if not value or not isinstance(value, dict):
        return None
    if "_credentials_id" not in value:
        return NOT_AVAILABLE + "the chosen file comes without credentials; choose it again"
    credential_id = value["_credentials_id"]
    if credential_id is None:
        return None
    if not isinstance(credential_id, str) or not credential_id.strip():
        return NOT_AVAILABLE + "the chosen file's credentials id is not valid; choose it again"
    if store is None:
        return None
    if store.unavailable:
        return NOT_AVAILABLE + store.unavailable
    return None if credential_id in store.credentials else f"{UNKNOWN}{credential_id}"
