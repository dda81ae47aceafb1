"""What of an OperationOutcome may be kept: rules and places, no content."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir.acceptance import accept
from fhir_server.intake.issues import _names, kept

SECRET = "Dupont-1956"


def _refused(body: dict[str, object]) -> BadRequest:
    with pytest.raises(BadRequest) as refusal:
        accept("Patient", json.dumps(body).encode())
    return refusal.value


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Patient", "name": SECRET},
        {"resourceType": "Patient", SECRET: 1},
        {"resourceType": "Patient", "name": [{"Dupont": 1}]},
        {"resourceType": "Patient", "name": [{f"{SECRET} le malade": {"x": [SECRET]}}]},
        {"resourceType": "Patient", "birthDate": SECRET, "gender": SECRET},
        {"resourceType": "Patient", "contact": [{SECRET: SECRET}]},
        {"resourceType": SECRET},
        {"resourceType": "Patient", "contained": [{"resourceType": SECRET}]},
    ],
)
def test_no_value_and_no_name_of_the_senders_is_kept(body: dict[str, object]) -> None:
    error = _refused(body)
    told = json.dumps(kept(error.issues, error.code), ensure_ascii=False)
    assert "Dupont" not in told
    assert "malade" not in told
    assert '"text": "' in told


def test_the_place_is_kept_as_far_as_fhir_knows_it() -> None:
    error = _refused({"resourceType": "Patient", "name": [{}, {"familiy": "x"}], "active": "yes"})
    assert [issue["expression"] for issue in kept(error.issues, error.code)] == [
        "Patient.name[0]",
        "Patient.name[1].…",
        "Patient.active",
    ]


def test_ids_and_texts_in_quotes_are_struck_out_and_the_fix_stays() -> None:
    issue = Issue("There is no Patient/1560375123456 here, nor 'Jean'; send Zoe-1 first.", "Patient.id", "found Jean")
    (told,) = kept([issue], "not-found", ["Zoe-1"])
    assert told["text"] == "There is no Patient/… here, nor …; send … first."
    assert told["code"] == "not-found"
    assert "diagnostics" not in told


@given(st.text(min_size=4, max_size=30).filter(lambda name: name.strip() and name not in _names()))
def test_no_unknown_name_is_kept_whatever_it_is(name: str) -> None:
    try:
        accept("Patient", json.dumps({"resourceType": "Patient", "name": [{name: "x"}]}).encode())
    except BadRequest as error:
        for issue in kept(error.issues, error.code):
            assert name not in issue["expression"] or issue["expression"] in ("Patient.name[0]", "Patient.name")
