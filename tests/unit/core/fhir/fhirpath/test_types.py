"""Types of two namespaces: FHIR's for what stands in a resource, System's for what is written or calculated."""

from __future__ import annotations

import pytest

from ecluse.core.fhir import json
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import system

PATIENT = json.decode(
    b"""{"resourceType":"Patient","id":"p","active":true,"gender":"male","birthDate":"1974-12-25",
    "deceasedDateTime":"2015-02-14T13:42:00+10:00","multipleBirthInteger":2,"name":[{"family":"A"}],
    "contact":[{"name":{"family":"B"}}],"extension":[{"url":"http://a","valueAge":{"value":1.5,"unit":"a"}}]}"""
)


@pytest.mark.parametrize(
    "true",
    [
        *("active is boolean", "active is FHIR.boolean", "gender is code", "gender is string", "gender is FHIR.string"),
        *("deceased is dateTime", "deceased is Element", "multipleBirth is integer", "birthDate is FHIR.date"),
        *("Patient is Resource", "Patient is FHIR.DomainResource", "contact is BackboneElement", "name is HumanName"),
        *("extension.value is Age", "extension.value is Quantity", "extension.value is FHIR.Quantity"),
        *("true is Boolean", "'x' is System.String", "1 is Integer", "1.0 is Decimal", "4 'mg' is System.Quantity"),
        *("@2015 is Date", "@2015-02-14T is DateTime", "@T12 is System.Time", "now() is DateTime", "today() is Date"),
        *("(multipleBirth + 1) is Integer", "active.not() is Boolean", "deceased.toDateTime() is System.DateTime"),
        *("1 is Any", "Patient is Any", "active is System.Any", "@2015 is System.Any"),
    ],
)
def test_it_is_of_the_type(true: str) -> None:
    assert compile(true)(PATIENT) == [True]


@pytest.mark.parametrize(
    "false",
    [
        *("active is Boolean", "active is System.Boolean", "gender is System.String", "birthDate is Date"),
        *("deceased is DateTime", "deceased is System.DateTime", "multipleBirth is Integer", "active is string"),
        *(
            "true is boolean",
            "true is FHIR.boolean",
            "'x' is string",
            "1 is Decimal",
            "@2015 is DateTime",
            "@2015 is date",
        ),
        *("4 'mg' is FHIR.Quantity", "extension.value is System.Quantity", "Patient is System.Patient"),
        *("Patient is Observation", "Patient is Element", "contact is HumanName", "extension.value is Duration"),
    ],
)
def test_it_is_not_of_the_type(false: str) -> None:
    assert compile(false)(PATIENT) == [False]
    value, _, kind = false.partition(" is ")
    assert compile(f"({value}).ofType({kind})")(PATIENT) == compile(f"({value}) as {kind}")(PATIENT) == []


@pytest.mark.parametrize(
    "unknown", ["1 is System.Foo", "1 is FHIR.String", "active is FHIR.Any", "1.ofType(integer32)"]
)
def test_a_type_that_there_is_not_is_refused(unknown: str) -> None:
    with pytest.raises(FhirPathError, match="There is no type"):
        compile(unknown)


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("Patient", ("FHIR", "Patient", "FHIR.DomainResource")),
        ("gender", ("FHIR", "code", "FHIR.string")),
        ("name", ("FHIR", "HumanName", "FHIR.Element")),
        ("contact", ("FHIR", "Patient.contact", "FHIR.BackboneElement")),
        ("extension.value", ("FHIR", "Age", "FHIR.Quantity")),
        ("name.family & 'x'", ("System", "String", "System.Any")),
        ("@2015", ("System", "Date", "System.Any")),
        ("4 'mg'", ("System", "Quantity", "System.Any")),
    ],
)
def test_type_tells_namespace_name_and_base(expression: str, told: tuple[str, str, str]) -> None:
    asked = [compile(f"({expression}).type().{name}")(PATIENT) for name in ("namespace", "name", "baseType")]
    assert tuple(system(one) for [one] in asked) == told


def test_the_types_of_several_items() -> None:
    assert [system(one) for one in compile("(1 | 'a' | true).ofType(Integer)")(PATIENT)] == [1]
    assert [system(one) for one in compile("(1 | 'a' | gender).type().name")(PATIENT)] == ["Integer", "String", "code"]
