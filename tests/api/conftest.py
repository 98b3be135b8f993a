"""What the API's tests share: an API server, a platform with a user's graph, and the API as a process."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from graphschedule import labels
from graphschedule_platform import database

from dev import cluster
from tests.api.process import running
from tests.api.tokens import issuing
from tests.operator.world import World, new_world
from tests.support import builders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Engine

    from dev.cluster import Cluster
    from tests.api.process import Api
    from tests.api.tokens import Issuer


@dataclass(frozen=True)
class Platform:
    """A platform's database; `graph` is in its user's library."""

    url: str
    engine: Engine
    graph: builders.Graph


@pytest.fixture(scope="session")
def control_plane() -> Iterator[Cluster]:
    """Yield an API server that knows GraphSchedules, and no node."""
    with cluster.up(name="api", kubelet=False) as made:
        made.kubectl("apply", "--filename", "crds/graphschedules.yaml")
        made.kubectl("wait", "--for=condition=Established", f"crd/{labels.PLURAL}.{labels.GROUP}")
        yield made


@pytest.fixture(scope="module")
def world(control_plane: Cluster) -> Iterator[World]:
    """Yield a namespace."""
    with new_world(control_plane) as made:
        yield made


@pytest.fixture(scope="session")
def platform(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Yield a platform with one user and one graph."""
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("platform") / "platform.db")
    url = f"sqlite:///{path}"
    engine = database.engine(url)
    with engine.begin() as connection:
        graph = builders.make_simple_graph(connection, builders.make_user(connection))
    yield Platform(url, engine, graph)
    engine.dispose()


@pytest.fixture
def user(platform: Platform) -> str:
    """Give a user who has a graph of its own; its id is the user's too."""
    return new_user(platform)


def new_user(platform: Platform) -> str:
    """Make a user who has a graph of its own with the same id."""
    user_id = builders.new_id()
    with platform.engine.begin() as connection:
        builders.make_user(connection, user_id=user_id)
        builders.make_input_block(connection)
        entry = builders.Node(builders.INPUT_BLOCK, {"name": "text", "value": None})
        graph = builders.make_graph(connection, user_id, [entry], graph_id=user_id, version=3)
        builders.make_library_agent(connection, graph)
    return user_id


@pytest.fixture(scope="session")
def issuer() -> Iterator[Issuer]:
    """Yield an issuer of JSON Web Tokens."""
    with issuing() as made:
        yield made


@pytest.fixture(scope="module")
def api(world: World, platform: Platform) -> Iterator[Api]:
    """Yield the API of the namespace, ready, as a process."""
    with running(world.cluster.kubeconfig, world.namespace, platform.url) as made:
        yield made
