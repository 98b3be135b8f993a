"""The CustomResourceDefinition, made from the models of `spec` and `status`.

What the API server can refuse at once it refuses, with a message that says what to write: lengths and types by the
schema, the rest by CEL rules. What needs a calendar or a database is left to the operator's conditions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from graphschedule.labels import GROUP, KIND, PLURAL, VERSION
from graphschedule.spec import INPUT_OF_A_KEY, ONE_OBJECT, GraphScheduleSpec
from graphschedule.status import GraphScheduleStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

Schema = dict[str, Any]

_ORDER = "minute hour day-of-month month day-of-week"
_KEPT = (
    "description", "type", "format", "enum", "pattern", "minLength", "maxLength", "minimum", "maximum", "maxItems",
    "maxProperties",
)  # fmt: skip
"""Keywords that mean the same in JSON Schema and in a structural schema (KEP-1693)."""

_SPEC_RULES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "userId": (
        ("self == oldSelf", "cannot be changed; make another schedule for another user"),
    ),
    "cron": (
        (r"!self.matches('[\\r\\n]')", "must be one line; in YAML, write it in quotes on the line of its key"),
        ("!self.contains('TZ=')", "must not contain TZ=; write the time zone into spec.timeZone"),
        (
            "!self.startsWith('@')",
            "must not be a name such as @daily or @every; write five fields, such as 0 0 * * * or */5 * * * *",
        ),
        (
            r"self.startsWith('@') || self.contains('TZ=') || self.matches('^\\s*\\S+(\\s+\\S+){4}\\s*$')",
            f"must have exactly five fields, {_ORDER}; six fields (seconds) are not supported",
        ),
    ),
    "timeZone": (
        (
            "self.matches('^[A-Za-z0-9_+][A-Za-z0-9_+-]{0,13}(/[A-Za-z0-9_+][A-Za-z0-9_+-]{0,13})*$')",
            "must be the name of an IANA time zone, such as Europe/Berlin or Etc/UTC",
        ),
        (
            "!(self.lowerAscii() in ['local', 'localtime', 'posixrules'])",
            "must not be the time zone of a machine; write an IANA name, such as Europe/Berlin or Etc/UTC",
        ),
    ),
    "inputsFrom[]": (
        ("has(self.secretRef) != has(self.configMapRef)", ONE_OBJECT),
        ("has(self.key) || !has(self.input)", INPUT_OF_A_KEY),
    ),
}  # fmt: skip
"""CEL rules by member of the spec, `[]` meaning its items: what must hold, and what is said when it does not."""

_COLUMNS = (
    ("Schedule", "string", ".spec.cron", 0, "When it fires."),
    ("Zone", "string", ".spec.timeZone", 0, "Time zone of the schedule; none means UTC."),
    ("Suspend", "boolean", ".spec.suspend", 0, "Whether new runs are stopped."),
    ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0, "Whether it fires as written."),
    ("Last", "date", ".status.lastFireTime", 0, "Time since the last fire."),
    ("Next", "string", ".status.nextFireTimes[0]", 0, "The next fire time, in UTC."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Time since it was made."),
    ("Graph", "string", ".spec.graph.id", 1, "The agent graph it runs."),
    ("Version", "integer", ".spec.graph.version", 1, "Version of the graph; none means the newest."),
    ("User", "string", ".spec.userId", 1, "The user it runs as."),
    ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 1, "Why it is ready, or not."),
)
"""Columns of `kubectl get`: name, type, JSON path, priority (1 is shown by `-o wide` only), description."""


def manifest() -> dict[str, Any]:
    """Return the CustomResourceDefinition as it is applied."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["gs"],
                "categories": ["all"],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _resource()},
        "subresources": {"status": {}},
        "selectableFields": [{"jsonPath": ".spec.userId"}, {"jsonPath": ".spec.graph.id"}],
        "additionalPrinterColumns": [
            {"name": name, "type": kind, "jsonPath": path, "priority": priority, "description": description}
            for name, kind, path, priority, description in _COLUMNS
        ],
    }


def _resource() -> Schema:
    spec, status = _schema_of(GraphScheduleSpec), _schema_of(GraphScheduleStatus)
    for place, rules in _SPEC_RULES.items():
        member = spec["properties"][place.removesuffix("[]")]
        ruled = member["items"] if place.endswith("[]") else member
        ruled["x-kubernetes-validations"] = [{"rule": rule, "message": message} for rule, message in rules]
    status["properties"]["conditions"] |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    return {
        "description": "Runs an agent graph of the AutoGPT Platform at the times of a cron expression.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            "status": status,
        },
    }


def _schema_of(model: type[BaseModel]) -> Schema:
    schema = model.model_json_schema(by_alias=True)
    return _structural(schema, schema.get("$defs", {}))


def _structural(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Return the structural form of a JSON schema as pydantic makes it: nothing but what Kubernetes allows."""
    schema = _plain(schema, definitions)
    result = {keyword: schema[keyword] for keyword in _KEPT if keyword in schema}
    if isinstance(schema.get("default"), str | int):
        result["default"] = schema["default"]
    match schema["type"]:
        case "integer":
            result["format"] = "int64"
        case "array":
            result["items"] = _structural(schema["items"], definitions)
        case "object":
            result |= _members(schema, definitions)
    return result


def _plain(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    """Put a definition in place of a reference, and X in place of "X or null": unset is how Kubernetes says None."""
    if "$ref" in schema:
        return _plain(definitions[schema["$ref"].rpartition("/")[2]], definitions) | schema
    if "anyOf" in schema:
        (alternative,) = (option for option in schema["anyOf"] if option.get("type") != "null")
        return _plain(alternative, definitions) | schema
    return schema


def _members(schema: Schema, definitions: Mapping[str, Schema]) -> Schema:
    if "properties" in schema:
        members = {name: _structural(member, definitions) for name, member in schema["properties"].items()}
        return {"properties": members} | ({"required": schema["required"]} if "required" in schema else {})
    if isinstance(schema["additionalProperties"], dict):
        return {"additionalProperties": _structural(schema["additionalProperties"], definitions)}
    return {"x-kubernetes-preserve-unknown-fields": True}
