"""Which narratives are allowed."""

from __future__ import annotations

import json

import pytest

from ecluse.core.fhir.narrative import is_empty, problem
from tests.official import official_files

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">%s</div>'


@pytest.mark.parametrize(
    ("inside", "words"),
    [
        ("<p>Hello<br/>&nbsp;&amp;&eacute; <b>x</b></p>", ""),
        ('<a href="http://a" title="b" xml:lang="fr">x</a>', ""),
        ('<img src="#photo" alt="x"/>', ""),
        ('<pre xml:space="preserve">a\n b</pre>', ""),
        ("<script>alert(1)</script>", "<script>"),
        ('<p onclick="x()">a</p>', "onclick"),
        ("<form><input/></form>", "<form>"),
        ("<p>a", "well-formed"),
        ("&nosuch;", "well-formed"),
        ('<svg xmlns="http://www.w3.org/2000/svg"/>', "svg"),
        ("a<?php x ?>", "<?>"),
    ],
)
def test_a_narrative_is_checked(inside: str, words: str) -> None:
    found = problem(DIV % inside)
    assert (words in found) if words else found == ""


@pytest.mark.parametrize(
    "div",
    [
        "<div>a</div>",
        '<div xmlns="http://hl7.org/fhir">a</div>',
        '<p xmlns="http://www.w3.org/1999/xhtml">a</p>',
        '<x:div xmlns:x="http://www.w3.org/1999/xhtmL">a</x:div>',
    ],
)
def test_a_narrative_is_a_div_of_xhtml(div: str) -> None:
    assert problem(div) == (
        'The narrative is one <div xmlns="http://www.w3.org/1999/xhtml">: write its root so, with this namespace.'
    )
    assert problem('<x:div xmlns:x="http://www.w3.org/1999/xhtml">a</x:div>') == ""
    assert "<b>" in problem(DIV % '<b xmlns="">a</b>')


def test_a_narrative_that_shows_nothing_is_empty() -> None:
    assert is_empty(DIV % "") and is_empty(DIV % "  <p> </p> ")
    assert not is_empty(DIV % "a") and not is_empty(DIV % '<img src="#a" alt=""/>') and not is_empty("<div>")


def test_entities_are_not_expanded() -> None:
    bomb = '<!DOCTYPE d [<!ENTITY a "xxxx"><!ENTITY b "&a;&a;">]>' + DIV % "&b;"
    assert problem(bomb)


WITHOUT_TEXT = {
    "ActivityDefinition-blood-tubes-supply.json",
    "ActivityDefinition-heart-valve-replacement.json",
    "EventDefinition-example.json",
    "Questionnaire-zika-virus-exposure-assessment.json",
}
"""Official examples whose narrative is empty."""


def test_narratives_of_official_examples_are_allowed() -> None:
    found = set()
    for path in official_files():
        if path.stat().st_size < 30_000:
            text = json.loads(path.read_bytes()).get("text")
            if text and is_empty(text["div"]):
                found.add(path.name)
            assert not text or not problem(text["div"]), path.name
    assert found == WITHOUT_TEXT
