"""Findings as an OperationOutcome."""

from __future__ import annotations

from ecluse.core.errors import BadRequest, Issue, NotFound
from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.json import encode
from ecluse.core.fhir.outcome import operation_outcome


def test_an_issue_is_told_whole() -> None:
    issue = Issue("Add code.", "Observation.code", "found null", "required", "warning")
    assert operation_outcome([issue]) == {
        "resourceType": "OperationOutcome",
        "issue": [
            {
                "severity": "warning",
                "code": "required",
                "details": {"text": "Add code."},
                "diagnostics": "found null",
                "expression": ["Observation.code"],
            }
        ],
    }


def test_what_an_issue_does_not_say_is_left_out() -> None:
    assert operation_outcome([Issue("No.")], "value")["issue"] == [
        {"severity": "error", "code": "value", "details": {"text": "No."}}
    ]


def test_the_outcome_of_an_error_is_a_resource_with_its_code() -> None:
    outcome = operation_outcome(NotFound("Nothing here.").issues, NotFound.code)
    assert outcome["issue"][0]["code"] == "not-found"
    accept("OperationOutcome", encode(outcome))


def test_the_outcome_of_a_refused_body_is_a_resource_even_when_the_body_has_control_characters() -> None:
    try:
        accept("Patient", b'{"resourceType":"Patient","na\\u0000me":1,"gender":"\\u0001","x y":2}')
    except BadRequest as error:
        accept("OperationOutcome", encode(operation_outcome(error.issues)))
