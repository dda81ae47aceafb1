"""Folding: what is compared, and where it came from."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.index.words import Folded, _encoded, _folding, _without_elisions, fold

FRENCH = st.text(
    st.sampled_from("abcdelmnqstuŒœÆæßéèêàçùïöÿ'’ -.,\n\u0301\u00ad½…€²µ°") | st.characters(codec="utf-8"), max_size=60
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hypertension ARTÉRIELLE", "hypertension arterielle"),
        ("l'œdème d’Œsophage", "oedeme oesophage"),
        ("jusqu'à ce qu'il n'ait", "a ce il ait"),
        ("aujourd'hui", "aujourd hui"),
        ("hépatite C, vitamine d'", "hepatite c vitamine d"),
        ("post-opératoire (J+3)", "post operatoire j 3"),
        ("cœur/poumon 12,5 mg·m²", "coeur poumon 12 5 mg m2"),
        ("hyper\u00adtension arte\u0301rielle", "hypertension arterielle"),
        ("5 µg = 5 μg", "5 ug 5 ug"),
        ("Straße ﬁèvre Ⅳ", "strasse fievre iv"),
        ("Ελληνικά кровь", "ελληνικα кровь"),
        ("", ""),
    ],
)
def test_words_are_folded_as_written(text: str, words: str) -> None:
    assert fold(text).split() == words.split()


@given(FRENCH)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)).split() == fold(text).split()


@given(FRENCH)
def test_composed_and_decomposed_letters_are_the_same_words(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)).split() == fold(unicodedata.normalize("NFC", text)).split()


@given(FRENCH)
def test_the_tables_of_bytes_fold_as_character_by_character(text: str) -> None:
    assert fold(text) == _without_elisions("".join(_folding[ord(character)] for character in text))


@given(FRENCH, st.sampled_from(["ascii", "latin-1", "cp1252"]))
def test_every_word_comes_from_the_place_that_is_told(text: str, charset: str) -> None:
    text = text.encode(charset, "ignore").decode(charset)
    assert _encoded(text) is not None
    _check_places(text)


@given(FRENCH)
def test_every_word_of_any_text_comes_from_the_place_that_is_told(text: str) -> None:
    _check_places(text)


def _check_places(text: str) -> None:
    folded = Folded(text)
    at = 0
    for word in folded.text.split():
        at = folded.text.index(word, at)
        start, end = folded.original(at, at + len(word))
        assert word in fold(text[start:end]).replace(" ", "")
        assert 0 <= start < end <= len(text)
        at += len(word)
