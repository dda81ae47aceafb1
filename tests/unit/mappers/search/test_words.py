"""Words: what is one, where they are taken from, how a query joins them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mappers.search import words
from mappers.search.question import Beginning, Whole
from mappers.search.rows import no_rows
from mappers.search.words import CONTENT, MOST_SIGNS, NARRATIVE, Both, Either, Unreadable, Without

DIV = '<div xmlns="http://www.w3.org/1999/xhtml"><p>Fracture<b> ouverte</b></p><td>du f&#233;mur</td></div>'


def taken(text: str, resource: dict[str, Any]) -> list[str]:
    rows = no_rows()
    words.visit_of(text, 7, resource["resourceType"])(resource, rows)
    assert {(path, exact) for path, _, exact in rows.strings} <= {(7, "")}
    return [word for _, word, _ in rows.strings]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("L'Œdème aigu, œdème", ["oedeme", "aigu"]),
        ("HbA1c 7 %, sous-clavière", ["hba1c", "7", "sous", "claviere"]),
        ("à y l’ d", []),
        ("Straße ΣΊΣΥΦΟΣ", ["strasse", "σισυφοσ"]),
        ("x" * 300, ["x" * 250]),
    ],
)
def test_words_are_folded_each_once(text: str, found: list[str]) -> None:
    assert words.words(text) == found


def test_a_narrative_is_its_words_without_markup() -> None:
    patient = {"resourceType": "Patient", "text": {"status": "generated", "div": DIV}, "name": [{"family": "Martin"}]}
    assert taken(NARRATIVE, patient) == ["fracture", "ouverte", "du", "femur"]
    assert taken(NARRATIVE, {"resourceType": "Patient"}) == []


def test_content_is_all_that_is_text() -> None:
    observation = {
        "resourceType": "Observation",
        "id": "absent",
        "status": "final",
        "text": {"status": "generated", "div": DIV},
        "code": {"coding": [{"system": "urn:absent", "code": "absent", "display": "Glycémie"}], "text": "à jeun"},
        "note": [{"text": "refaite *demain*", "time": "2024-01-01"}],
        "contained": [{"resourceType": "Patient", "name": [{"family": "Durand", "given": ["Zoé", None]}]}],
        "valueString": "haute",
        "subject": {"reference": "Patient/absent", "display": "Monsieur Durand"},
    }
    found = taken(CONTENT, observation)
    assert sorted(found) == sorted(
        "fracture ouverte du femur glycemie jeun refaite demain durand zoe haute monsieur".split()
    )


def test_what_is_encoded_is_no_text() -> None:
    report = {"resourceType": "DiagnosticReport", "presentedForm": [{"data": "YWJzZW50", "title": "Radio"}]}
    assert taken(CONTENT, report) == ["radio"]


bone, liver, metastases = Whole("bone"), Whole("liver"), Whole("metastases")


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Bone", bone),
        ("bone metastases", Both((bone, metastases))),
        ("bone and METASTASES", Both((bone, metastases))),
        ("(bone OR liver) and metastases", Both((Either((bone, liver)), metastases))),
        ("bone OR liver metastases", Either((bone, Both((liver, metastases))))),
        ("bone NOT liver", Both((bone, Without(liver)))),
        ("NOT (bone liver)", Without(Both((bone, liver)))),
        ("méta*", Beginning("meta")),
        ("l'hyper-tens*", Both((Whole("hyper"), Beginning("tens")))),
    ],
)
def test_a_query_joins_words(text: str, asked: words.Asked) -> None:
    assert words.asked(text) == asked


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a word is missing"),
        ("bone OR", "a word is missing"),
        ("OR bone", "a word is missing before 'OR'"),
        ("()", "a word is missing before ')'"),
        ("(bone", "a bracket is not closed"),
        ("bone)", "a bracket is closed that was not opened, before ')'"),
        ('"bone metastases"', "phrases are not served"),
        ("l' *", "is no word"),
        ("(" * (MOST_SIGNS + 1), f"at most {MOST_SIGNS}"),
    ],
)
def test_what_cannot_be_read_says_why(text: str, said: str) -> None:
    with pytest.raises(Unreadable, match=re.escape(said)):
        words.asked(text)
