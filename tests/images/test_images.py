"""The images: who they run as, what is in them, and what is not."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dev import containers, images
from dev.images import image as recipe

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
UNCHECKED = 1
"""The flags of a compiled module that is never compared with its source (PEP 552)."""

UNCOMPILED = """
import importlib, os, sys
importlib.import_module(sys.argv[1])
cached = [vars(module).get("__cached__") for module in list(sys.modules.values())]
print([path for path in cached if path and not os.path.exists(path)])
"""


@dataclass(frozen=True)
class Unpacked:
    name: str
    image: images.Image
    config: dict[str, Any]
    root: Path

    @property
    def packages(self) -> set[str]:
        (folder,) = self.root.glob("opt/graphschedule/lib/python3.*/site-packages")
        return {entry.name for entry in folder.iterdir()}

    def run(self, *command: str) -> str:
        """Run a command as the image would, and return what it prints."""
        user = self.config["User"]
        if containers.available():
            subprocess.run(["docker", "load", "--input", self.image.archive], check=True, capture_output=True)
            prefix = ["docker", "run", "--rm", "--read-only", "--entrypoint", command[0], self.image.ref]
            return subprocess.check_output([*prefix, *command[1:]], text=True)
        environment = dict(setting.split("=", 1) for setting in self.config["Env"])
        return subprocess.check_output(
            ["/usr/sbin/chroot", f"--userspec={user}", self.root, *command], text=True, env=environment
        )


@pytest.fixture(scope="module", params=images.NAMES)
def unpacked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unpacked]:
    name = request.param
    image = images.build(name)[name]
    folder = tmp_path_factory.mktemp(name)
    root = folder / "root"
    root.mkdir()
    subprocess.run(["tar", "-xf", image.archive, "-C", folder], check=True)
    manifest = _blob(folder, _only(json.loads((folder / "index.json").read_text())["manifests"]))
    for layer in manifest["layers"]:
        subprocess.run(["tar", "-xf", _path(folder, layer), "-C", root], check=True)
    yield Unpacked(name, image, _blob(folder, manifest["config"])["config"], root)
    shutil.rmtree(folder)


def test_an_image_runs_as_a_user_without_rights(unpacked: Unpacked) -> None:
    assert unpacked.config["User"] == "65532:65532"
    assert unpacked.run("id", "-u").strip() == "65532"


def test_the_command_is_on_the_path(unpacked: Unpacked) -> None:
    assert unpacked.config["Entrypoint"] == [f"graphschedule-{unpacked.name}"]
    assert unpacked.run("sh", "-c", f"command -v graphschedule-{unpacked.name}").startswith("/opt/graphschedule/bin/")


def test_every_module_it_loads_is_compiled_already(unpacked: Unpacked) -> None:
    assert unpacked.run("python3", "-c", UNCOMPILED, f"graphschedule_{unpacked.name}.__main__") == "[]\n"


def test_a_compiled_module_is_never_compared_with_its_source(unpacked: Unpacked) -> None:
    compiled = list(unpacked.root.glob("opt/graphschedule/lib/python3.*/site-packages/**/*.pyc"))
    assert compiled
    assert {int.from_bytes(file.read_bytes()[4:8], "little") for file in compiled} == {UNCHECKED}


def test_there_are_no_tools_that_build(unpacked: Unpacked) -> None:
    assert not unpacked.packages & {"pip", "setuptools", "wheel", "uv_build"}
    assert unpacked.run("sh", "-c", "command -v pip gcc uv || true") == ""
    assert not list(unpacked.root.glob("root/.cache/*"))


def test_each_image_has_only_its_own_clients(unpacked: Unpacked) -> None:
    others = {
        "operator": {"amqp", "pika", "alembic", "fastapi"},
        "runner": {"kopf", "kubernetes", "aiohttp", "fastapi"},
        "api": {"amqp", "pika", "alembic", "kopf"},
    }
    own = {
        "operator": {"kopf", "aiohttp"},
        "runner": {"amqp", "alembic", "psycopg"},
        "api": {"fastapi", "uvicorn", "kubernetes", "psycopg"},
    }
    assert not unpacked.packages & others[unpacked.name]
    assert own[unpacked.name] <= unpacked.packages


def test_the_archive_carries_the_name(unpacked: Unpacked) -> None:
    index = subprocess.check_output(["tar", "-xOf", unpacked.image.archive, "index.json"], text=True)
    assert unpacked.image.ref in index


def test_only_another_content_makes_another_image(tmp_path: Path) -> None:
    for part in ("core", "platform", "runner"):
        shutil.copytree(ROOT / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "dev" / "images").mkdir(parents=True)
    for file in (".dockerignore", "dev/images/build.lock"):
        shutil.copy(ROOT / file, tmp_path / file)
    before = recipe.reference("runner", tmp_path)
    assert recipe.reference("runner", tmp_path) == before
    (tmp_path / "core" / "graphschedule" / "cron.py").write_text("")
    assert recipe.reference("runner", tmp_path) != before


def _blob(folder: Path, descriptor: dict[str, Any]) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(_path(folder, descriptor).read_text())
    return content


def _path(folder: Path, descriptor: dict[str, Any]) -> Path:
    digest: str = descriptor["digest"]
    return folder / "blobs" / digest.replace(":", "/")


def _only(items: list[dict[str, Any]]) -> dict[str, Any]:
    (item,) = items
    return item
