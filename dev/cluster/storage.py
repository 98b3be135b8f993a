"""Volumes of a local cluster: folders of this machine, made beforehand, that non-root pods may write."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_COUNT = 8
# The user and group that the project's images run as.
_OWNER = 65532


def create(folder: Path) -> None:
    """Make the folders that the volumes of `manifests` name."""
    for path in _paths(folder):
        path.mkdir(parents=True)
        os.chown(path, _OWNER, _OWNER)
        path.chmod(0o770)


def manifests(folder: Path) -> str:
    """Return a default StorageClass and its volumes, which claims of up to 1 GiB bind, as a JSON list."""
    items = [_storage_class(), *(_volume(path) for path in _paths(folder))]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def _paths(folder: Path) -> list[Path]:
    return [folder / "volumes" / f"local-{number}" for number in range(1, _COUNT + 1)]


def _storage_class() -> dict[str, object]:
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "local", "annotations": default},
        "provisioner": "kubernetes.io/no-provisioner",
    }


def _volume(path: Path) -> dict[str, object]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": path.name},
        "spec": {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "local",
            "hostPath": {"path": str(path), "type": "Directory"},
        },
    }
