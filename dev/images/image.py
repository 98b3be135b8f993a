"""What an image is made of, and where its archive is kept."""

from __future__ import annotations

import functools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dev import cache, containers
from dev.images import buildah, docker
from dev.progress import step

if TYPE_CHECKING:
    from collections.abc import Iterator

NAMES = ("operator", "runner", "api")

_ROOT = Path(__file__).resolve().parents[2]
_KEPT = 5


@dataclass(frozen=True)
class Image:
    """An image that any container runtime can load."""

    ref: str
    """Its name with a tag that changes with its content; no registry has it."""

    archive: Path
    """An OCI or Docker archive that carries the name, for `ctr images import` and `kind load image-archive`."""


def build(*names: str) -> dict[str, Image]:
    """Return images by name, all if none is named; the first build of a content takes a minute."""
    return {name: _image(name) for name in names or NAMES}


def reference(name: str, root: Path = _ROOT) -> str:
    """Return the name of the image that the repository at `root` makes, with a key of its content as the tag."""
    files = _sources(name, root)
    content = cache.key(*(part for file in files for part in (str(file), (root / file).read_bytes())))
    return f"localhost/graphschedule-{name}:{content}"


def _image(name: str) -> Image:
    ref = reference(name)
    entry = f"{name}-{ref.rpartition(':')[2]}"
    return Image(ref, cache.entry("images", entry, functools.partial(_build, name, ref)) / "image.tar")


def _sources(name: str, root: Path) -> Iterator[Path]:
    """Return what the image's Dockerfile copies, and itself, relative to the repository's root."""
    yield from (Path(".dockerignore"), Path("dev/images/build.lock"))
    for room in ("core", "platform", name):
        for file in sorted((root / room).rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file.relative_to(root)


def _build(name: str, ref: str, folder: Path) -> None:
    builder = docker if containers.available() else buildah
    with step(f"Building the image of the {name}"):
        builder.build(_ROOT, _ROOT / name / "Dockerfile", ref, folder / "image.tar")
    _forget_old(name)


def _forget_old(name: str) -> None:
    entries = sorted((cache.root() / "images").glob(f"{name}-*/"), key=lambda entry: entry.stat().st_mtime)
    for entry in entries[:-_KEPT]:
        shutil.rmtree(entry, ignore_errors=True)
