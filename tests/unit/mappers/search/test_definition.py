"""What is read of a SearchParameter; and the two ways of reading a path agree."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.expressions import parse
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, Parameter, parameters, paths, paths_of
from ecluse.core.fhir.types import number_of
from mappers.search.composite import contexts
from mappers.search.definition import MADE, definition
from mappers.search.evaluated import visit_of
from mappers.search.reading import Part, Reading, known_paths
from mappers.search.rows import WITH_ITEM, IndexRows, no_rows
from mappers.search.walk import READERS
from tests.official import official_files

A_TYPE = 4
"""Official examples of each type that are looked at."""


def asked(expression: str, **members: Any) -> dict[str, Reading]:
    """What is read for an expression, by type."""
    resource = {"code": "x", "base": ["Patient"], "type": "token", "expression": expression, **members}
    return definition(resource).readings


def steps(*texts: str) -> Reading:
    return Reading(texts, "", ())


@pytest.mark.parametrize(
    ("expression", "members", "readings"),
    [
        ("Patient.identifier", {}, {"Patient": steps("Patient.identifier")}),
        (
            "Patient.extension('urn:a').value.as(Coding)",
            {},
            {"Patient": steps("Patient.extension('urn:a').value.ofType(Coding)")},
        ),
        ("Patient.extension('urn:a')", {}, {"Patient": steps("Patient.extension('urn:a').value")}),
        (
            "Patient.name | Person.name",
            {"base": ["Patient", "Person"], "type": "string"},
            {"Patient": steps("Patient.name"), "Person": steps("Person.name")},
        ),
        (
            "Resource.meta.tag.where(system='a')",
            {"base": ["Patient", "Bundle"]},
            {
                "Patient": steps("Patient.meta.tag.where(system='a')"),
                "Bundle": steps("Bundle.meta.tag.where(system='a')"),
            },
        ),
        (
            "Patient.link.other.where(resolve() is Patient)",
            {"type": "reference"},
            {"Patient": Reading(("Patient.link.other",), "", ("Patient",))},
        ),
    ],
)
def test_lists_of_steps_are_told_apart(expression: str, members: dict[str, Any], readings: dict[str, Reading]) -> None:
    assert asked(expression, **members) == readings


@pytest.mark.parametrize(
    ("expression", "members"),
    [
        ("Patient.name.first().family", {"type": "string"}),
        ("Patient.name[0].family", {"type": "string"}),
        ("Patient.birthDate.extension('urn:a').value", {}),
        ("extension('urn:a').value", {}),
        ("Patient.contact.where(organization.exists()).gender", {}),
        ("Patient.generalPractitioner.where(resolve() is Practitioner and display.exists())", {"type": "reference"}),
    ],
)
def test_all_else_is_evaluated(expression: str, members: dict[str, Any]) -> None:
    assert asked(expression, **members)["Patient"] == Reading((), expression, ())


def test_a_base_of_all_types_is_every_type() -> None:
    assert len(asked("Resource.id", base=["Resource"])) == 146
    assert "Bundle" not in asked("DomainResource.text.status", base=["DomainResource"])


def test_every_place_is_told_at_once() -> None:
    wrong = {"base": ["Ward"], "type": "special", "code": "a b", "target": ["Patient", "Ward"]}
    with pytest.raises(Unprocessable) as refused:
        asked("Patient.name", **wrong)
    places = [issue.expression.removeprefix("SearchParameter.") for issue in refused.value.issues]
    assert places == ["code", "type", "target[1]", "base[0]"]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("Patient.name.where(period.start > now())", "now() cannot be indexed"),
        ("Patient.maritalStatus.where(memberOf('urn:vs'))", "memberOf() cannot be indexed"),
        ("Patient.link.other.resolve().name", "resolve() cannot be indexed"),
        ("iif(Patient.active, today(), 1)", "today() cannot be indexed"),
    ],
)
def test_what_is_not_the_resources_own_is_refused(expression: str, text: str) -> None:
    with pytest.raises(Unprocessable, match=text.replace("(", r"\(").replace(")", r"\)")):
        asked(expression)


def test_walking_and_evaluating_find_the_same_rows() -> None:
    """Every path of R4, over official examples of its type, both ways."""
    files = {
        name: [*found] for name, found in itertools.groupby(official_files(), lambda file: file.name.split("-")[0])
    }
    compared = 0
    for name in sorted({path.resource_type for path in paths().values()}):
        own = [path for path in paths_of(name) if path.kind in READERS]
        again = [IndexedPath(path.number, path.kind, path.text, evaluated=name) for path in own]
        walk, evaluate = visit_of(name, own), visit_of(name, again, strict=True)
        for file in files.get(name, [])[:A_TYPE]:
            resource = json.decode(file.read_bytes())
            walked, evaluated = no_rows(), no_rows()
            walk(resource, walked)
            evaluate(resource, evaluated)
            assert _sorted(evaluated) == _sorted(walked), file.name
            compared += sum(map(len, walked))
    assert compared > 3000


def _sorted(rows: IndexRows) -> list[list[Any]]:
    """Without items, which only R4's own composites ask for."""
    return [
        sorted({(row[0], *row[2:]) if place in WITH_ITEM else row for row in kind}) for place, kind in enumerate(rows)
    ]


def test_r4s_own_expressions_are_lists_of_steps() -> None:
    for path in paths().values():
        if path.kind in MADE:
            reading = asked(path.text, base=[path.resource_type], type=path.kind)[path.resource_type]
            assert reading.steps and not reading.evaluated, path.text
            assert parse(reading.steps[0])[0][0].name == path.resource_type


def component(definition: str, expression: str) -> dict[str, str]:
    return {"definition": f"http://hl7.org/fhir/SearchParameter/{definition}", "expression": expression}


CONTACT = [component("individual-gender", "gender"), component("individual-telecom", "telecom")]


def composed(expression: str, *components: dict[str, str], **members: Any) -> dict[str, Reading]:
    return asked(expression, type="composite", component=list(components), **members)


def test_r4s_own_composites_are_read_as_they_are() -> None:
    compared = 0
    for name in number_of:
        for own in parameters(name).values():
            if own.type != "composite" or own.code == "relationship":  # R4's parts of this one are the wrong way round
                continue
            parts = [component(url, text) for url, text in own.components]
            reading = composed(own.expression, *parts, base=[name])[name]
            expected = [
                [(set(part.parameter.paths), part.together, part.parameter.type) for part in context.components]
                for context in contexts(name, own.code)
            ]
            found = [
                [
                    ({known_paths(name, part.kind)[step] for step in part.steps}, part.together, part.kind)
                    for part in one
                ]
                for one in reading.contexts
            ]
            assert found == expected, own.code
            compared += 1
    assert compared == 71


def test_parts_of_another_repeating_element_are_evaluated_for_each_item() -> None:
    (context,) = composed("Patient.contact", *CONTACT)["Patient"].contexts
    assert [(part.kind, part.evaluated, part.context, part.together) for part in context] == [
        ("token", "gender", "Patient.contact", True),
        ("token", "telecom", "Patient.contact", True),
    ]
    resource = {
        "resourceType": "Patient",
        "contact": [{"gender": "male", "telecom": [{"value": "1"}]}, {"telecom": [{"value": "2"}, {"value": "3"}]}],
    }
    own = [
        IndexedPath(number, part.kind, part.evaluated, evaluated="Patient", context=part.context)
        for number, part in enumerate(context, 1)
    ]
    rows = no_rows()
    visit_of("Patient", own, strict=True)(resource, rows)
    assert sorted((path, item, code) for path, item, _, code in rows.tokens) == [
        (1, 1, "male"),
        (2, 1, "1"),
        (2, 2, "2"),
        (2, 2, "3"),
    ]


def test_parts_outside_of_the_item_are_the_resources() -> None:
    birth = component("individual-birthdate", "%resource.birthDate")
    (context,) = composed("Patient.contact", CONTACT[0], birth)["Patient"].contexts
    assert [(part.together, part.steps, part.evaluated) for part in context] == [
        (True, (), "gender"),
        (False, ("Patient.birthDate",), ""),
    ]


def test_a_part_that_cannot_be_walked_is_selected() -> None:
    first = component("individual-gender", "contact.first().gender")
    (context,) = composed("Patient", first, CONTACT[1])["Patient"].contexts
    assert [(part.evaluated, part.context) for part in context] == [
        ("Patient.select(contact.first().gender)", ""),
        ("", ""),
    ]


@pytest.mark.parametrize(
    ("expression", "components", "place", "text"),
    [
        ("Patient", [], "component", "Write the parts"),
        ("Patient", [component("nothing", "gender")], "component[0].definition", "no such search parameter"),
        (
            "Patient",
            [CONTACT[0], component("Observation-code-value-quantity", "x")],
            "component[1].definition",
            "composite parameters are no parts",
        ),
        ("Patient.contact", [component("individual-family", "name.family")], "component[0].expression", "told apart"),
        ("Patient", [component("individual-gender", "nothing")], "expression", "no element is there"),
        ("Patient", [component("individual-gender", "birthDate")], "expression", "It leads to date"),
        ("Patient.contact", [component("individual-gender", "now()")], "component[0].expression", "cannot be indexed"),
        ("Patient.nothing", CONTACT, "expression", "no element is there"),
        ("Person", CONTACT, "expression", "It reads nothing of Patient"),
    ],
)
def test_composites_that_cannot_be_served_are_told_with_the_place(
    expression: str, components: list[dict[str, str]], place: str, text: str
) -> None:
    with pytest.raises(Unprocessable) as refused:
        composed(expression, *components)
    (issue,) = refused.value.issues
    assert issue.expression == f"SearchParameter.{place}"
    assert text in issue.text


def test_parts_may_be_defined_by_parameters_of_ones_own() -> None:
    own = Parameter("ward", "token", "urn:ward")
    parts = [{"definition": "urn:ward|1", "expression": "extension('urn:w').value"}]
    resource = {"code": "x", "base": ["Patient"], "type": "composite", "expression": "Patient", "component": parts}
    ((part,),) = definition(resource, known={own.url: own}.get).readings["Patient"].contexts
    steps = ("Patient.extension('urn:w').value",)
    assert part == Part("token", "ward", "urn:ward", (), "extension('urn:w').value", steps)
