"""Nothing of a person, a place or a right to enter remains in a masked text."""

from __future__ import annotations

import re
import string
import uuid
from ipaddress import IPv4Address, IPv6Address

import pytest
from graphschedule_runner.masking import LONGEST_SAMPLE, mask, sample
from hypothesis import example, given
from hypothesis import strategies as st

LETTERS = string.ascii_letters + string.digits
words = st.text(LETTERS, min_size=4, max_size=12)
tokens = st.text(f"{LETTERS}-_", min_size=24, max_size=200)
hosts = st.lists(words, min_size=1, max_size=3).flatmap(
    lambda labels: st.sampled_from(["com", "local", "io"]).map(lambda end: ".".join([*labels, end]))
)
hexadecimal = st.binary(min_size=6, max_size=40).map(bytes.hex)

secrets = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda value: value.hex),
    st.uuids().map(lambda value: str(value).upper()),
    hexadecimal,
    tokens,
    st.text(string.digits, min_size=16, max_size=25),
    st.builds("{}.{}.{}".format, tokens, tokens, tokens),
    st.emails(),
    st.builds("{}@{}".format, words, hosts),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(str),
    st.ip_addresses(v=6).map(lambda address: address.exploded),
    st.builds("{}://{}/{}?key={}".format, st.sampled_from(["http", "https", "s3", "postgresql"]), hosts, words, words),
    st.builds("https://{}:{}@{}".format, words, words, hosts),
    st.builds("www.{}".format, hosts),
    st.lists(words, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    st.lists(words, min_size=2, max_size=5).map("/".join),
    st.lists(words, min_size=1, max_size=5).map(lambda parts: "C:\\" + "\\".join(parts)),
    st.builds("{}.{}".format, words, st.sampled_from(["csv", "pdf", "py"])),
)
places = st.sampled_from(
    [
        "{}",
        "it says {}",
        "({})",
        "'{}'",
        '{{"value": "{}"}}',
        "name={}",
        "for {}, and",
        "is {}.",
        "<{}>",
        "\t{}\n",
        "[{}]",
    ]
)

PIECE = 5
"""Characters of a piece that gives something away."""


def pieces(text: str) -> set[str]:
    """Return the pieces of a text, in lower case."""
    lowered = text.lower()
    return {lowered[start : start + PIECE] for start in range(len(lowered) - PIECE + 1)}


def left_of(secret: str, masked: str, place: str) -> set[str]:
    """Return the pieces of a secret that are in a masked text, and would not be there without it."""
    return (pieces(secret) & pieces(masked)) - pieces(place) - pieces("[address] [token]")


@given(secrets, places)
@example("jo.doe+private@example.com", "{}")
@example("/home/jo doe/secret plan.txt", "cannot open '{}'")
@example("fe80::1234:abcd%eth0", "{}")
@example("::ffff:192.168.100.200", "{}")
def test_no_piece_of_what_identifies_remains(secret: str, place: str) -> None:
    text = place.format(secret)
    assert secret not in mask(text)
    assert left_of(secret, mask(text), place) == set()
    assert left_of(secret, sample(text), place) == set()


@given(st.text(max_size=300))
def test_any_text_gives_a_sample_of_one_short_line(text: str) -> None:
    line = sample(text)
    assert len(line) <= LONGEST_SAMPLE
    assert len(line.splitlines()) <= 1
    assert not re.search(r"\d", line)


@given(st.text(max_size=300))
def test_what_is_masked_stays_as_it_is(text: str) -> None:
    once = mask(text)
    assert mask(once) == once


@given(st.lists(st.sampled_from(["the", "model", "is", "overloaded,", "ConnectionRefusedError:", "std::string"])))
def test_plain_words_are_left_alone(prose: list[str]) -> None:
    assert mask(" ".join(prose)) == " ".join(prose)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        (f"user {uuid.uuid4()} not found", "user [id] not found"),
        (f"connect {IPv4Address('10.0.0.7')}:5432 refused", "connect [address]:5432 refused"),
        (f"connect {IPv6Address('::1')} refused", "connect [address] refused"),
        ("401 for https://api.example.com/v1?key=abc", "401 for [url]"),
        ("mail to jo@example.com bounced", "mail to [address] bounced"),
        ("no such file: /home/jo/plan.txt", "no such file: [path]"),
        ("cannot open 'C:\\My plans\\a b.txt'", "cannot open '[path]'"),
        ("plan.txt on db.internal", "[name] on [name]"),
        ("key sk-A1b2C3d4E5f6G7h8 is invalid", "key [token] is invalid"),
        ("QUEUED since 2026-05-04 11:48 UTC", "QUEUED since 2026-05-04 11:48 UTC"),
    ],
)
def test_what_is_masked_is_named(text: str, masked: str) -> None:
    assert mask(text) == masked


@pytest.mark.parametrize(
    ("text", "general"),
    [
        ("HTTP 429: retry in 12.5 s", "* #: retry in #.# s"),
        ("field user_name of MAX_SIZE is missing", "field * of * is missing"),
        ("line one\n  line two", "line one line two"),
        ("so " * 40, f"{'so ' * 33}…"),
        ("word " * 5_000 + "jo@example.com", f"{('word ' * 20)[:99]}…"),
    ],
)
def test_a_sample_is_what_like_errors_have_in_common(text: str, general: str) -> None:
    assert sample(text) == general


def test_what_a_long_text_is_cut_off_in_is_not_shown() -> None:
    long = "A1" * 4_990
    assert sample(f"{long} secretword@example.com") == "[token]"
    assert sample(f"{long} {'x' * 15} secret" + "word@example.com") == f"[token] {'x' * 15}"
