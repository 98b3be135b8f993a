"""A folder of Markdown as sections."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from graphschedule.errors import InvalidValueError
from graphschedule_runner.documentation import read, sections

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("# Guide\nHello.\n## One\n1\n## Two\n2\n", ["# Guide\nHello.", "## One\n1", "## Two\n2"]),
        ("## One\n1", ["## One\n1"]),
        ("# Guide\n### Deep\nStays.\n##Not\n #### nor\n", ["# Guide\n### Deep\nStays.\n##Not\n #### nor"]),
        ("a\n```sh\n## comment\n```\nb\n## One\n", ["a\n```sh\n## comment\n```\nb", "## One"]),
        ("~~~\n## in\n```\n## still\n~~~~\n## out\n", ["~~~\n## in\n```\n## still\n~~~~", "## out"]),
        ("````\n```\n## in\n````\n## out\n", ["````\n```\n## in\n````", "## out"]),
        ("a\r\n## One\r\n", ["a", "## One"]),
        (" \n\n", []),
        ("", []),
    ],
)
def test_a_document_is_cut_at_its_second_level_headings_outside_of_code(text: str, expected: list[str]) -> None:
    assert sections(text) == expected


def test_sections_are_called_by_path_and_place_and_carry_the_documents_title(tmp_path: Path) -> None:
    (tmp_path / "use").mkdir()
    (tmp_path / "use" / "start.md").write_text("---\nnav: 1\n---\n# Start\nHello.\n## Run\nGo.\n", "utf-8")
    (tmp_path / "a.mdx").write_text("Just words", "utf-8")
    (tmp_path / "logo.svg").write_text("## no\n", "utf-8")
    a, start, run = read(tmp_path)
    assert (a.id, a.text, a.metadata) == ("a.mdx::0", "Just words", {"title": "Just words", "path": "a.mdx"})
    assert (start.id, start.metadata["title"]) == ("use/start.md::0", "Start")
    assert (run.id, run.text) == ("use/start.md::1", "Start\n## Run\nGo.")
    assert run.metadata == {"title": "Run", "path": "use/start.md"}


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_folder_without_documents_or_with_an_unreadable_one_is_refused(tmp_path: Path, content: bytes | None) -> None:
    if content:
        (tmp_path / "a.md").write_bytes(content)
    with pytest.raises(InvalidValueError, match="DOCS_FOLDER"):
        read(tmp_path)
