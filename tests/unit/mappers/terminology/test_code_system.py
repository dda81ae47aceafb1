"""mappers/terminology: CodeSystem resources as concepts, and concepts as lines of COPY."""

from __future__ import annotations

from typing import Any

import pytest

from mappers.terminology.code_system import source
from mappers.terminology.concept import Concept
from mappers.terminology.hierarchy import hierarchy
from mappers.terminology.rows import COLUMNS, lines
from mappers.terminology.words import words


def _system(*concepts: dict[str, Any], **given: Any) -> dict[str, Any]:
    return {"resourceType": "CodeSystem", "url": "urn:x", "content": "complete", "concept": list(concepts), **given}


def test_nested_concepts_have_the_one_above_as_parent() -> None:
    read = list(
        source(_system({"code": "a", "concept": [{"code": "b", "concept": [{"code": "c"}]}, {"code": "d"}]})).concepts()
    )
    assert [(one.code, one.parents) for one in read] == [("a", ()), ("b", ("a",)), ("c", ("b",)), ("d", ("a",))]


def test_parents_and_children_can_be_properties_under_any_name() -> None:
    declared = {"code": "above", "uri": "http://hl7.org/fhir/concept-properties#parent", "type": "code"}
    below = {"code": "b", "property": [{"code": "above", "valueCode": "a"}, {"code": "child", "valueCode": "c"}]}
    (read,) = source(_system(below, property=[declared])).concepts()
    assert (read.parents, read.children) == (("a",), ("c",))


@pytest.mark.parametrize(
    ("item", "inactive", "abstract"),
    [
        ({"code": "inactive", "valueBoolean": True}, True, False),
        ({"code": "inactive", "valueBoolean": False}, False, False),
        ({"code": "status", "valueCode": "deprecated"}, True, False),
        ({"code": "status", "valueCode": "retired"}, True, False),
        ({"code": "status", "valueCode": "active"}, False, False),
        ({"code": "notSelectable", "valueBoolean": True}, False, True),
    ],
)
def test_properties_tell_inactive_and_abstract_concepts(item: dict[str, Any], inactive: bool, abstract: bool) -> None:
    (read,) = source(_system({"code": "a", "property": [item]})).concepts()
    assert (read.inactive, read.abstract) == (inactive, abstract)


def test_a_line_holds_the_columns_and_escapes_what_copy_reads() -> None:
    concept = Concept("a\tb", "Œdème d'effort\\x", "two\nlines\x00", designations=[{"value": "été"}])
    (line,) = lines(7, [concept], hierarchy([concept]))
    fields = dict(zip(COLUMNS, line.decode().removesuffix("\n").split("\t"), strict=True))
    assert fields["system"] == "7"
    assert (fields["position"], fields["under"], fields["parents"]) == ("0", "{[0,0]}", "{}")
    assert (fields["code"], fields["definition"]) == ("a\\tb", "two\\nlines")
    assert "'oedeme'" in fields["words"]
    assert "'ete'" in fields["words"]
    assert (fields["inactive"], fields["property"]) == ("f", "\\N")


def test_of_two_concepts_with_one_code_the_first_is_kept() -> None:
    concepts = [Concept("a", "first"), Concept("a", "second"), Concept("b")]
    assert len(list(lines(1, concepts, hierarchy(concepts)))) == 2


def test_words_are_folded_and_sorted() -> None:
    assert words(["Insuffisance  Cardiaque", "œil-de-perdrix", ""]) == [
        "cardiaque",
        "de",
        "insuffisance",
        "oeil",
        "perdrix",
    ]
