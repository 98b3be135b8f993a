"""Pin every dependency: `make lock`.

`uv.lock` records download addresses, which differ between machines and say nothing about the project, so it is
not committed. What is committed instead, from one resolution:

* `requirements.lock` at the root, and one in each image's room: exact versions with the hashes of their files;
* `dev/images/build.lock`: what builds our own packages inside the images;
* the same versions as `constraint-dependencies` in `pyproject.toml`, so that a bare `uv run` in a fresh clone
  resolves to them too.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    ROOT / "requirements.lock": ("--all-packages", "--all-groups", "--all-extras"),
    ROOT / "operator" / "requirements.lock": ("--package", "graphschedule-operator", "--no-default-groups"),
    ROOT / "runner" / "requirements.lock": ("--package", "graphschedule-runner", "--no-default-groups"),
    ROOT / "api" / "requirements.lock": ("--package", "graphschedule-api", "--no-default-groups"),
}
BUILD_LOCK = ROOT / "dev" / "images" / "build.lock"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(==[^ ;\\]+)(?: ; ([^\\]+?))?(?: \\)?$", re.MULTILINE)
_BLOCK = re.compile(r"^constraint-dependencies = \[\n.*?^\]\n", re.DOTALL | re.MULTILINE)


def export(*selection: str) -> str:
    """Return one selection of the resolution as requirements with hashes."""
    command = ["uv", "export", "--quiet", "--locked", "--no-emit-workspace", "--no-annotate", "--no-header", *selection]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def build_requirements() -> str:
    """Return the packages' build backend as requirements with hashes."""
    declared = tomllib.loads((ROOT / "core" / "pyproject.toml").read_text())["build-system"]["requires"]
    command = ["uv", "pip", "compile", "--quiet", "--generate-hashes", "--no-annotate", "--no-header", "-"]
    return subprocess.run(command, input="\n".join(declared), check=True, capture_output=True, text=True).stdout


def pins(requirements: str) -> list[str]:
    """Return the exact versions in an exported file, with the markers that choose between them."""
    return [
        f"{name}{version} ; {marker}" if marker else f"{name}{version}"
        for name, version, marker in _PIN.findall(requirements)
    ]


def constrained(pyproject: str, versions: list[str]) -> str:
    """Return `pyproject.toml` with its block of constraints replaced."""
    lines = "".join(f"    {_quoted(version)},\n" for version in versions)
    return _BLOCK.sub(lambda _match: f"constraint-dependencies = [\n{lines}]\n", pyproject)


def _quoted(text: str) -> str:
    return f"'{text}'" if '"' in text else f'"{text}"'


def main() -> None:
    """Resolve anew, then write the locks and the constraints."""
    pyproject = ROOT / "pyproject.toml"
    pyproject.write_text(constrained(pyproject.read_text(), []))
    subprocess.run(["uv", "lock", "--quiet", "--upgrade"], cwd=ROOT, check=True)
    BUILD_LOCK.write_text(build_requirements())
    exported = {path: export(*selection) for path, selection in LOCKS.items()}
    for path, text in exported.items():
        path.write_text(text)
    pyproject.write_text(constrained(pyproject.read_text(), pins(exported[ROOT / "requirements.lock"])))
    subprocess.run(["uv", "lock", "--quiet"], cwd=ROOT, check=True)


if __name__ == "__main__":
    main()
