"""Making texts that users' agents produced fit for an alert, which leaves the cluster (C §4.2).

What stands for a person, a place or a right to enter is replaced by its kind: ids, long tokens, paths, URLs, addresses
of mail and of machines, and names of files and hosts. A letter of what it said does not remain.
"""

from __future__ import annotations

import re

LONGEST_SAMPLE = 100
"""Characters of a sample."""

LONGEST_READ = 10_000
"""Characters of a text of which a sample is made: some are whole documents."""

LONG = 24
"""Characters of a run that is longer than words are."""

LONG_WITH_DIGITS = 16
"""Characters of a run with a digit that is longer than numbers are."""

_QUOTED = re.compile(r"""(['"`])([^'"`\n]*)\1""")
_WORD = re.compile(r"\S+")
_LAST_WORD = re.compile(r"\s\S*\Z")
_SLASH = re.compile(r"[/\\]")

_RUN = re.compile(r"[\w.+=~-]+")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{12,}")

_PARTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}(?![0-9a-f])", re.IGNORECASE), "[id]"),
    # IPv6, and the addresses of network cards: groups of hexadecimal digits with at least two colons.
    (
        re.compile(
            r"(?<![\w:])(?:[0-9a-f]{0,4}:){2,8}(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-f]{0,4})(?:%\w+)?", re.IGNORECASE
        ),
        "[address]",
    ),
    (re.compile(r"(?<!\w)\d{1,3}(?:\.\d{1,3}){3}(?!\w)"), "[address]"),
)

_GENERAL: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[A-Z][A-Z0-9]+\b|\w*_\w*"), "*"),
    (re.compile(r"\d+"), "#"),
)


def mask(text: str) -> str:
    """Return a text without ids, tokens, paths, URLs, addresses and names of files and hosts."""
    return _WORD.sub(_masked_word, _QUOTED.sub(_masked_quotation, text))


def sample(text: str) -> str:
    """Return an error's text in general terms, so that like errors are equal: masked, on one line and cut.

    Numbers, words in capitals and words with an underscore are left out too.
    """
    # Of what is cut off in the middle of a word one could not tell what it was.
    read = text if len(text) <= LONGEST_READ else _LAST_WORD.sub("", text[:LONGEST_READ])
    general = mask(read)
    for pattern, kind in _GENERAL:
        general = pattern.sub(kind, general)
    line = " ".join(general.split())
    return line if len(line) <= LONGEST_SAMPLE else f"{line[: LONGEST_SAMPLE - 1]}…"


def _masked_quotation(match: re.Match[str]) -> str:
    """Return a quotation, masked as a whole if it is a path: paths may have blanks in them."""
    quote, quoted = match.groups()
    return f"{quote}[path]{quote}" if _SLASH.search(quoted) and "://" not in quoted else match[0]


def _masked_word(match: re.Match[str]) -> str:
    word = match[0]
    if "://" in word or word.lower().startswith("www."):
        return "[url]"
    if "@" in word:
        return "[address]"
    if _SLASH.search(word):
        return "[path]"
    for pattern, kind in _PARTS:
        word = pattern.sub(kind, word)
    return _RUN.sub(_masked_run, word)


def _masked_run(match: re.Match[str]) -> str:
    run = match[0].rstrip(".")
    end = match[0][len(run) :]
    return f"{_kind(run) or run}{end}"


def _kind(run: str) -> str | None:
    """Return what a run of the characters of names and tokens is, None if it is a word or a number."""
    if any(part[:1].isalpha() for part in run.split(".")[1:]):
        return "[name]"
    longest = LONG_WITH_DIGITS if any(character.isdigit() for character in run) else LONG
    return "[token]" if len(run) >= longest or _HEXADECIMAL.search(run) else None
