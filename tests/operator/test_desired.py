"""Which specs can be used, and which CronJob they mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from graphschedule import labels, outcomes, payload
from graphschedule.errors import InvalidValueError
from graphschedule_operator.desired import accept, desired
from graphschedule_operator.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from graphschedule_operator.cache import Object

    MakeSchedule = Callable[..., dict[str, Any]]


def pod_of(cronjob: Object) -> dict[str, Any]:
    pod: dict[str, Any] = cronjob["spec"]["jobTemplate"]["spec"]["template"]
    return pod


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"cron": "0 0 9 * * 1"}, "spec.cron"),
        ({"cron": "@every 5m"}, "spec.cron"),
        ({"cron": "61 * * * *"}, "spec.cron"),
        ({"cron": "0 0 30 2 *"}, "spec.cron"),
        ({"timeZone": "Mars/Olympus"}, "spec.timeZone"),
        ({"graph": {"id": "a/b"}}, "spec.graph.id"),
        ({"userId": None}, "spec.userId"),
        ({"surprise": 1}, "spec.surprise"),
        ({"inputsFrom": [{"key": "token"}]}, "spec.inputsFrom.0"),
        ({"inputs": {"text": "x" * payload.MAX_BYTES}}, "spec.inputs and spec.credentials"),
        ({"inputs": {"text": "ä" * (payload.MAX_BYTES // 2)}}, "spec.inputs and spec.credentials"),
    ],
)
def test_a_spec_that_cannot_be_used_is_refused_by_the_name_of_its_field(
    make_schedule: MakeSchedule, now: datetime, spec: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidValueError) as refused:
        accept(make_schedule(**spec), now)
    assert refused.value.field == field
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 500


def test_the_cronjob_fires_in_the_schedules_zone_by_an_expression_that_kubernetes_takes(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    schedule = make_schedule(cron="0 9 * * fri-mon", timeZone="Europe/Berlin")
    cronjob = desired(schedule, accept(schedule, now), settings)
    assert cronjob["spec"]["timeZone"] == "Europe/Berlin"
    assert cronjob["spec"]["schedule"] == "0 9 * * 0,1,5,6"
    assert cronjob["spec"]["suspend"] is False
    assert "startingDeadlineSeconds" not in cronjob["spec"]


def test_without_a_zone_the_cronjob_fires_in_utc(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    schedule = make_schedule(timeZone=None)
    assert desired(schedule, accept(schedule, now), settings)["spec"]["timeZone"] == "Etc/UTC"


def test_the_schedule_owns_its_cronjob_and_labels_reach_the_pods(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    schedule = make_schedule()
    cronjob = desired(schedule, accept(schedule, now), settings)
    (owner,) = cronjob["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("GraphSchedule", schedule["metadata"]["uid"], True)
    for metadata in (cronjob["metadata"], cronjob["spec"]["jobTemplate"]["metadata"], pod_of(cronjob)["metadata"]):
        assert metadata["labels"] == {
            "app.kubernetes.io/managed-by": "graphschedule",
            "graphschedule.io/schedule": "daily",
            "graphschedule.io/schedule-uid": schedule["metadata"]["uid"],
            "graphschedule.io/graph-id": "graph-1",
            "graphschedule.io/user-id": "user-1",
        }


@pytest.mark.parametrize("length", [52, 53, 63, 64, 253])
def test_names_of_any_length_fit(make_schedule: MakeSchedule, settings: Settings, now: datetime, length: int) -> None:
    schedule = make_schedule(name="n" * length)
    cronjob = desired(schedule, accept(schedule, now), settings)
    assert len(cronjob["metadata"]["name"]) <= labels.MAX_CRONJOB_NAME
    assert len(cronjob["metadata"]["labels"][labels.SCHEDULE_LABEL]) <= labels.MAX_LABEL_VALUE


def test_the_run_payload_travels_in_the_pod_template(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    credential = {"id": "c1", "provider": "github", "type": "api_key"}
    schedule = make_schedule(inputs={"n": 1, "text": "ä"}, credentials={"hub": credential}, agentName="News")
    pod = pod_of(desired(schedule, accept(schedule, now), settings))
    assert payload.RunPayload.decode(pod["metadata"]["annotations"][labels.RUN_ANNOTATION]) == payload.RunPayload(
        schedule_uid=schedule["metadata"]["uid"],
        namespace="team",
        name="daily",
        cronjob="daily",
        graph_id="graph-1",
        graph_version=3,
        user_id="user-1",
        agent_name="News",
        inputs={"n": 1, "text": "ä"},
        credentials={"hub": credential},
    )


def test_inputs_from_elsewhere_are_volumes_that_a_pod_can_start_without(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    schedule = make_schedule(
        inputsFrom=[
            {"secretRef": {"name": "api-keys"}, "key": "token", "input": "api_key"},
            {"configMapRef": {"name": "texts"}, "format": "Json", "optional": True},
        ]
    )
    pod = pod_of(desired(schedule, accept(schedule, now), settings))
    assert [volume for volume in pod["spec"]["volumes"] if volume["name"].startswith("inputs-")] == [
        {
            "name": "inputs-0",
            "secret": {"secretName": "api-keys", "optional": True, "items": [{"key": "token", "path": "token"}]},
        },
        {"name": "inputs-1", "configMap": {"name": "texts", "optional": True}},
    ]
    assert [mount for mount in pod["spec"]["containers"][0]["volumeMounts"] if "/inputs/" in mount["mountPath"]] == [
        {"name": "inputs-0", "mountPath": "/etc/graphschedule/inputs/0", "readOnly": True},
        {"name": "inputs-1", "mountPath": "/etc/graphschedule/inputs/1", "readOnly": True},
    ]
    told = payload.RunPayload.decode(pod["metadata"]["annotations"][labels.RUN_ANNOTATION])
    assert told.inputs_from == (
        payload.InputSource("Secret", "api-keys", key="token", input="api_key"),
        payload.InputSource("ConfigMap", "texts", format="Json", optional=True),
    )


def test_the_heartbeat_url_travels_to_the_run_and_nowhere_else(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    schedule = make_schedule(heartbeatUrl="https://ping.example/secret")
    cronjob = desired(schedule, accept(schedule, now), settings)
    annotations = pod_of(cronjob)["metadata"]["annotations"]
    assert payload.RunPayload.decode(annotations.pop(labels.RUN_ANNOTATION)).heartbeat_url == (
        "https://ping.example/secret"
    )
    assert "ping.example" not in json.dumps(cronjob)


def test_permanent_outcomes_fail_the_job_and_disruptions_cost_no_retry(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    schedule = make_schedule()
    job = desired(schedule, accept(schedule, now), settings)["spec"]["jobTemplate"]["spec"]
    fail, ignore = job["podFailurePolicy"]["rules"]
    assert fail["action"] == "FailJob"
    assert fail["onExitCodes"]["values"] == list(outcomes.PERMANENT_EXIT_CODES)
    assert ignore == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    assert job["activeDeadlineSeconds"] == 300


def test_pods_run_restricted_and_without_a_token(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    schedule = make_schedule()
    pod = pod_of(desired(schedule, accept(schedule, now), settings))["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_secrets_reach_the_pod_only_by_reference(make_schedule: MakeSchedule, now: datetime) -> None:
    settings = Settings(
        runner_image="runner:1",
        database_secret_name="db",
        broker_secret_name="mq",
        broker_secret_key="amqp",
        encryption_key_secret_name="fernet",
    )
    schedule = make_schedule()
    pod = pod_of(desired(schedule, accept(schedule, now), settings))["spec"]
    variables = {variable["name"]: variable for variable in pod["containers"][0]["env"]}
    references = {
        name: variables[name]["valueFrom"]["secretKeyRef"]
        for name in variables
        if "SECRET" not in name and "secretKeyRef" in variables[name].get("valueFrom", {})
    }
    assert references == {
        "DATABASE_URL": {"name": "db", "key": "url"},
        "RABBITMQ_URL": {"name": "mq", "key": "amqp"},
        "ENCRYPTION_KEY": {"name": "fernet", "key": "encryption-key"},
    }
    assert [volume["name"] for volume in pod["volumes"]] == ["payload"]


def test_the_embedded_database_lies_on_the_claim(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    schedule = make_schedule()
    pod = pod_of(desired(schedule, accept(schedule, now), settings))["spec"]
    assert {"name": "DATABASE_URL", "value": "sqlite:////data/graphschedule.db"} in pod["containers"][0]["env"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "data"}} in pod["volumes"]


def test_further_variables_reach_the_pod(make_schedule: MakeSchedule, settings: Settings, now: datetime) -> None:
    variable = {"name": "ENABLE_CREDIT", "value": "true"}
    schedule = make_schedule()
    more = settings.model_copy(update={"runner_extra_env": (variable,)})
    assert variable in pod_of(desired(schedule, accept(schedule, now), more))["spec"]["containers"][0]["env"]


def test_equal_specs_have_equal_hashes_and_other_ones_others(
    make_schedule: MakeSchedule, settings: Settings, now: datetime
) -> None:
    def hash_of(schedule: dict[str, Any], settings: Settings = settings) -> str:
        found: str = desired(schedule, accept(schedule, now), settings)["metadata"]["annotations"][
            labels.HASH_ANNOTATION
        ]
        return found

    same = json.loads(json.dumps(make_schedule(inputs={"a": 1, "b": 2}), sort_keys=True))
    assert hash_of(same) == hash_of(make_schedule(inputs={"b": 2, "a": 1}))
    assert hash_of(make_schedule(inputs={"a": 1})) != hash_of(make_schedule(inputs={"a": 2}))
    other = settings.model_copy(update={"runner_image": "runner:2"})
    assert hash_of(make_schedule()) != hash_of(make_schedule(), other)
