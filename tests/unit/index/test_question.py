"""From what was typed to what is asked."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.index.protocol import BadQuery
from ecluse.index.question import Question, Term, question


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("l'hypertension de la femme", [["hypertension"], ["femme"]]),
        ("de la", [["de"], ["la"]]),
        ('"de la"', [["de la"]]),
        ("a b OU c OR d", [["b", "c", "d"]]),
        ("fièvre ET toux", [["fievre"], ["toux"]]),
        ("post-opératoire", [["post operatoire"]]),
        ("hypert*", [["hypert*"]]),
        ('"insuffisance card*"', [["insuffisance card*"]]),
        ('"insuffisance card"*', [["insuffisance card*"]]),
        ("- toux", [["toux"]]),
        ("", []),
    ],
)
def test_words_become_terms(text: str, groups: list[list[str]]) -> None:
    asked = question(text)
    told = [[" ".join(term.words) + "*" * term.prefix for term in group] for group in asked.groups]
    assert told == groups


def test_excluded_terms_stand_apart() -> None:
    assert question('toux -fièvre -"sans cause"') == Question(
        ((Term(("toux",)),),), (Term(("fievre",)), Term(("sans", "cause")))
    )


@given(st.text(st.sampled_from('ab é"«*-()+:OR \n\0\\') | st.characters(codec="utf-8"), max_size=60))
def test_any_text_is_a_question_or_says_what_to_write(text: str) -> None:
    with contextlib.suppress(BadQuery):
        asked = question(text)
        assert all(word.isalnum() for term in (*asked.terms, *asked.excluded) for word in term.words)
