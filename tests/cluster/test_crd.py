"""The CRD on a real API server: what is taken, what is refused, and with which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dev.cluster.cluster import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.cluster.cluster import Cluster

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path for path in (ROOT / "examples").glob("*.yaml") if "kind: GraphSchedule" in path.read_text())
SPEC: dict[str, Any] = {
    "graph": {"id": "graph-1", "version": 3},
    "userId": "user-1",
    "cron": "0 9 * * mon-fri",
    "timeZone": "Europe/Berlin",
}
STATUS = {
    "observedGeneration": 1,
    "conditions": [
        {
            "type": "Ready",
            "status": "True",
            "reason": "Ready",
            "message": "Fires as written.",
            "lastTransitionTime": "2026-05-04T07:00:00Z",
            "observedGeneration": 1,
        }
    ],
    "cronJobName": "morning",
    "nextFireTimes": ["2026-05-05T07:00:00Z"],
    "nextFireTimesLocal": ["2026-05-05T09:00:00+02:00"],
    "lastFireTime": "2026-05-04T07:00:00Z",
}

REF = {"name": "somewhere"}
REFUSED = [
    ({"cron": "0 * * * * *"}, "must have exactly five fields, minute hour day-of-month month day-of-week; six"),
    ({"cron": "0 9 * *"}, "must have exactly five fields"),
    ({"cron": "@every 5m"}, "must not be a name such as @daily or @every; write five fields"),
    ({"cron": "TZ=Europe/Berlin 0 9 * * *"}, "must not contain TZ=; write the time zone into spec.timeZone"),
    ({"cron": "0 9 * * *\n"}, "must be one line"),
    ({"cron": ""}, "must have exactly five fields"),
    ({"cron": "0 " * 101}, "may not be more than 200 bytes"),
    ({"timeZone": "Local"}, "must not be the time zone of a machine; write an IANA name"),
    ({"timeZone": "../etc/localtime"}, "must be the name of an IANA time zone, such as Europe/Berlin"),
    ({"timeZone": ""}, "must be the name of an IANA time zone"),
    ({"timeZone": "New York"}, "must be the name of an IANA time zone"),
    ({"graph": {"id": "graph-1", "version": 0}}, "should be greater than or equal to 1"),
    ({"graph": {"version": 1}}, "spec.graph.id: Required value"),
    ({"userId": "a b"}, "spec.userId in body should match"),
    ({"inputs": ["a"]}, "spec.inputs in body must be of type object"),
    ({"credentials": {"github": {"id": "c1"}}}, "spec.credentials.github.provider: Required value"),
    ({"inputsFrom": [{"key": "token"}]}, "must have either secretRef or configMapRef"),
    ({"inputsFrom": [{"secretRef": REF, "configMapRef": REF}]}, "must have either secretRef or configMapRef"),
    ({"inputsFrom": [{"secretRef": REF, "input": "token"}]}, "must have key where it has input"),
    ({"heartbeatUrl": "https://user:word@ping.example"}, "spec.heartbeatUrl in body should match"),
    ({"graphId": "graph-1"}, 'unknown field "spec.graphId"'),
]


def schedule(name: str, **changes: object) -> str:
    manifest = {
        "apiVersion": "graphschedule.io/v1",
        "kind": "GraphSchedule",
        "metadata": {"name": name},
        "spec": SPEC | changes,
    }
    return json.dumps(manifest)


@pytest.fixture(scope="module")
def server(control_plane: Cluster) -> Iterator[Cluster]:
    control_plane.kubectl("apply", "-f", str(ROOT / "crds" / "graphschedules.yaml"))
    control_plane.kubectl("wait", "--for=condition=Established", "crd/graphschedules.graphschedule.io")
    control_plane.kubectl("create", "namespace", "crd")
    yield control_plane
    control_plane.kubectl("delete", "namespace", "crd", "--wait=false")


def apply(server: Cluster, text: str) -> str:
    return server.kubectl("apply", "-n", "crd", "-f", "-", input=text)


def test_the_definition_is_taken_without_a_complaint(server: Cluster) -> None:
    crd = json.loads(server.kubectl("get", "crd", "graphschedules.graphschedule.io", "-o", "json"))
    conditions = {condition["type"]: condition["status"] for condition in crd["status"]["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert "NonStructuralSchema" not in conditions


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_the_examples_are_taken(server: Cluster, example: Path) -> None:
    assert "created" in server.kubectl("apply", "-n", "crd", "-f", str(example))


def test_any_json_object_is_taken_as_inputs_and_comes_back_whole(server: Cluster) -> None:
    inputs = {"text": "Käse", "deep": {"list": [1, 2.5, True, None, {"a": []}]}}
    apply(server, schedule("inputs", inputs=inputs))
    assert json.loads(server.kubectl("get", "gs", "-n", "crd", "inputs", "-o", "json"))["spec"]["inputs"] == inputs


def test_the_longest_name_is_taken(server: Cluster) -> None:
    apply(server, schedule("n" * 253))


@pytest.mark.parametrize(("changes", "words"), REFUSED)
def test_a_bad_value_is_refused_in_words_that_name_it(server: Cluster, changes: dict[str, object], words: str) -> None:
    with pytest.raises(ClusterError) as refusal:
        apply(server, schedule("bad", **changes))
    assert words in str(refusal.value)
    assert server.kubectl("get", "gs", "-n", "crd", "bad", "--ignore-not-found") == ""


def test_one_mistake_gives_one_message(server: Cluster) -> None:
    for cron in ("", "0 * * * * *", "@daily", "TZ=UTC 0 9 * * *", "0 9\n* * *"):
        with pytest.raises(ClusterError) as refusal:
            apply(server, schedule("bad", cron=cron))
        assert str(refusal.value).count("spec.cron:") == 1


def test_the_user_cannot_be_changed_and_the_rest_can(server: Cluster) -> None:
    apply(server, schedule("fixed"))
    apply(server, schedule("fixed", cron="*/5 * * * *", graph={"id": "graph-2"}, timeZone="UTC", suspend=True))
    with pytest.raises(ClusterError, match="cannot be changed; make another schedule for another user"):
        apply(server, schedule("fixed", userId="user-2"))


def test_get_shows_what_one_asks_first(server: Cluster) -> None:
    apply(server, schedule("morning"))
    status = json.dumps({"status": STATUS})
    server.kubectl("patch", "gs", "morning", "-n", "crd", "--subresource=status", "--type=merge", "-p", status)

    header, row = server.kubectl("get", "gs", "morning", "-n", "crd").splitlines()
    assert header.split() == ["NAME", "SCHEDULE", "ZONE", "SUSPEND", "READY", "LAST", "NEXT", "AGE"]
    assert " ".join(row.split()).startswith("morning 0 9 * * mon-fri Europe/Berlin false True ")
    assert "2026-05-05T07:00:00Z" in row

    wide_header, wide_row = server.kubectl("get", "gs", "morning", "-n", "crd", "-o", "wide").splitlines()
    assert wide_header.split()[8:] == ["GRAPH", "VERSION", "USER", "REASON"]
    assert wide_row.split()[-4:] == ["graph-1", "3", "user-1", "Ready"]


def test_a_status_that_breaks_the_contract_is_refused(server: Cluster) -> None:
    apply(server, schedule("status"))
    status = json.dumps({"status": STATUS | {"lastFireTime": "yesterday"}})
    with pytest.raises(ClusterError, match="lastFireTime"):
        server.kubectl("patch", "gs", "status", "-n", "crd", "--subresource=status", "--type=merge", "-p", status)


def test_schedules_are_found_by_user_and_graph_and_among_all(server: Cluster) -> None:
    apply(server, schedule("mine", userId="user-9", graph={"id": "graph-9"}))
    found = ["get", "gs", "-n", "crd", "-o", "name", "--field-selector"]
    assert server.kubectl(*found, "spec.userId=user-9").split() == ["graphschedule.graphschedule.io/mine"]
    assert server.kubectl(*found, "spec.graph.id=graph-9").split() == ["graphschedule.graphschedule.io/mine"]
    assert "graphschedule.graphschedule.io/mine" in server.kubectl("get", "all", "-n", "crd", "-o", "name")


def test_explain_tells_what_each_field_is(server: Cluster) -> None:
    text = server.kubectl("explain", "gs.spec")
    assert "Five-field Unix cron expression" in " ".join(text.split())
    assert "Id of the agent graph." in server.kubectl("explain", "gs.spec.graph")
