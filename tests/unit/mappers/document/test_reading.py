"""Content of any size, shape and origin is read in a time that grows with its length, or says why it is not."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappers.document import charsets, html
from mappers.document.reading import MOST_BYTES, read
from mappers.document.record import LONGEST_TEXT, Text, Unread
from tests.cost import MOST_CPU_S, calls, cpu_s

HOSTILE = {
    "deep": "<div>" * 200_000 + "fin" + "</div>" * 200_000,
    "deep table": "<table><tr><td>" * 50_000 + "fin",
    "comments": "<!--" * 1_000_000,
    "tags": "<a " * 1_000_000,
    "attributes": "<p a='" * 1_000_000,
    "entities": "&" * 1_000_000,
    "formatting": "<b><p>" * 100_000 + "fin",
    "sections": "<![CDATA[" * 1_000_000,
}


def packed(content: bytes) -> str:
    return base64.b64encode(content).decode()


@pytest.mark.parametrize("markup", HOSTILE.values(), ids=HOSTILE)
def test_hostile_markup_takes_no_more_time_than_its_length(markup: str) -> None:
    assert cpu_s(html.text, markup) < MOST_CPU_S


def test_the_end_of_a_deep_document_is_read() -> None:
    assert html.text(HOSTILE["deep"]) == "fin"


@pytest.mark.parametrize("kind", ["text/plain", "text/html"])
def test_what_is_too_long_is_cut_between_characters(kind: str) -> None:
    found = read(packed(("é" * 99 + " ").encode() * (MOST_BYTES // 100)), kind)
    assert isinstance(found, Text)
    assert found.cut
    assert len(found.text) == LONGEST_TEXT
    assert set(found.text) == {"é", " "}


def test_plain_text_is_read_as_one() -> None:
    few, many = (calls(read, packed(b"mot " * number), "text/plain") for number in (5_000, 5_000_000))
    assert many < 2 * few


@given(st.binary(max_size=200), st.sampled_from(["text/plain", "text/html", "text/html; charset=utf-16", "a/b", ""]))
def test_any_bytes_are_text_or_a_reason(content: bytes, kind: str) -> None:
    found = read(packed(content), kind)
    if isinstance(found, Text):
        assert found.text.strip() == found.text != ""
        assert not any(ord(character) < 32 and character not in "\n\t" for character in found.text)
    else:
        assert isinstance(found, Unread)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\ufeff")), st.booleans())
def test_utf_8_is_read_whether_declared_or_not(text: str, declared: bool) -> None:
    assert charsets.characters(text.encode(), "utf-8" if declared else "") == text


@given(st.text(st.characters(codec="cp1252", exclude_characters="ïÿþ")))
def test_windows_1252_is_read_when_latin_1_is_declared(text: str) -> None:
    assert charsets.characters(text.encode("cp1252"), "ISO-8859-1") == text


@given(st.text(st.characters(codec="utf-8", categories=["L", "N"]), min_size=1))
def test_words_of_markup_are_kept(words: str) -> None:
    assert html.text(f"<p>{words}</p><script>{words}</script>") == words
