"""HL7's cases for validators: an error is found where HL7's own validator finds one, and nowhere else, but as named."""

from __future__ import annotations

import pytest

from tests.validator_cases import NO_RULES, NOT_COMPARED, Run, errors, runs

ELSEWHERE = "the target is a resource elsewhere, of which only the type is looked at"
UNASKED = "HL7's validator applies the profiles of vital signs unasked, by the LOINC code"
LATER = "an extension of ElementDefinition that R4 does not have"
BEHAVIOUR = "que-12 is a warning, since HL7's own files break it"
FAR = "the form of addresses of other servers is not judged"
SECTIONS = "a profile for a part of another profile, by an extension of ElementDefinition that is not read"

MISSED = {
    "additional-bindings-observation-2 by profile": LATER,
    "bundle-bad-by-param": "the profile is a parameter of HL7's program",
    "document-bad-bad-sections by profile": SECTIONS,
    "document-bad-no-sections by profile": SECTIONS,
    "encounter-period": "a day and a moment of that day cannot be ordered, so per-1 is not broken",
    "ext-derived-circle": "filters of value sets are not checked",
    "list-xhtml-empty": "txt-2 is a warning, since HL7's own files break it",
    "obs-temp-bad": UNASKED,
    "patient-circle1-bad-linked1 by profile": ELSEWHERE,
    "patient-circle1-bad-source1 by profile": ELSEWHERE,
    "patient-circle2-bad-linked by profile": ELSEWHERE,
    "patient-circle2-bad-source1 by profile": ELSEWHERE,
    "patient-extension-complex-bad2": "an extension whose package is not here",
    "patient-ig-bad": "ImplementationGuide.global applies no profiles",
    "patient-min-length by profile": LATER,
    "patient-value-alternative-bad by profile": LATER,
    "patient-value-present-bad by profile": LATER,
    "patient-xver": "extensions for elements of other versions of FHIR are not known",
    "patient-xver-bad": "extensions for elements of other versions of FHIR are not known",
    "PulseOxBundle_25Oct2022": UNASKED,
    "q-enablewhen-me-wrong": BEHAVIOUR,
    "qr-bad-ref2": "the address of a value set of R4's examples, which is not here",
    "quantity-qr": "quantities in the same unit are compared, also when it has no code",
    "questionnaire-enableWhen-dw": BEHAVIOUR,
    "reference-invalid-resource-type-qr": FAR,
    "reference-invalid-url-qr": FAR,
    "string-with-coding-async-qr": "the codes of countries are of ISO, and not here",
    "StructureDefinition-Slice23": "snapshots are not generated anew to compare them",
    "url-value-qr": FAR,
}
"""Runs in which HL7's validator finds an error and we do not, with the reason."""

STRICTER = {
    "contained-resource-bad-id-ignore": "HL7's program is told to let this id pass",
    "parameters-profiled-resource-multiple by profile": "one of two profiles requires an element that R4 does not have",
    "patient_as_operator_issue-r4": "`as String` is System.String, which a string of FHIR is not",
    "type-ref-unchecked by profile": "the address says that the target is a Group, which the profile does not allow",
}
"""Runs in which we find an error and HL7's validator does not, with the reason."""


def differing(*, wrong: bool) -> set[str]:
    """The runs that are wrong, or right, by HL7's validator, and not by ours."""
    return {run.name for run in runs() if bool(run.wrong) is wrong and bool(errors(run)) is not wrong}


def test_what_hl7_finds_wrong_is_wrong_but_for_the_named() -> None:
    assert differing(wrong=True) == set(MISSED)


def test_what_hl7_finds_right_is_right_but_for_the_named() -> None:
    assert differing(wrong=False) == set(STRICTER)


def test_there_are_enough_runs() -> None:
    assert len(runs()) > 440
    assert sum(bool(run.wrong) for run in runs()) > 170
    assert all((*NOT_COMPARED.values(), *(reason for _, reason in NO_RULES), *MISSED.values(), *STRICTER.values()))


def one(name: str) -> Run:
    [found] = [run for run in runs() if run.name == name]
    return found


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("patient-extension-bad", "Patient.extension[0].url"),
        ("ext-ctxt-bad-active", "Patient.active.extension[0]"),
        ("obs-value-min-g by profile", "Observation.value"),
        ("parameters-profiled-resource-invalid by profile", "Parameters.parameter[0].resource.name"),
        ("bundle-ihe-bad by profile", "Bundle.entry[0].resource"),
        ("choice-answer-option-qr", "QuestionnaireResponse.item[0].answer[3].value"),
        ("group-with-string-qr", "QuestionnaireResponse.item[0]"),
        ("questionnaireResponse-enableWhen-test-nested", "QuestionnaireResponse.item[2].item[1]"),
        ("questionnaireResponse-enableWhenEx-test-fail", "QuestionnaireResponse.item[1]"),
        ("type-subtype-slicing2 by profile", "Observation.referenceRange"),
    ],
)
def test_the_error_is_told_at_its_place(name: str, place: str) -> None:
    assert place in {issue.expression for issue in errors(one(name))}


def test_a_run_that_comes_out_otherwise_would_be_seen() -> None:
    assert errors(one("ext-ctxt-bad-active")) and not errors(one("ext-ctxt-good-name"))
