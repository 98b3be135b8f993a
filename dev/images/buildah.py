"""Images built without an engine, and a base image for them where no registry answers."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from dev import cache, packages
from dev.commands import run
from dev.progress import step

_OFFICIAL = "python:3.11-slim-bookworm"
_PULL_SECONDS = 120
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")

# Debian's Python, the same 3.11 as the official image's, without what only people read. Time zones come in a wheel.
_SUITE = "bookworm"
_PACKAGES = "python3,python3-venv,ca-certificates,usr-is-merged"
_HOOKS = "/usr/share/mmdebstrap/hooks/merged-usr"
_EXCLUDED = ("share/man", "share/locale", "share/info", "share/doc", "share/zoneinfo", "lib/*/gconv")


def build(context: Path, dockerfile: Path, ref: str, archive: Path) -> None:
    """Build an image and save it as an archive; one build at a time on a machine."""
    if missing := [name for name in ("buildah", "mmdebstrap") if shutil.which(name) is None]:
        packages.install(*missing)
    with cache.locked(_storage()):
        _buildah("rm", "--all")  # what a killed build left
        base = f"--build-arg=BASE_IMAGE={_base()}"
        # The host's certificates, because the host's network may be one that only they can vouch for.
        trust = [f"--volume={_CERTIFICATES}:{_CERTIFICATES}:ro"] if _CERTIFICATES.exists() else []
        layers = f"--layers={_layers_are_cheap()}"
        options = ["--isolation=chroot", "--network=host", layers, *trust, base]
        _buildah("build", *options, f"--file={dockerfile}", f"--tag={ref}", str(context))
        _buildah("push", ref, f"oci-archive:{archive}:{ref}")
        _buildah("rmi", ref)


def _base() -> str:
    """Return the name of a base image in the storage: the official one, or one made here."""
    made = f"localhost/graphschedule-base:{cache.key(_SUITE, _PACKAGES, *_EXCLUDED)}"
    known = _buildah("images", "--format={{.Name}}:{{.Tag}}").split()
    for ref in known:
        if ref == made or ref.endswith(f"/{_OFFICIAL}"):
            return ref
    if _pulled():
        return _OFFICIAL
    with step("Making a base image from Debian packages, because no registry answers"):
        _make_base(made)
    return made


def _pulled() -> bool:
    command = [*_command(), "pull", "--quiet", _OFFICIAL]
    try:
        return subprocess.run(command, capture_output=True, check=False, timeout=_PULL_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def _layers_are_cheap() -> bool:
    """Tell whether the storage keeps differences, so that the layer of the dependencies may stay for the next build."""
    return _buildah("info", "--format={{.store.GraphDriverName}}").strip() == "overlay"


def _make_base(ref: str) -> None:
    excluded = [f"--dpkgopt=path-exclude=/usr/{path}/*" for path in _EXCLUDED]
    with tempfile.NamedTemporaryFile(suffix=".tar") as tar:
        options = ["--quiet", "--variant=essential", f"--include={_PACKAGES}", f"--hook-dir={_HOOKS}", *excluded]
        run("mmdebstrap", *options, _SUITE, tar.name)
        container = _buildah("from", "scratch").strip()
        _buildah("add", container, tar.name, "/")
        _buildah("commit", "--rm", container, ref)


def _buildah(*arguments: str) -> str:
    return run(*_command(), *arguments)


def _command() -> list[str]:
    return ["buildah", f"--root={_storage()}", f"--runroot={_storage() / 'run'}"]


def _storage() -> Path:
    return cache.root() / "buildah"
