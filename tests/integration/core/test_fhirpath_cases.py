"""HL7's own FHIRPath cases for R4, all of them but those named here."""

from __future__ import annotations

import pytest

from ecluse.core.errors import EcluseError
from ecluse.core.fhir import json
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.functions.conversion import to_string
from ecluse.core.fhir.fhirpath.nodes import system
from tests.fhirpath_cases import Case, cases
from tests.official import official_files

DIFFERENT = {
    "testPrecedence3": "the grammar binds `is` closer than `>`",
    "testPrecedence4": "the grammar binds `is` closer than `|`",
    "testPlusDate19": "a tenth of a second is added, not dropped",
    "testFHIRPathAsFunction11": "a code is a string, as for `is`",
    "testFHIRPathAsFunction16": "a code is a string, as for `is`",
    "testFHIRPathAsFunction21": "R4's invariants and search parameters use `as` on several items",
    "testCombine1": "another CodeSystem in the package",
    "testFHIRPathAsFunction14": "another ValueSet in the package",
    "testFHIRPathAsFunction19": "another ValueSet in the package",
    "testFHIRPathIsFunction8": "another Observation in the package",
    "testFHIRPathIsFunction9": "another Observation in the package",
    "testFHIRPathIsFunction10": "another Observation in the package",
    "HighBoundaryDateTimeMillisecond1": "an hour ends after its last minute, not its first",
    "HighBoundaryDateTimeMillisecond3": "an hour ends after its last minute, not its first",
    "testConformsTo1": "no profiles at hand",
    "testConformsTo2": "no profiles at hand",
}
NOT_IN_THE_PACKAGE = {"parameters-example-types.xml", "patient-example-period.xml", "patient-container-example.json"}


def chosen() -> list[Case]:
    """The cases of N1; those of a stricter mode, which refuses paths that lead nowhere, are optional there."""
    return [case for case in cases() if case.invalid != "semantic" and case.file not in NOT_IN_THE_PACKAGE]


def outcome(case: Case) -> list[str | None] | None:
    """The results as text, None when the expression was refused."""
    try:
        items = compile(case.expression)(json.decode(case.resource))
    except EcluseError:
        return None
    if case.predicate:
        return [str(bool(items) and items != [False]).lower()]
    return [to_string(system(item)) for item in items]


def expected(case: Case) -> list[str] | None:
    if case.invalid:
        return None
    return [text[1:].removeprefix("T") if text.startswith("@") else text for _, text in case.outputs]


def test_all_cases_but_the_named_come_out_as_hl7_says() -> None:
    official_files()
    failed = {case.name for case in chosen() if outcome(case) != expected(case)}
    assert failed == set(DIFFERENT)


def test_there_are_enough_cases() -> None:
    assert len(chosen()) > 800


@pytest.mark.parametrize("name", ["testSimple", "testLiteralIntegerNegative1Invalid", "testComment1"])
def test_a_wrong_expectation_would_be_seen(name: str) -> None:
    [case] = [case for case in cases() if case.name == name]
    wrong = case._replace(outputs=(*case.outputs, ("string", "x")), invalid="" if case.invalid else "execution")
    assert outcome(wrong) == expected(case)
    assert outcome(wrong) != expected(wrong)
