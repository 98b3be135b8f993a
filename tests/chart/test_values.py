"""Values: wrong ones are refused with a message that helps, and every one is documented."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.chart.rendering import CHART, PLATFORM, TASK_KEYS, Helm, Values

if TYPE_CHECKING:
    from collections.abc import Iterator

ONE_VALUE = {"resources", *TASK_KEYS}
WITHOUT_DATABASE: Values = {"database": {"embedded": {"enabled": False}}}


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (WITHOUT_DATABASE, ["database: none is given", "database.existingSecret", "database.embedded.enabled=true"]),
        (
            {"database": {"existingSecret": "platform-database"}},
            ["database: set either", "database.embedded.enabled=false"],
        ),
        (PLATFORM | {"rabbitmq": {}}, ["rabbitmq.existingSecret", "name the Secret"]),
        ({"rabbitmq": {"existingSecret": "broker"}}, ["rabbitmq.existingSecret", "uses no broker"]),
        ({"watch": {"allNamespaces": True}}, ["watch: the embedded database", "namespace agents"]),
        ({"watch": {"namespaces": ["red"]}}, ["watch: the embedded database", "namespace agents"]),
        (PLATFORM | {"watch": {"allNamespaces": True, "namespaces": ["red"]}}, ["watch: set either"]),
        (
            PLATFORM | {"tasks": {"cleanupOauthTokens": {"intervalHours": None}}},
            ["tasks: cleanup-oauth-tokens has neither", "set schedule, intervalSeconds or intervalHours"],
        ),
        (PLATFORM | {"api": {"namespace": "red"}}, ["api.namespace: schedules in namespace red", "watch.namespaces"]),
        ({"tenancy": {"enabled": True, "userIds": {"red": ["a"]}}}, ["tenancy.userIds", "tenancy.source=ConfigMap"]),
    ],
)
def test_values_that_contradict_each_other_are_refused_with_a_remedy(
    helm: Helm, values: Values, words: list[str]
) -> None:
    message = helm.refusal(values)
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"wach": {}}, ["additional properties 'wach' not allowed"]),
        ({"operator": {"replicas": 2}}, ["at '/operator'", "'replicas' not allowed"]),
        ({"logLevel": "LOUD"}, ["at '/logLevel'", "'DEBUG', 'INFO', 'WARNING', 'ERROR'"]),
        ({"watch": {"namespaces": "red"}}, ["at '/watch/namespaces'", "want array"]),
        ({"watch": {"namespaces": ["Red"]}}, ["at '/watch/namespaces/0'", "does not match pattern"]),
        ({"runner": {"image": {"tag": 1.1}}}, ["at '/runner/image/tag'", "want string"]),
        ({"runner": {"image": {"digest": "latest"}}}, ["at '/runner/image/digest'"]),
        ({"database": {"embedded": {"size": "big"}}}, ["at '/database/embedded/size'"]),
        ({"crds": {"keep": "yes"}}, ["at '/crds/keep'", "want boolean"]),
        ({"tenancy": {"userIds": {"red": ["not an id"]}}}, ["at '/tenancy/userIds/red/0'"]),
        ({"api": {"replicas": 0}}, ["at '/api/replicas'"]),
        ({"api": {"rest": {"jwt": {"issuer": "https://i"}}}}, ["at '/api/rest/jwt/jwksUrl'"]),
        ({"api": {"rest": {"corsOrigins": ["platform.example"]}}}, ["at '/api/rest/corsOrigins/0'"]),
        ({"webhook": {"certificate": "Mine"}}, ["at '/webhook/certificate'", "'SelfSigned', 'CertManager'"]),
        ({"webhook": {"timeoutSeconds": 60}}, ["at '/webhook/timeoutSeconds'"]),
        ({"tasks": {"settings": {"APP_ENVIRONMENT": "prod"}}}, ["'APP_ENVIRONMENT'", "'APP_ENV'"]),
        ({"tasks": {"reportLateExecutions": {"intervalSeconds": 30}}}, ["at '/tasks/reportLateExecutions/intervalSec"]),
        ({"tasks": {"reportLateExecutions": {"every": 300}}}, ["'every' not allowed"]),
        ({"tasks": {"cleanupOauthTokens": {"timeZone": "Etc/UTC"}}}, ["'schedule' required, if 'timeZone' exists"]),
    ],
)
def test_misspelt_values_are_refused_with_their_place(helm: Helm, values: Values, words: list[str]) -> None:
    message = helm.refusal(values)
    for word in words:
        assert word in message


def test_the_release_namespace_may_be_named_with_the_embedded_database(helm: Helm) -> None:
    assert helm.render({"watch": {"namespaces": ["agents"]}}).objects


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the dotted names of all values; a `resources` object is one value, and so is a system task."""
    for name, value in values.items():
        if isinstance(value, dict) and value and name not in ONE_VALUE:
            yield from leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def schema_leaves(schema: dict[str, Any], definitions: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, member in schema["properties"].items():
        resolved = definitions[member["$ref"].rsplit("/", 1)[1]] if "$ref" in member else member
        if "properties" in resolved and name not in ONE_VALUE:
            yield from schema_leaves(resolved, definitions, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def readme_names() -> Iterator[str]:
    """Yield the values in the README's table; a name that begins with a dot is a sibling of its row's first."""
    for cell in re.findall(r"(?m)^\| (`[a-zA-Z.`, ]+`) \| ", (CHART / "README.md").read_text()):
        first, *siblings = re.findall(r"`([^`]+)`", cell)
        yield first
        yield from (first.rpartition(".")[0] + sibling for sibling in siblings)


def test_every_value_is_in_the_schema_and_in_the_readme() -> None:
    values = set(leaves(yaml.safe_load((CHART / "values.yaml").read_text())))
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema_leaves(schema, schema["$defs"])) - {"global"} == values
    assert set(readme_names()) == values
