"""HL7's own FHIRPath cases for R4: the Maven artifact org.hl7.fhir.testcases:fhir-test-cases (Apache-2.0).

Enters: nothing. Leaves: the cases, each with its resource, fetched with Maven into `.cache/fhir` when they are missing.
"""

from __future__ import annotations

import zipfile
from functools import cache
from typing import NamedTuple

from lxml import etree

from tests.fetched import CACHE, maven_jar, once
from tests.official import official

ARTIFACT = "org.hl7.fhir.testcases:fhir-test-cases:1.5.0"
COUNT = 880
FILE = "org/hl7/fhir/testcases/r4/fhirpath/tests-fhir-r4.xml"
RESOURCES = {
    "patient-example.xml": "Patient-example",
    "observation-example.xml": "Observation-example",
    "questionnaire-example.xml": "Questionnaire-3141",
    "valueset-example-expansion.xml": "ValueSet-example-expansion",
    "explanationofbenefit-example.json": "ExplanationOfBenefit-EB3500",
    "appointment-examplereq.json": "Appointment-examplereq",
    "codesystem-example.xml": "CodeSystem-example",
    "patient-container-example.json": "Patient-container",
    "parameters-example-types.xml": "Parameters-example",
    "patient-example-period.xml": "Patient-period",
    "": "Patient-example",
}


class Case(NamedTuple):
    """One case. invalid: "", or the reason why the expression must fail; outputs: (type, text) of each result;
    predicate: the outcome is whether there is one."""

    group: str
    name: str
    file: str
    expression: str
    invalid: str
    predicate: bool
    outputs: tuple[tuple[str, str], ...]

    @property
    def resource(self) -> bytes:
        """The resource that the expression is evaluated on."""
        return official(RESOURCES[self.file])


@cache
def cases() -> tuple[Case, ...]:
    """All cases, in their order.

    Raises: RuntimeError, with what to do, when they are neither there nor can be fetched"""
    path = once(CACHE / "tests-fhir-r4.xml", _fetch)
    tree = etree.parse(str(path))
    found = tuple(_case(element) for element in tree.iter("test"))
    if len(found) != COUNT:
        raise RuntimeError(f"{path} holds {len(found)} cases instead of {COUNT}: remove it and try again")
    return found


def _case(element: etree._Element) -> Case:
    expression = element.find("expression")
    outputs = tuple((output.get("type", ""), output.text or "") for output in element.findall("output"))
    return Case(
        group=element.getparent().get("name"),
        name=element.get("name"),
        file=element.get("inputfile") or "",
        expression=expression.text or "",
        invalid=expression.get("invalid") or "",
        predicate=element.get("predicate") == "true",
        outputs=outputs,
    )


def _fetch() -> None:
    jar = maven_jar(ARTIFACT, "HL7's FHIRPath cases")
    with zipfile.ZipFile(jar) as archive:
        (CACHE / "tests-fhir-r4.xml").write_bytes(archive.read(FILE))
    jar.unlink()
