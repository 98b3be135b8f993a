"""The CronJobs of the system tasks: when they fire, and what their pods know."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from unittest import mock

import pytest
from graphschedule.intervals import cron_of
from graphschedule.labels import MAX_CRONJOB_NAME
from graphschedule_runner.tasks import TASKS
from graphschedule_runner.tasks.settings import TaskSettings

from tests.chart.rendering import (
    CHART,
    EVERYTHING,
    NAMESPACE,
    PLATFORM,
    TASK_KEYS,
    TEMPLATE,
    Helm,
    Manifest,
    environment,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.chart.rendering import Rendered, Values

DEFAULT_CRON = {
    "process-weekly-summary": "0 9 * * 1",
    "process-existing-batches": "0 12 * * 5",
    "report-late-executions": "*/5 * * * *",
    "report-block-error-rates": "0 0 * * *",
    "cleanup-expired-files": "0 */6 * * *",
    "cleanup-oauth-tokens": "0 */6 * * *",
    "report-execution-accuracy-alerts": "0 0 * * *",
    "ensure-embeddings-coverage": "0 */6 * * *",
}
"""The mission's table (M16 to M23)."""
ONLY_BY_HAND = {"process-existing-batches"}
INTERVALS = [60, 90, 420, 600, 2700, 3600, 5400, 7200, 25_200, 36_000, 43_200, 86_400, 129_600, 604_800, 3_599, 61_200]
SECRET_SETTINGS = {"PLATFORM_ALERT_URLS", "PRODUCT_ALERT_URLS", "OPENAI_INTERNAL_API_KEY"}


def with_tasks(**values: Values | bool) -> Values:
    return PLATFORM | {"tasks": values}


def cronjobs(rendered: Rendered) -> dict[str, Manifest]:
    """Return the CronJobs of the tasks by task."""
    label = "graphschedule.io/task"
    found = [cronjob for cronjob in rendered.all("CronJob") if label in cronjob["metadata"]["labels"]]
    return {cronjob["metadata"]["labels"][label]: cronjob for cronjob in found}


def container(cronjob: Manifest) -> Manifest:
    [found] = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def crons(helm: Helm, values: Values) -> dict[str, str]:
    return {task: cronjob["spec"]["schedule"] for task, cronjob in cronjobs(helm.render(values)).items()}


def test_every_task_fires_in_utc_as_the_platforms_did_or_meant_to(helm: Helm) -> None:
    made = cronjobs(helm.render(PLATFORM))
    assert {task: cronjob["spec"]["schedule"] for task, cronjob in made.items()} == DEFAULT_CRON
    assert {cronjob["spec"]["timeZone"] for cronjob in made.values()} == {"Etc/UTC"}
    assert {cronjob["spec"]["concurrencyPolicy"] for cronjob in made.values()} == {"Forbid"}
    assert {task for task, cronjob in made.items() if cronjob["spec"]["suspend"]} == ONLY_BY_HAND
    assert made.keys() == TASKS.keys()


def test_pods_run_the_task_of_their_cronjob(helm: Helm) -> None:
    for task, cronjob in cronjobs(helm.render(PLATFORM)).items():
        assert container(cronjob)["command"] == ["graphschedule-runner", "task", task]
        variables = environment(container(cronjob))
        assert variables["GRAPHSCHEDULE_CRONJOB_NAME"] == cronjob["metadata"]["name"]
        assert variables["DATABASE_URL"] == {"secretKeyRef": {"name": "platform-database", "key": "url"}}


def test_the_embedded_database_has_no_platform_to_keep_house_for(helm: Helm) -> None:
    assert not cronjobs(helm.render())


@pytest.mark.parametrize("start", range(0, len(INTERVALS), len(TASK_KEYS)))
def test_the_chart_and_the_core_reckon_intervals_alike(helm: Helm, start: int) -> None:
    intervals = dict(zip(TASK_KEYS, INTERVALS[start:], strict=False))
    values = with_tasks(
        **{key: {"enabled": True, "schedule": "", "intervalSeconds": n} for key, n in intervals.items()}
    )
    made = cronjobs(helm.render(values))
    assert len(made) == len(intervals)
    for key, every in intervals.items():
        cronjob = made[TASK_KEYS[key]]
        assert cronjob["spec"]["schedule"] == cron_of(every)
        assert f"--every={every}" in container(cronjob)["args"]


def test_hours_are_seconds_and_a_schedule_is_no_interval(helm: Helm) -> None:
    made = cronjobs(helm.render(EVERYTHING))
    assert "--every=36000" in container(made["cleanup-oauth-tokens"])["args"]
    assert container(made["process-weekly-summary"])["args"] == ["--output=json"]


def test_h_is_a_number_that_stays_and_differs_between_releases(helm: Helm) -> None:
    values = with_tasks(processWeeklySummary={"schedule": " H  H * * 1"})
    minute, hour, *rest = crons(helm, values)["process-weekly-summary"].split(" ")
    assert (int(minute) in range(60), int(hour) in range(24), rest) == (True, True, ["*", "*", "1"])
    other = [*TEMPLATE]
    other[1] = "another"
    text = helm.run(*other, values=values).stdout
    assert f'"{minute} {hour} * * 1"' not in text


def test_upgrades_move_no_task(helm: Helm) -> None:
    before = crons(helm, EVERYTHING)
    assert crons(helm, EVERYTHING | {"logLevel": "DEBUG", "runner": {"image": {"tag": "2.0.0"}}}) == before


def test_a_long_release_name_leaves_the_names_of_cronjobs_short_and_different(helm: Helm) -> None:
    arguments = [*TEMPLATE]
    arguments[1] = "a-release-with-quite-a-long-name-indeed"
    names = {
        line.strip()
        for line in helm.run(
            *arguments, "--show-only", "templates/tasks/cronjobs.yaml", values=PLATFORM
        ).stdout.splitlines()
        if line.startswith("  name: ")
    }
    assert len(names) == len(DEFAULT_CRON)
    assert all(len(name.removeprefix("name: ")) <= MAX_CRONJOB_NAME for name in names)


def test_settings_secret_account_and_volumes_reach_the_pods(helm: Helm) -> None:
    cronjob = cronjobs(helm.render(EVERYTHING))["ensure-embeddings-coverage"]
    pod, variables = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"], environment(container(cronjob))
    assert pod["serviceAccountName"] == "housekeeper"
    assert container(cronjob)["envFrom"] == [{"secretRef": {"name": "platform-tasks"}}]
    assert container(cronjob)["volumeMounts"] == [{"name": "docs", "mountPath": "/docs"}]
    plain = {name: value for name, value in variables.items() if isinstance(value, str)}
    settings = TaskSettings.from_environment(plain)
    assert (settings.app_env, settings.late_threshold_seconds, settings.docs_folder) == ("dev", 600, "/docs")
    assert plain["PUSHGATEWAY_INSTANCE"] == f"{NAMESPACE}/graphschedule"


def test_the_chart_knows_every_setting_of_the_tasks() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = set(schema["properties"]["tasks"]["properties"]["settings"]["propertyNames"]["enum"])
    assert known == {*asked_for(), "PUSHGATEWAY_URL"} - SECRET_SETTINGS


def test_embeddings_are_made_at_each_install_by_a_job_that_no_release_waits_for(helm: Helm) -> None:
    job = helm.render(PLATFORM).one("Job", "graphschedule-embeddings-1")
    assert "annotations" not in job["metadata"]
    assert job["spec"]["ttlSecondsAfterFinished"] > 0
    [its] = job["spec"]["template"]["spec"]["containers"]
    assert its["command"] == ["graphschedule-runner", "task", "ensure-embeddings-coverage"]
    declined = helm.render(with_tasks(ensureEmbeddingsCoverage={"atInstall": False}))
    assert [job["metadata"]["name"] for job in declined.all("Job")] == ["graphschedule-migrate"]


def test_a_suspended_task_has_a_cronjob_and_a_disabled_one_has_none(helm: Helm) -> None:
    made = cronjobs(helm.render(EVERYTHING))
    assert made["cleanup-oauth-tokens"]["spec"]["suspend"] is True
    assert made["cleanup-expired-files"]["spec"]["suspend"] is False
    assert not cronjobs(helm.render(with_tasks(enabled=False)))


def asked_for() -> Iterable[str]:
    """Return the variables that the tasks' settings come from, but those of the broker."""
    environment = mock.MagicMock(wraps={})
    environment.get.side_effect = {}.get
    TaskSettings.from_environment(environment)
    asked = {call.args[0] for call in environment.get.call_args_list}
    return {name for name in asked if not name.startswith("RABBITMQ")}
