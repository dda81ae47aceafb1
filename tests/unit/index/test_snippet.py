"""Excerpts: the right places, the original letters, no markup but <mark>."""

from __future__ import annotations

import re
from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from ecluse.index.question import Term, question
from ecluse.index.snippet import CHUNK, excerpt, places
from ecluse.index.words import fold

WORDS = st.sampled_from(["Œdème", "fièvre", "<b>", "l'hypertension", "artérielle", "&", "\n", "de", '"mark"', "toux"])


def test_an_excerpt_shows_the_places_with_most_different_words() -> None:
    text = "toux " * 100 + "fièvre et toux " + "mot " * 200
    shown = excerpt(question("fièvre toux").terms, text)
    assert "<mark>fièvre</mark> et <mark>toux</mark>" in shown
    assert shown.endswith(" …")
    assert len(shown) < 2000


def test_words_far_apart_are_shown_in_two_pieces() -> None:
    text = "fièvre " + "mot " * 200 + "toux " + "mot " * 200
    shown = excerpt(question("fièvre toux").terms, text)
    assert re.fullmatch(r"<mark>fièvre</mark> .* … .* <mark>toux</mark> .* …", shown)


def test_a_report_found_by_its_title_shows_its_beginning() -> None:
    assert excerpt(question("scanner").terms, "Bonjour,\n\nExamen normal.") == "Bonjour, Examen normal."


def test_a_phrase_is_marked_as_a_whole_over_lines() -> None:
    assert excerpt(question('"hypertension artérielle"').terms, "Hypertension\nartérielle. Artérielle.") == (
        "<mark>Hypertension artérielle</mark>. Artérielle."
    )


def test_places_beyond_the_first_chunk_are_found_once() -> None:
    text = "x" * (CHUNK - 3) + " fièvre " + "mot " * CHUNK + "fièvre"
    found = [text[slice(*place)] for place in places([Term(("fievre",))], text)]
    assert found == ["fièvre", "fièvre"]


@given(
    st.lists(WORDS, max_size=300),
    st.lists(st.sampled_from(["oedeme", "fievre", "hypert*", "toux"]), min_size=1, max_size=20),
)
def test_an_excerpt_is_text_of_the_report_with_marks_around_words_asked(words: list[str], asked: list[str]) -> None:
    text = " ".join(words)
    terms = question(" ".join(asked)).terms
    shown = excerpt(terms, text)
    bare = unescape(re.sub("</?mark>", "", shown)).removeprefix("… ").removesuffix(" …")
    flat = " ".join(text.split())
    assert all(" ".join(piece.split()) in flat for piece in bare.split(" … "))
    assert not re.search(r"<(?!/?mark>)", shown)
    for marked in re.findall("<mark>(.*?)</mark>", shown):
        assert any(fold(marked).split()[0].startswith(term.words[0]) for term in terms)
