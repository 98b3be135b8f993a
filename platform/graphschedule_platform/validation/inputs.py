"""Errors of a node's inputs, collected by field (C §2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphschedule_platform.catalogue import BlockKind
from graphschedule_platform.validation.dynamic import base_name, field_of
from graphschedule_platform.validation.hooks import missing_input
from graphschedule_platform.validation.refusal import RefusalError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from graphschedule_platform.facts import Block, JsonObject, JsonValue, Link, Node

REQUIRED = "This field is required"

Errors = dict[str, str]
"""Texts by field name."""


def node_errors(node: Node, block: Block, inbound: Sequence[Link], mask: JsonObject) -> Errors:
    """Return the errors of a node's inputs; where two rules name one field the later one's text stands.

    Raises:
        RefusalError: the node holds what the platform itself fails on (C §2.12).

    """
    return (
        _missing(node, block, inbound, mask)
        | _reserved_name(node, block)
        | _dependencies(node, block, mask)
        | _pickers(node, block, inbound)
    )


def _missing(node: Node, block: Block, inbound: Sequence[Link], mask: JsonObject) -> Errors:
    """Report required fields that neither a constant, a link nor a mask provides; a null does (C §2.2).

    Fields of constants and links count by base name, masks by their very keys (C §2.12). Credentials have rules
    of their own. A block's further requirements look at constants only.
    """
    provided = {field_of(name) for name in node.constants}
    provided |= {field_of(link.sink_name) for link in inbound} | mask.keys()
    wanted = block.input.required | missing_input(block, node.constants)
    return dict.fromkeys(sorted(wanted - provided - block.input.credential_names), REQUIRED)


def _reserved_name(node: Node, block: Block) -> Errors:
    """Report an input node that is called like a credentials field (C §2.2)."""
    name = node.constants.get("name")
    if block.kind is not BlockKind.INPUT or not name:
        return {}
    if not isinstance(name, str):
        raise RefusalError(f"The name of input node #{node.id} must be a text")
    if name != "credentials" and not name.endswith("_credentials"):
        return {}
    return {"name": f"'{name}' is a reserved input name: 'credentials' and `*_credentials` are reserved"}


def _dependencies(node: Node, block: Block, mask: JsonObject) -> Errors:
    """Report fields in use, or required, whose companions have no value; links do not count (C §2.2, §2.12)."""

    def has_value(name: str) -> bool:
        by_default = name in block.input.fields and name not in block.input.null_defaults
        return by_default or _filled(node.constants.get(name)) or _filled(mask.get(name))

    errors = {}
    for name, needed in block.input.dependencies.items():
        absent = [other for other in needed if not has_value(other)]
        if absent and has_value(name):
            errors[name] = f"Requires {', '.join(absent)} to be set"
    return errors


def _filled(value: JsonValue) -> bool:
    return value is not None and str(value).strip() != ""


def _pickers(node: Node, block: Block, inbound: Sequence[Link]) -> Errors:
    """Report picked files written by hand, without the credentials to open them (C §2.2, §2.12)."""
    linked = {base_name(link.sink_name) for link in inbound}
    return {
        name: f"'{name}' must be chosen with the file picker, or linked: it needs the credentials to open the file"
        for name in block.input.pickers
        if name not in linked and node.constants.get(name) is not None and not _picked(node.constants[name])
    }


def _picked(value: JsonValue) -> bool:
    return isinstance(value, dict) and bool(value.get("_credentials_id"))
