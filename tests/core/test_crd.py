"""The CustomResourceDefinition: in step with the models, and a structural schema (KEP-1693)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml
from graphschedule.crd import manifest
from graphschedule.spec import GraphScheduleSpec
from graphschedule.status import GraphScheduleStatus

from crds import generate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import BaseModel

Schema = dict[str, Any]

NOT_STRUCTURAL = {"$ref", "$defs", "title", "anyOf", "allOf", "oneOf", "not", "const", "examples", "exclusiveMinimum"}


def resource() -> Schema:
    schema: Schema = manifest()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def schemas(schema: Schema) -> Iterator[Schema]:
    yield schema
    members = list(schema.get("properties", {}).values())
    members += [schema[key] for key in ("items", "additionalProperties") if key in schema]
    for member in members:
        yield from schemas(member)


def test_the_file_is_in_step_with_the_models() -> None:
    assert generate.TARGET.read_text() == generate.text(), "run `make crds`"
    assert yaml.safe_load(generate.text()) == manifest()


def test_every_schema_is_structural() -> None:
    for schema in schemas(resource()):
        assert schema["type"]
        assert not NOT_STRUCTURAL & schema.keys()
        assert isinstance(schema.get("additionalProperties", {}), dict)


@pytest.mark.parametrize(("model", "member"), [(GraphScheduleSpec, "spec"), (GraphScheduleStatus, "status")])
def test_every_member_of_the_models_is_there_and_explained(model: type[BaseModel], member: str) -> None:
    aliases = model.model_json_schema(by_alias=True)["properties"].keys()
    properties = resource()["properties"][member]["properties"]
    assert properties.keys() == aliases
    assert all(schema["description"].endswith(".") for schema in properties.values())


def test_inputs_are_any_json_object() -> None:
    inputs = resource()["properties"]["spec"]["properties"]["inputs"]
    assert inputs["type"] == "object"
    assert inputs["x-kubernetes-preserve-unknown-fields"] is True


def test_every_rule_speaks() -> None:
    rules = [rule for schema in schemas(resource()) for rule in schema.get("x-kubernetes-validations", [])]
    assert rules
    assert all(rule["rule"] and rule["message"].startswith(("must ", "cannot ")) for rule in rules)
