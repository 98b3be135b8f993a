"""A folder of Markdown, as the sections that the platform's documentation search finds (C §4.8)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from graphschedule.errors import InvalidValueError
from graphschedule_platform.embeddings import DOCUMENTATION, Content

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_SUFFIXES = {".md", ".mdx"}


def read(folder: Path) -> list[Content]:
    """Return the sections of all documents in a folder.

    Raises:
        InvalidValueError: the folder has no documents, or one cannot be read. To take what is there for everything
            would cost all other sections their embeddings.

    """
    try:
        paths = sorted(path for path in folder.rglob("*") if path.suffix in _SUFFIXES)
        contents = [
            content
            for path in paths
            for content in _document(path.relative_to(folder).as_posix(), path.read_text("utf-8"))
        ]
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidValueError("DOCS_FOLDER", str(folder), f"its documents cannot be read ({error})") from error
    if not contents:
        raise InvalidValueError("DOCS_FOLDER", str(folder), "there is no .md or .mdx document in it; mount them there")
    return contents


def sections(text: str) -> list[str]:
    """Return a document's sections: what stands before its first `##` heading, then each with its heading.

    A line in a fenced code block is no heading (CommonMark 4.5); a section without words is none.
    """
    parts = [""]
    fence = ""
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            fence = "" if mark and mark[1].startswith(fence) else fence
        elif mark:
            fence = mark[1]
        elif line.startswith("## "):
            parts.append("")
        parts[-1] += line
    return [part.strip() for part in parts if part.strip()]


def _document(path: str, text: str) -> Iterator[Content]:
    """Yield the sections, each with the document's title, which says what the section is about."""
    parts = sections(text)
    document = _title(parts[0]) if parts else ""
    for index, section in enumerate(parts):
        words = section if index == 0 else f"{document}\n{section}"
        yield Content(DOCUMENTATION, f"{path}::{index}", words, {"title": _title(section), "path": path})


def _title(section: str) -> str:
    """Return the first heading, else the first line."""
    heading = _HEADING.search(section)
    return heading[1] if heading else section.splitlines()[0]
