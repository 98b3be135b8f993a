"""Fixtures that more than one room's tests need."""

pytest_plugins = ["dev.services.fixtures", "tests.support.databases"]
