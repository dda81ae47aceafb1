"""Index rows of single values, in pairs: what stands in a resource, what searches read of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir.dates import EARLIEST, LATEST
from ecluse.core.fhir.definitions.search_parameters import parameters
from ecluse.core.fhir.types import number_of
from mappers.search.index import IndexRows, index_rows
from mappers.search.number import NOT_AFTER
from mappers.search.rows import no_rows
from mappers.search.token import of_type_key, system_key

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
SHORT, LONG = "a" * 250, "a" * 251


def rows(resource_type: str, code: str, resource: dict[str, Any]) -> list[tuple[Any, ...]]:
    """The rows of one parameter, without path."""
    numbers = parameters(resource_type)[code].paths
    found: IndexRows = index_rows(resource_type, resource)
    return [row[1 if kind is found.strings else 2 :] for kind in found for row in kind if row[0] in numbers]


TOKENS: list[tuple[str, str, dict[str, Any], list[tuple[Any, ...]]]] = [
    (
        "Observation",
        "code",
        {"code": {"coding": [{"system": LOINC, "code": "1"}, {"code": "2"}], "text": "x"}},
        [(system_key(LOINC), "1"), (0, "2"), ("x", "")],
    ),
    ("Observation", "code", {"code": {"text": "X"}}, [("x", "")]),
    ("Observation", "code", {"code": {"coding": [{"system": LOINC}]}}, [(system_key(LOINC), "")]),
    ("Observation", "code", {"code": {"coding": [{"code": "1"}, {"code": "1"}]}}, [(0, "1")]),
    ("Observation", "status", {"status": "final"}, [(0, "final")]),
    ("Observation", "combo-code", {"component": [{"code": {"coding": [{"code": "3"}]}}]}, [(0, "3")]),
    ("Observation", "value-concept", {"valueCodeableConcept": {"coding": [{"code": "4"}]}}, [(0, "4")]),
    ("Observation", "value-concept", {"valueString": "4"}, []),
    ("Patient", "identifier", {"identifier": [{"system": "urn:s", "value": "v"}]}, [(system_key("urn:s"), "v")]),
    ("Patient", "identifier", {"identifier": [{"value": "V"}, {"use": "old"}]}, [(0, "V")]),
    ("Patient", "identifier", {"identifier": [{"value": SHORT}]}, [(0, SHORT)]),
    ("Patient", "active", {"active": False}, [(0, "false")]),
    (
        "Patient",
        "phone",
        {"telecom": [{"system": "phone", "value": "1"}, {"system": "email", "value": "2"}]},
        [(0, "1")],
    ),
    ("Patient", "telecom", {"telecom": [{"system": "phone", "value": "1"}, {"use": "home"}]}, [(0, "1")]),
    ("Patient", "deceased", {}, [(0, "false")]),
    ("Patient", "deceased", {"deceasedBoolean": False}, [(0, "false")]),
    ("Patient", "deceased", {"deceasedBoolean": True}, [(0, "true")]),
    ("Patient", "deceased", {"deceasedDateTime": "2020"}, [(0, "true")]),
    ("Patient", "_tag", {"meta": {"tag": [{"code": "t"}]}}, [(0, "t")]),
    ("Patient", "_profile", {"meta": {"profile": ["http://p|1"]}}, [(0, "http://p|1")]),
    ("Patient", "_source", {"meta": {"source": "http://s"}}, [(0, "http://s")]),
    ("Binary", "_tag", {"meta": {"tag": [{"code": "t"}]}}, [(0, "t")]),
]


@pytest.mark.parametrize(("resource_type", "code", "resource", "expected"), TOKENS)
def test_tokens(resource_type: str, code: str, resource: dict[str, Any], expected: list[tuple[Any, ...]]) -> None:
    assert rows(resource_type, code, resource) == expected


def test_a_long_code_is_kept_by_its_hash_so_that_equality_still_tells() -> None:
    found = {rows("Patient", "identifier", {"identifier": [{"value": LONG + end}]})[0] for end in ("", "x", "y")}
    assert len(found) == 3
    assert all(len(code) < 250 for _, code in found)


REFERENCES: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("Patient/1", [(number_of["Patient"], "1")]),
    ("Patient/1/_history/2", [(number_of["Patient"], "1")]),
    ("http://elsewhere/fhir/Patient/1", [(0, "http://elsewhere/fhir/Patient/1")]),
    ("urn:uuid:5", [(0, "urn:uuid:5")]),
    ("Nobody/1", [(0, "Nobody/1")]),
    ("Patient/1/x", [(0, "Patient/1/x")]),
    ("#contained", []),
]


@pytest.mark.parametrize(("text", "expected"), REFERENCES)
def test_references(text: str, expected: list[tuple[Any, ...]]) -> None:
    assert rows("Observation", "subject", {"subject": {"reference": text}}) == expected


def test_a_reference_that_is_only_an_identifier_is_found_by_it() -> None:
    found = index_rows("Observation", {"subject": {"identifier": {"value": "1"}}})
    assert not found.references
    assert [row[2:] for row in found.tokens] == [(0, "1")]


def test_an_identifier_beside_a_reference_is_marked_with_what_that_leads_to() -> None:
    marks = {}
    for text in ("Patient/1", "Location/1", "http://elsewhere.test/Patient/1", "#it", ""):
        reference = {"identifier": {"value": "1"}} | ({"reference": text} if text else {})
        ((_, marks[text], _, _),) = index_rows("Observation", {"subject": reference}).tokens
    assert marks == {
        "Patient/1": -number_of["Patient"],
        "Location/1": -number_of["Location"],
        "http://elsewhere.test/Patient/1": 0,
        "#it": 0,
        "": 0,
    }


@pytest.mark.parametrize(
    ("said", "mark"),
    [
        ({"type": "Location"}, -number_of["Location"]),
        ({"type": "http://acme.test/Model"}, 0),
        ({"type": "Location", "reference": "http://elsewhere.test/Location/1"}, 0),
    ],
)
def test_the_identifier_of_a_reference_without_address_is_marked_with_its_type(said: dict[str, Any], mark: int) -> None:
    kind = {"coding": [{"system": "urn:t", "code": "MR"}], "text": "Dossier"}
    found = index_rows("Observation", {"subject": {"identifier": {"type": kind, "value": "1"}, **said}})
    assert {row[1:] for row in found.tokens} == {(mark, 0, "1")}
    assert not found.strings


def test_the_identifier_of_a_reference_within_an_item_keeps_its_mark() -> None:
    target = {"reference": "DocumentReference/2", "identifier": {"value": "1"}}
    found = index_rows("DocumentReference", {"relatesTo": [{"code": "replaces", "target": target}]})
    assert {row[1] for row in found.tokens} == {1, -number_of["DocumentReference"]}
    assert {row[1] for row in found.references} == {1}


def test_an_identifier_is_found_by_its_type() -> None:
    kind = {"coding": [{"system": "urn:t", "code": "MR"}], "text": "Dossier"}
    found = rows("Patient", "identifier", {"identifier": [{"type": kind, "value": "1"}]})
    assert found == [(0, "1"), (of_type_key("urn:t", "MR"), "1"), ("dossier", "")]


def test_rows_of_items_say_which_item_they_are_from() -> None:
    component = [
        {"code": {"coding": [{"code": code}]}, "valueQuantity": {"value": value}}
        for code, value in (("a", 1), ("b", 2))
    ]
    found = index_rows("Observation", {"code": {"coding": [{"code": "c"}]}, "component": component})
    assert [(row[1], row[3]) for row in found.tokens] == [(0, "c"), (1, "a"), (2, "b")]
    assert [(row[1], row[5]) for row in found.quantities] == [(1, 1), (2, 2)]


def test_parameters_that_read_the_same_element_share_its_rows() -> None:
    found = index_rows("Observation", {"subject": {"reference": "Patient/1"}})
    assert len(found.references) == 1
    assert parameters("Observation")["patient"].paths == parameters("Observation")["subject"].paths


def test_a_canonical_is_found_with_and_without_its_version() -> None:
    found = rows("MeasureReport", "measure", {"measure": "http://m|1.0"})
    assert found == [(0, "http://m"), (0, "http://m|1.0")]


def test_a_reference_in_an_answer_is_indexed_where_the_item_is_marked() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject"
    answer = [{"valueReference": {"reference": "Patient/1"}}, {"valueString": "x"}]
    marked = {"extension": [{"url": url, "valueBoolean": True}], "answer": answer}
    assert rows("QuestionnaireResponse", "item-subject", {"item": [marked, {"answer": answer}]}) == [
        (number_of["Patient"], "1")
    ]


def test_contained_resources_leave_no_rows() -> None:
    inner = {"resourceType": "Patient", "id": "p", "identifier": [{"value": "1"}], "active": True}
    assert index_rows("Observation", {"contained": [inner]}) == no_rows()


STRINGS: list[tuple[str, dict[str, Any], list[tuple[str, str]]]] = [
    ("family", {"name": [{"family": "Lefèvre"}]}, [("lefevre", "Lefèvre")]),
    ("given", {"name": [{"given": ["Zoé", None, "Ann"]}]}, [("zoe", "Zoé"), ("ann", "Ann")]),
    (
        "name",
        {"name": [{"text": "Dr Z", "family": "B", "given": ["A"], "prefix": ["Dr"], "suffix": ["Jr."]}]},
        [("dr z", "Dr Z"), ("b", "B"), ("a", "A"), ("dr", "Dr"), ("jr", "Jr.")],
    ),
    (
        "address",
        {
            "address": [
                {
                    "line": ["12, rue de l'Œuvre"],
                    "city": "Saint-Étienne",
                    "postalCode": "42000",
                    "country": "FR",
                    "use": "home",
                }
            ]
        },
        [
            ("12 rue de loeuvre", "12, rue de l'Œuvre"),
            ("saint etienne", "Saint-Étienne"),
            ("42000", "42000"),
            ("fr", "FR"),
        ],
    ),
]


@pytest.mark.parametrize(("code", "resource", "expected"), STRINGS)
def test_strings(code: str, resource: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert rows("Patient", code, resource) == expected


def test_an_extension_is_indexed_by_its_value() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName"
    resource = {"extension": [{"url": "http://other", "valueString": "no"}, {"url": url, "valueString": "Roux"}]}
    assert rows("Patient", "mothersMaidenName", resource) == [("roux", "Roux")]


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


DATES: list[tuple[str, str, dict[str, Any], list[tuple[datetime, datetime]]]] = [
    ("Patient", "birthdate", {"birthDate": "1980"}, [(at(1980, 1, 1), at(1981, 1, 1))]),
    ("Observation", "date", {"effectiveDateTime": "2018-05"}, [(at(2018, 5, 1), at(2018, 6, 1))]),
    (
        "Observation",
        "date",
        {"effectiveInstant": "2018-05-03T10:00:00+02:00"},
        [(at(2018, 5, 3, 8), at(2018, 5, 3, 8, 0, 0, 1))],
    ),
    ("Encounter", "date", {"period": {"start": "2018-05-03"}}, [(at(2018, 5, 3), LATEST)]),
    ("Encounter", "date", {"period": {"end": "2018-05-03"}}, [(EARLIEST, at(2018, 5, 4))]),
    ("Encounter", "date", {"period": {"start": "2018", "end": "2019"}}, [(at(2018, 1, 1), at(2020, 1, 1))]),
    ("Encounter", "date", {"period": {"extension": [{"url": "http://x", "valueCode": "unknown"}]}}, []),
    (
        "Observation",
        "date",
        {
            "effectiveTiming": {
                "event": ["2018-05-03", "2018-05-01"],
                "repeat": {"boundsPeriod": {"start": "2018-05-02"}},
            }
        },
        [(at(2018, 5, 1), LATEST)],
    ),
    ("Observation", "date", {"effectiveTiming": {"repeat": {"frequency": 1}}}, []),
]


@pytest.mark.parametrize(("resource_type", "code", "resource", "expected"), DATES)
def test_dates(
    resource_type: str, code: str, resource: dict[str, Any], expected: list[tuple[datetime, datetime]]
) -> None:
    assert rows(resource_type, code, resource) == expected


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(Unprocessable):
        index_rows("Patient", {"birthDate": "2018-02-30"})


def test_the_rows_keep_the_order_of_the_resource() -> None:
    resource = {"identifier": [{"value": str(number)} for number in range(50)]}
    assert [code for _, code in rows("Patient", "identifier", resource)] == [str(number) for number in range(50)]


def test_each_end_of_a_range_is_converted_by_its_own_unit() -> None:
    def bounds(low: dict[str, Any], high: dict[str, Any]) -> tuple[Any, ...]:
        value = {"useContext": [{"code": {"code": "x"}, "valueRange": {"low": low, "high": high}}]}
        ((*_, written_low, written_high, canonical_low, canonical_high),) = rows("ValueSet", "context-quantity", value)
        return (written_low, written_high), (canonical_low, canonical_high)

    gram = {"value": 1, "system": UCUM, "code": "g"}
    assert bounds(gram, {"value": 3000, "system": UCUM, "code": "mg"}) == ((1, 3000), (1, 3))
    assert bounds({"value": 1, "system": UCUM, "code": "kg"}, {**gram, "value": 2000}) == ((1, 2000), (1000, 2000))
    assert bounds({}, gram) == ((NOT_AFTER, 1), (NOT_AFTER, 1))
