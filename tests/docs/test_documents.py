"""The documents list exactly the words that the code uses."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from unittest import mock

import graphschedule_api.metrics  # noqa: F401 - registers them
import prometheus_client
import pytest
from graphschedule.outcomes import Outcome
from graphschedule.status import ConditionType, Reason
from graphschedule_api import app
from graphschedule_api.rest.problems import Kind
from graphschedule_operator import metrics
from graphschedule_operator.status import State
from graphschedule_operator.task_runs import TaskRuns
from graphschedule_runner import task_report
from graphschedule_runner.tasks import TASKS
from graphschedule_runner.tasks.settings import TaskSettings

DOCS = Path(__file__).parents[2] / "docs"


def table_rows(document: str, heading: str) -> list[list[str]]:
    """Return the cells of the first table below a heading, without its head; code marks are cut."""
    text = (DOCS / document).read_text().split(f"{heading}\n", 1)[1]
    table = re.search(r"(?m)(^\|.*\n)+", text)
    assert table is not None, f"{document} has no table below {heading!r}"
    lines = table[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split(" | ")] for line in lines]


def test_conditions_document_lists_every_condition_type_and_no_other() -> None:
    assert [row[0] for row in table_rows("conditions.md", "## Types")] == [str(kind) for kind in ConditionType]


def test_conditions_document_lists_every_reason_and_no_other() -> None:
    assert sorted(row[0] for row in table_rows("conditions.md", "## Reasons")) == sorted(map(str, Reason))


def test_every_reason_names_a_condition_that_exists() -> None:
    for reason, condition, *_ in table_rows("conditions.md", "## Reasons"):
        assert re.fullmatch(rf"({'|'.join(ConditionType)})=(True|False|Unknown)", condition), reason


def test_exit_codes_document_lists_every_outcome_with_its_code_and_state() -> None:
    documented = {(int(row[0]), row[1], row[2].split(",")[0]) for row in table_rows("exit-codes.md", "# Exit codes")}
    assert documented == {(outcome.exit_code, outcome.reason, str(outcome.state)) for outcome in Outcome}


def test_exit_codes_document_gives_the_range_of_permanent_codes() -> None:
    permanent = [outcome.exit_code for outcome in Outcome if outcome.permanent]
    assert f"Codes {min(permanent)} to {max(permanent)} are permanent" in (DOCS / "exit-codes.md").read_text()


def registered(of_the_api: bool) -> set[tuple[str, str]]:
    """Return name and type of our metrics: those of the API, or the others."""
    of_tasks = TaskRuns(mock.Mock()).collect()
    families = [*prometheus_client.REGISTRY.collect(), *metrics.Schedules(State).collect(), *of_tasks]
    return {
        (family.name + ("_total" if family.type == "counter" else ""), family.type)
        for family in families
        if family.name.startswith("graphschedule_")
        and family.name.removeprefix("graphschedule_").startswith("api_") == of_the_api
    }


@pytest.mark.parametrize(
    ("heading", "of_the_api"), [("# Metrics of the operator", False), ("## Of the API", True)], ids=["operator", "api"]
)
def test_metrics_document_lists_every_metric_and_no_other_with_its_type(heading: str, of_the_api: bool) -> None:
    assert {(row[0], row[1]) for row in table_rows("metrics.md", heading)} == registered(of_the_api)


def test_api_document_lists_every_type_of_problem_with_its_status_and_meaning() -> None:
    told = [(kind.uri.rpartition("/")[2], str(kind.status), kind.meaning) for kind in Kind]
    assert [tuple(row) for row in table_rows("api.md", "### Errors")] == told


def test_api_document_lists_every_path_of_rest() -> None:
    table = " ".join(cell for row in table_rows("api.md", "## REST") for cell in row)
    for path in app.routed().openapi()["paths"]:
        if path.startswith("/v1/"):
            shown = re.sub(
                r"\{(schedule|run)_id\}", lambda found: "{" + {"schedule": "id", "run": "run"}[found[1]] + "}", path
            )
            last = re.search(r"(:\w+|/runs/\{run\})$", shown)
            assert shown in table or (last is not None and last[1] in table), path


def test_metrics_document_lists_every_state_of_a_schedule() -> None:
    (states,) = [
        row[3] for row in table_rows("metrics.md", "# Metrics of the operator") if row[0] == "graphschedule_schedules"
    ]
    assert sorted(re.findall("`(\\w+)`", states)) == sorted(map(str, State))


def test_tasks_document_lists_every_task_setting_and_metric_and_no_other() -> None:
    asked = mock.MagicMock(wraps={})
    asked.get.side_effect = {}.get
    TaskSettings.from_environment(asked)
    settings = {call.args[0] for call in asked.get.call_args_list if not call.args[0].startswith("RABBITMQ_")}
    assert [row[0] for row in table_rows("tasks.md", "# System tasks")] == [*TASKS]
    assert {row[0] for row in table_rows("tasks.md", "## Settings")} == settings | {"PUSHGATEWAY_URL"}
    now = datetime.now(UTC)
    pushed = task_report.metrics(task_report.Report("t", task_report.SUCCEEDED, now, now), every=300).collect()
    assert {row[0] for row in table_rows("tasks.md", "## What a run says")} == {family.name for family in pushed}
