"""Paths made at run time: their rows, and the searches that a registry with them allows."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, Parameter
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from fhir_server.search.parse import parse
from fhir_server.search.query import Clause
from mappers.search.evaluated import visit_of
from mappers.search.index import index_rows, own_rows
from mappers.search.registry import BUILT_IN, Registry
from mappers.search.rows import no_rows
from mappers.search.token import system_key

STEPS = IndexedPath(20000, "token", "Patient.extension('urn:x').value.as(Coding)")
FIRST = IndexedPath(20001, "string", "Patient.name.where(use = 'official').first().family", evaluated="Patient")
THERE = IndexedPath(20002, "token", "Patient.name.exists()", evaluated="Patient")
DATED = IndexedPath(20003, "date", "Patient.extension.where(url = 'urn:y')", evaluated="Patient")
NEXT_YEAR = IndexedPath(20004, "date", "Patient.birthDate + 1 year", evaluated="Patient")
BROKEN = IndexedPath(20005, "string", "Patient.name.family + Patient.name.family", evaluated="Patient")
PATIENT = {
    "resourceType": "Patient",
    "name": [{"use": "old", "family": "Durand"}, {"use": "official", "family": "Lefèvre"}],
    "birthDate": "1950",
    "extension": [
        {"url": "urn:x", "valueCoding": {"system": "urn:s", "code": "a"}},
        {"url": "urn:y", "valueDate": "2020-05"},
    ],
}


def registry(*paths: IndexedPath) -> Registry:
    parameters = {"ward": Parameter("ward", "token", "urn:ward", paths=(20000,))}
    waiting = {"Patient": {"floor": "it is being built, 3 of 7 resources"}}
    return Registry(4, {"Patient": parameters}, waiting, {path.number: path for path in paths})


def test_steps_are_walked_and_other_fhirpath_is_evaluated() -> None:
    rows = own_rows("Patient", PATIENT, registry(STEPS, FIRST, THERE, DATED, NEXT_YEAR))
    assert rows.tokens == [(20000, 0, system_key("urn:s"), "a"), (20002, 0, 0, "true")]
    assert rows.strings == [(20001, "lefevre", "Lefèvre")]
    assert rows.dates == [
        (20003, 0, datetime(2020, 5, 1, tzinfo=UTC), datetime(2020, 6, 1, tzinfo=UTC)),
        (20004, 0, datetime(1951, 1, 1, tzinfo=UTC), datetime(1952, 1, 1, tzinfo=UTC)),
    ]


def test_they_come_beside_those_of_r4_and_only_for_their_type() -> None:
    own = own_rows("Patient", PATIENT, registry(STEPS))
    every = index_rows("Patient", PATIENT, registry(STEPS))
    plain = index_rows("Patient", PATIENT)
    assert every.tokens == plain.tokens + own.tokens
    assert every[1:] == plain[1:]
    assert own_rows("Practitioner", {"resourceType": "Practitioner"}, registry(STEPS)) == no_rows()
    assert own_rows("Patient", PATIENT, BUILT_IN) == no_rows()


def test_what_cannot_be_evaluated_leaves_no_row_unless_it_is_asked_for() -> None:
    assert own_rows("Patient", PATIENT, registry(BROKEN)) == no_rows()
    with pytest.raises(FhirPathError):
        visit_of("Patient", [BROKEN], strict=True)(PATIENT, no_rows())


def test_a_query_may_use_the_active_ones_of_its_type() -> None:
    query = parse("Patient", "ward=urn:s|a&family=x", registry=registry(STEPS))
    assert [one.paths for one in query.conditions if isinstance(one, Clause) and one.code == "ward"] == [(20000,)]
    for name in ("Practitioner", "Patient"):
        with pytest.raises(BadRequest, match="no search parameter ward"):
            parse(name, "ward=a", registry=registry(STEPS) if name == "Practitioner" else BUILT_IN)


def test_one_that_is_being_built_is_refused_with_how_far_it_is() -> None:
    with pytest.raises(BadRequest, match="floor is not served: it is being built, 3 of 7 resources"):
        parse("Patient", "floor=1", registry=registry(STEPS))
