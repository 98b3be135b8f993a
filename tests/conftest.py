"""Fixtures that more than one room's tests need."""

pytest_plugins = ["dev.cluster.fixtures", "dev.services.fixtures", "tests.support.databases", "tests.support.platforms"]
