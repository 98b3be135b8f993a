"""What validation knows: graphs, blocks, users' access and credentials, as frozen values without a database."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from graphschedule_platform.catalogue import BlockKind

JsonValue = Any
"""A value of JSON: null, a boolean, a number, a text, a list or an object."""

JsonObject = Mapping[str, JsonValue]


class CredentialField(NamedTuple):
    """A field that takes credentials (C §2.11).

    `providers` and `types` are what it accepts. `discriminator` names another field whose value narrows the
    providers: by `mapping` to one provider, or without a mapping by the host of a URL (C §2.3).
    """

    name: str
    providers: tuple[str, ...]
    types: frozenset[str]
    discriminator: str | None
    mapping: Mapping[str, str]


class InputSchema:
    """A block's stored input schema with what the rules ask of it (C §2.11)."""

    def __init__(self, document: JsonObject) -> None:
        self.document = document

    @cached_property
    def fields(self) -> Mapping[str, JsonObject]:
        """Property schemas by field name."""
        properties: Mapping[str, JsonObject] = self.document.get("properties", {})
        return properties

    @cached_property
    def required(self) -> frozenset[str]:
        """Fields without a default in the block's model."""
        return frozenset(self.document.get("required", ()))

    @cached_property
    def null_defaults(self) -> frozenset[str]:
        """Fields whose default is null: the only ones that count as without a value by themselves (C §2.12)."""
        return frozenset(n for n, schema in self.fields.items() if "default" in schema and schema["default"] is None)

    @cached_property
    def credentials(self) -> tuple[CredentialField, ...]:
        """The fields that take credentials."""
        return tuple(
            CredentialField(
                name=name,
                providers=tuple(schema["credentials_provider"]),
                types=frozenset(schema["credentials_types"]),
                discriminator=_field_name(schema.get("discriminator")),
                mapping=schema.get("discriminator_mapping") or {},
            )
            for name, schema in self.fields.items()
            if "credentials_provider" in schema and "credentials_types" in schema
        )

    @cached_property
    def credential_names(self) -> frozenset[str]:
        """Names of the fields that take credentials."""
        return frozenset(field.name for field in self.credentials)

    @cached_property
    def pickers(self) -> tuple[str, ...]:
        """Fields that hold a picked file together with the id of the credentials to open it with."""
        return tuple(name for name, schema in self.fields.items() if schema.get("auto_credentials"))

    @cached_property
    def dependencies(self) -> Mapping[str, tuple[str, ...]]:
        """For each field that needs others, their names: `depends_on` and a discriminating field (C §2.2)."""
        needs = {
            name: (*schema.get("depends_on", ()), *filter(None, [_field_name(schema.get("discriminator"))]))
            for name, schema in self.fields.items()
        }
        return {name: names for name, names in needs.items() if names}


def _field_name(discriminator: JsonValue) -> str | None:
    """Return the field a discriminator names; an object is JSON Schema's own `oneOf` discriminator (C §2.11)."""
    return discriminator if isinstance(discriminator, str) else None


@lru_cache(maxsize=4096)
def input_schema(text: str) -> InputSchema:
    """Return the facts of a stored input schema; equal texts share one object, with its validator.

    Raises:
        ValueError: the text is not a JSON Schema of an object.

    """
    return InputSchema(_object_schema(text))


@lru_cache(maxsize=4096)
def output_fields(text: str) -> frozenset[str]:
    """Return the names of the fields of a stored output schema.

    Raises:
        ValueError: the text is not a JSON Schema of an object.

    """
    return frozenset(_object_schema(text).get("properties", {}))


def _object_schema(text: str) -> JsonObject:
    document: JsonObject = json.loads(text)
    properties = document.get("properties", {}) if isinstance(document, dict) else None
    if not isinstance(properties, dict) or not all(isinstance(schema, dict) for schema in properties.values()):
        raise ValueError("not a JSON Schema of an object")
    return document


class Block(NamedTuple):
    """A block as the platform registers it: stored schemas with the catalogue's kind."""

    id: str
    name: str
    kind: BlockKind
    disabled: bool
    input: InputSchema
    output_fields: frozenset[str]


class Node(NamedTuple):
    """A node of a graph; `constants` is its `constantInput` in the key order of jsonb (C §2.12)."""

    id: str
    block_id: str
    constants: JsonObject
    credentials_optional: bool = False


class Link(NamedTuple):
    """A link from a source node's output pin to a sink node's input pin."""

    source_id: str
    source_name: str
    sink_id: str
    sink_name: str


@dataclass(frozen=True)
class Graph:
    """A version of a graph; `sub_graphs` are those its agent nodes reach, at any depth (C §2.1)."""

    id: str
    version: int
    owner_id: str
    nodes: Sequence[Node] = ()
    links: Sequence[Link] = ()
    sub_graphs: Sequence[Graph] = ()

    @cached_property
    def inbound(self) -> Mapping[str, Sequence[Link]]:
        """Links by the node they end at."""
        links: dict[str, list[Link]] = defaultdict(list)
        for link in self.links:
            links[link.sink_id].append(link)
        return links

    @property
    def with_sub_graphs(self) -> tuple[Graph, ...]:
        """The graph itself, then its sub-graphs."""
        return (self, *self.sub_graphs)


class Access(NamedTuple):
    """What ties a user to a graph: versions of it in the user's library, and versions published to all (C §2.1)."""

    library_versions: frozenset[int] = frozenset()
    published_versions: frozenset[int] = frozenset()


class StoredCredential(NamedTuple):
    """The part of a stored credential that a reference to it must match."""

    id: str
    provider: str
    type: str


class CredentialStore(NamedTuple):
    """The credentials a user may refer to, by id; or why they cannot be read."""

    credentials: Mapping[str, StoredCredential] = {}
    unavailable: str = ""
