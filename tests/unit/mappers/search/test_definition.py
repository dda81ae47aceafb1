"""What is read of a SearchParameter; and the two ways of reading a path agree."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.expressions import parse
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, paths, paths_of
from mappers.search.definition import MADE, Reading, definition
from mappers.search.evaluated import visit_of
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
    wrong = {"base": ["Ward"], "type": "composite", "code": "a b", "target": ["Patient", "Ward"]}
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
