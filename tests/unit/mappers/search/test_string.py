"""The fold of strings."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappers.search.string import LONGEST, normalise


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Müller", "muller"),
        ("MULLER", "muller"),
        ("Straße", "strasse"),
        ("Œuvré", "oeuvre"),
        ("Ærø", "aero"),
        ("Łukasz", "lukasz"),
        ("Jean-Pierre", "jean pierre"),
        ("Jean  Pierre\t", "jean pierre"),
        ("O’Connor", "oconnor"),
        ("d'Artagnan", "dartagnan"),
        ("St. Louis", "st louis"),
        ("e\u0301", "e"),
        ("ﬁn", "fin"),
        ("²", "2"),
        ("Ἀθῆναι", "αθηναι"),
        ("İstanbul", "istanbul"),
        ("東京", "東京"),
        ("--", "--"),
        ("", ""),
    ],
)
def test_case_accents_and_punctuation_do_not_count(text: str, folded: str) -> None:
    assert normalise(text) == folded


@given(st.text(max_size=60))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)


@given(st.text(max_size=60))
def test_composed_and_decomposed_letters_fold_alike(text: str) -> None:
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


@given(st.text(min_size=200, max_size=600))
def test_a_fold_fits_into_an_index(text: str) -> None:
    assert len(normalise(text)) <= LONGEST
