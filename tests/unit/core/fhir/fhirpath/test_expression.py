"""FHIRPath on resources as Écluse holds them."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ecluse.core import clock
from ecluse.core.fhir import json
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.conversion import to_string
from ecluse.core.fhir.fhirpath.nodes import Node, element, root, system
from ecluse.core.fhir.fhirpath.scope import Given

PATIENT = json.decode(
    b"""{"resourceType":"Patient","id":"p","active":true,
    "contained":[{"resourceType":"Organization","id":"o","name":"H","partOf":{"reference":"#"}}],
    "extension":[{"url":"http://a","valueDecimal":1.50},{"url":"http://b","valueCodeableConcept":{"text":"x"}}],
    "name":[{"use":"official","family":"A","given":["B",null],"_given":[null,{"extension":[{"url":"http://g",
      "valueString":"h"}]}]},{"family":"C"}],
    "_birthDate":{"extension":[{"url":"http://t","valueDateTime":"1974-12-25T14:35:45-05:00"}]},
    "birthDate":"1974-12-25","managingOrganization":{"reference":"#o"},
    "generalPractitioner":[{"reference":"Practitioner/1"},{"reference":"http://x/fhir/Organization/2/_history/1"}],
    "link":[{"other":{"reference":"Patient/q"},"type":"refer"}]}"""
)


def outcome(expression: str, resource: Any = PATIENT, **given: Any) -> list[Any]:
    return [system(item) for item in compile(expression)(resource, Given(**given))]


def places(expression: str, resource: Any = PATIENT) -> list[str]:
    return [item.location for item in compile(expression)(resource)]


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Patient.name.given", ["Patient.name[0].given[0]", "Patient.name[0].given[1]"]),
        ("name.given.extension.value", ["Patient.name[0].given[1].extension[0].value"]),
        ("birthDate.extension('http://t').value", ["Patient.birthDate.extension[0].value"]),
        ("extension.value as decimal", ["Patient.extension[0].value"]),
        ("extension.value.ofType(CodeableConcept).text", ["Patient.extension[1].value.text"]),
        ("contained.name", ["Patient.contained[0].name"]),
        ("descendants().where($this is Reference)[1]", ["Patient.generalPractitioner[0]"]),
        ("name.where(use = 'official').family", ["Patient.name[0].family"]),
        ("name.last()", ["Patient.name[1]"]),
        ("valueQuantity", []),
        ("Observation.name", []),
    ],
)
def test_results_know_their_place(expression: str, found: list[str]) -> None:
    assert places(expression) == found


def test_a_result_knows_where_it_stands_in_the_json() -> None:
    [value] = compile("extension[0].value")(PATIENT)
    assert (value.parent.value, value.member.key, value.index) == (PATIENT["extension"][0], "valueDecimal", -1)
    [given] = compile("name.given[1]")(PATIENT)
    assert (given.parent.value[given.member.key], given.index, given.value) == (["B", None], 1, None)


def test_a_place_begins_where_the_resource_stands() -> None:
    node = root(PATIENT, "Bundle.entry[3].resource")
    assert [item.location for item in compile("Patient.active")(node)] == ["Bundle.entry[3].resource.active"]


def test_a_data_type_alone_is_a_focus_too() -> None:
    assert compile("low <= high").holds(element(json.decode(b'{"low":{"value":1.0},"high":{"value":2}}'), "Range"))
    assert compile("$this > 5").holds(element(6, "integer"))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("extension.value.ofType(decimal)", [Decimal("1.50")]),
        ("extension[0].value * 2", [Decimal("3.00")]),
        ("extension[0].value = 1.5", [True]),
        ("name.given.hasValue()", [False]),
        ("name.given[0].hasValue()", [True]),
        ("name.given[1].hasValue()", [False]),
        ("name.given.count()", [2]),
        ("active and {}", []),
        ("active or {}", [True]),
        ("active.not() and {}", [False]),
        ("{} implies active", [True]),
        ("birthDate < @1974-12-26", [True]),
        ("birthDate < @1974-12", []),
        ("birthDate = @1974-12", []),
        ("birthDate + 1 month - 30 days = @1974-12-26", [True]),
        ("birthDate.extension.value > @1974-12-25T19:35:44Z", [True]),
        ("@2012-01-31 + 1 month = @2012-02-29", [True]),
        ("@T23:30 + 1 hour = @T00:30", [True]),
        ("1 'kg' > 999 'g'", [True]),
        ("1 'mmol/L' = 1000 'umol/L'", [True]),
        ("1 'mg' = 1 'mL'", []),
        ("120 'mm[Hg]' > 15 'kPa'", [True]),
        ("managingOrganization.resolve().name", ["H"]),
        ("contained.partOf.resolve().id", ["p"]),
        ("generalPractitioner.where(resolve() is Practitioner).reference", ["Practitioner/1"]),
        ("generalPractitioner.where(resolve() is Organization).count()", [1]),
        ("contained.where(%resource.id = 'p').count()", [1]),
        ("iif(active, 'a', 'b')", ["a"]),
        ("name.family.join(', ')", ["A, C"]),
        ("name.select(family & '!')", ["A!", "C!"]),
        ("name.family.combine(name.use).isDistinct()", [True]),
        ("name.all(family.exists())", [True]),
        ("(1 | 2 | 2).aggregate($total + $this, 0)", [3]),
        ("'abc'.matches('b')", [True]),
        ("'2020-01-02'.replaceMatches('(\\\\d+)-(\\\\d+)-(\\\\d+)', '$3/$2/$1')", ["02/01/2020"]),
        ("1.convertsToBoolean()", [True]),
        ("'1.5'.toDecimal()", [Decimal("1.5")]),
        ("%ucum", ["http://unitsofmeasure.org"]),
        ("%vs-administrative-gender", ["http://hl7.org/fhir/ValueSet/administrative-gender"]),
        ("%`ext-patient-birthTime`", ["http://hl7.org/fhir/StructureDefinition/patient-birthTime"]),
        ("Patient is DomainResource and Patient is Resource and (Patient is Bundle).not()", [True]),
        ("name is HumanName", "several"),
        ("text.`div`.exists()", [False]),
    ],
)
def test_an_expression_comes_out(expression: str, found: Any) -> None:
    if found == "several":
        with pytest.raises(FhirPathError, match="single item"):
            outcome(expression)
    else:
        assert outcome(expression) == found


def test_the_caller_lends_variables_references_and_terminology() -> None:
    other = root({"resourceType": "Patient", "id": "q", "gender": "male"})
    assert outcome("link.other.resolve().gender", resolve=lambda link, node: other) == ["male"]
    assert outcome("%x + 1", variables={"x": 2}) == [3]
    assert outcome("name[0].use.memberOf('http://v')", member_of=lambda item, url: item.value == "official") == [True]
    seen: list[Any] = []
    outcome("name.trace('n', family)", trace=lambda name, items: seen.append((name, len(items))))
    assert seen == [("n", 2)]


def test_now_stays_the_same_in_one_evaluation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "_clock", lambda: datetime(2026, 3, 1, 12, 0, 0, 500_000, tzinfo=UTC))
    assert [to_string(item) for item in compile("now() | today() | timeOfDay()")(PATIENT)] == [
        "2026-03-01T12:00:00.500Z",
        "2026-03-01",
        "12:00:00.500",
    ]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("name.", "the end"),
        ("name..family", "character 6"),
        ("name.frist()", "did you mean first"),
        ("name.where()", "takes 1 arguments"),
        ("name is Nmae", "no type Nmae"),
        ("%nobody", "%nobody"),
        ("name.family + 1", "single item"),
        ("active + 1", "does not work"),
        ("'a' > 1", "cannot compare"),
        ("@2020-02-30", "calendar"),
        ("'a", "not understood"),
        ("'a'.matches('(')", "regular expression"),
        (f"'{'a' * 60}b'.matches('(a|aa)+$')", "too long"),
        ("'a'.replaceMatches('a', '${nobody}')", "replaceMatches"),
        ("(" * 100 + "1" + ")" * 100, "levels"),
        ("name" + ".name" * 3000, "too long"),
        ("a" * 30_000, "characters"),
        ("name.memberOf('x')", "terminology"),
        ("1 + " * 2000 + "1", "too long"),
    ],
)
def test_what_is_wrong_is_told_in_words(expression: str, words: str) -> None:
    with pytest.raises(FhirPathError) as refused:
        outcome(expression)
    assert words in str(refused.value)
    assert refused.value.status == 400


def test_an_expression_that_grows_without_end_is_stopped() -> None:
    with pytest.raises(FhirPathError, match="characters"):
        outcome("(1|2|3|4|5|6|7).aggregate(iif($total.empty(), 'aaaaaaa', $total.replace('a', 'aaaaaaaaaaaaaaaaaa')))")


def test_malformed_resources_are_walked_without_a_crash() -> None:
    odd = {"resourceType": "Patient", "name": {"family": 5}, "contact": [None, 3, {"name": "x"}], "birthDate": [1]}
    assert outcome("descendants().count()", odd)
    assert outcome("contact.name.family | name.given | birthDate.extension", odd) == []


def test_nodes_are_made_once_a_result() -> None:
    [first, second] = compile("name")(PATIENT)
    assert isinstance(first, Node) and first is not second


def test_an_expression_may_have_no_focus_and_variables_that_are_empty() -> None:
    given = Given({"previous": [], "current": [root(PATIENT)]})
    assert compile("%previous.empty() and %current.active and $this.empty()").holds([], given) is True
    assert compile("%previous.active").holds([], given) is None


def test_the_caller_says_how_much_work_an_expression_may_take() -> None:
    assert compile("descendants().count() > 9").holds(PATIENT, Given(work=1000)) is True
    with pytest.raises(FhirPathError, match="too much work"):
        compile("descendants().count() > 9").holds(PATIENT, Given(work=20))
