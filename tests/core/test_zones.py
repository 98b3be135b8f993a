from __future__ import annotations

import re
from importlib import resources

import pytest
from graphschedule.cron import time_zone
from graphschedule.errors import InvalidValueError

NAMES = resources.files("tzdata").joinpath("zones").read_text().split()


def test_none_means_utc() -> None:
    assert time_zone(None).key == "UTC"


@pytest.mark.parametrize("name", NAMES)
def test_every_iana_zone_is_taken_and_kubernetes_takes_its_name(name: str) -> None:
    """The pattern is kubernetes', pkg/apis/batch/validation, validateTimeZone."""
    assert time_zone(name).key == name
    assert all(re.fullmatch(r"(?!-)[A-Za-z.\-_0-9+]{1,14}", part) for part in name.split("/"))


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("Mars/Olympus", "write a name such as Europe/Berlin, or leave the field out for UTC"),
        ("europe/berlin", "write Europe/Berlin"),
        ("Europe/Berlinn", "write Europe/Berlin"),
        ("Berlin", "write Europe/Berlin"),
        ("new york", "write America/New_York"),
        (" UTC ", "write Etc/UTC or UTC"),
        ("Local", "write a name such as"),
        ("localtime", "write a name such as"),
        ("posixrules", "write a name such as"),
        ("right/UTC", "write "),
        ("", "write a name such as"),
        (".", "write a name such as"),
        ("/etc/localtime", "write a name such as"),
        ("../../etc/passwd", "write a name such as"),
        ("Europe", "write a name such as"),
        ("Europe/Berlin\0", "write "),
        ("x" * 100_000, "write a name such as"),
    ],
)
def test_an_error_names_the_field_the_value_and_the_remedy(name: str, remedy: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        time_zone(name)
    message = str(caught.value)
    assert message.startswith("spec.timeZone: ")
    assert "it is not the name of an IANA time zone" in message
    assert remedy in message
    assert len(message) < 400
