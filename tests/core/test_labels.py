from __future__ import annotations

import re

from graphschedule.labels import MAX_CRONJOB_NAME, cronjob_name
from hypothesis import given
from hypothesis import strategies as st

LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
OBJECT_NAMES = st.from_regex(rf"\A{LABEL}(\.{LABEL}){{0,3}}\Z").filter(lambda name: len(name) <= 253)


def test_a_name_that_fits_is_kept() -> None:
    assert cronjob_name("morning") == "morning"
    assert cronjob_name("x" * MAX_CRONJOB_NAME) == "x" * MAX_CRONJOB_NAME


def test_long_names_that_begin_alike_stay_apart() -> None:
    assert cronjob_name("x" * 60) != cronjob_name("x" * 61)
    assert cronjob_name("x" * 60) == cronjob_name("x" * 60)


@given(OBJECT_NAMES)
def test_every_name_of_a_schedule_gives_a_name_that_kubernetes_takes(name: str) -> None:
    """A CronJob's name is a DNS subdomain (RFC 1123) of at most 52 characters, and is used as a label's value."""
    made = cronjob_name(name)
    assert len(made) <= MAX_CRONJOB_NAME
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", made)
