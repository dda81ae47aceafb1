"""HL7's own cases of FHIRPath Patch, JSON Patch and XML Patch, all of them but those named here."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, NamedTuple

import pytest
from lxml import etree

from ecluse.core.errors import EcluseError
from ecluse.core.fhir import json
from ecluse.core.fhir.patch import json_patch, registry, xml_patch
from ecluse.core.fhir.xml.reading import to_json
from tests.hl7_cases import folder

FHIR = "http://hl7.org/fhir"
DIFFERENT = {
    "xml: Missing patch operation": "a patch without operations changes nothing, and is none that fails",
    "xml: A.3.  Adding a Prefixed Namespace Declaration": "FHIR's XML has no other namespaces",
    "xml: A.4.  Adding a Comment Node with the 'pos' Attribute": "a resource keeps no comments",
    "xml: A.9.  Replacing a Comment Node": "a resource keeps no comments",
    "xml: A.15.  Removing a Comment Node": "a resource keeps no comments",
}
"""Cases that come out otherwise, with the reason."""


class Case(NamedTuple):
    """One case. expected: None when the patch has to fail."""

    name: str
    given: Any
    patch: Any
    expected: Any


def fhirpath_cases() -> list[Case]:
    tree = etree.parse(folder() / "r4" / "patch" / "fhir-patch-tests.xml")
    return [
        Case(f"fhirpath: {one.get('name')}", *(_resource(one.find(part)) for part in ("input", "diff", "output")))
        for one in tree.iter("case")
    ]


def _resource(holder: Any) -> Any:
    """The resource inside an element, as JSON."""
    return None if holder is None else to_json(etree.tostring(holder[0], with_tail=False))


def fhirpath_outcome(case: Case) -> Any:
    return registry.read("application/fhir+json", case.patch)(json.decode_exactly(case.given))


def json_cases() -> list[Case]:
    rows = json.decode((folder() / "r4" / "patch" / "json-patch-tests.json").read_bytes())
    return [Case(f"json: {one['comment']}", one["doc"], one["patch"], one.get("expected")) for one in rows]


def json_outcome(case: Case) -> Any:
    return json_patch.read(json.encode(case.patch))(deepcopy(case.given))


def xml_cases() -> list[Case]:
    tree = etree.parse(folder() / "r4" / "patch" / "xml-patch-tests.xml")
    return [
        Case(f"xml: {one.get('name')}", *(one.find(f"{{*}}{part}") for part in ("target", "patch", "patched")))
        for one in tree.iter("case")
    ]


def xml_outcome(case: Case) -> Any:
    """The document after the operations; the prefix f, which HL7's runner knows, is declared."""
    inside = b"".join(etree.tostring(one) for one in case.patch)
    diff = b'<diff xmlns="http://hl7.org/fhir" xmlns:f="http://hl7.org/fhir">' + inside + b"</diff>"
    root = etree.fromstring(etree.tostring(next(one for one in case.given if isinstance(one.tag, str))))
    xml_patch.change(xml_patch.operations_of(diff), root)
    return _canonical(root)


def _canonical(root: Any) -> str:
    """A document without the spaces between elements."""
    text = etree.tostring(root, encoding="unicode", with_tail=False)
    return etree.canonicalize(text, strip_text=True, with_comments=True)


def is_as_expected(case: Case) -> bool:
    """Whether a case comes out as HL7 says."""
    kind = case.name.partition(":")[0]
    try:
        found = {"fhirpath": fhirpath_outcome, "json": json_outcome, "xml": xml_outcome}[kind](case)
    except (EcluseError, StopIteration):
        return case.expected is None
    if case.expected is None:
        return False
    if kind == "fhirpath":
        return bool(found == json.decode_exactly(case.expected))
    return bool(found == (case.expected if kind == "json" else _canonical(case.expected[0])))


def all_cases() -> list[Case]:
    return [*fhirpath_cases(), *json_cases(), *xml_cases()]


def test_all_cases_but_the_named_come_out_as_hl7_says() -> None:
    assert {case.name for case in all_cases() if not is_as_expected(case)} == set(DIFFERENT)


def test_there_are_enough_cases() -> None:
    assert (len(fhirpath_cases()), len(json_cases()), len(xml_cases())) == (33, 16, 29)


@pytest.mark.parametrize("name", ["fhirpath: Add Complex", "json: A.6.  Moving a Value", "xml: Add text"])
def test_a_wrong_expectation_would_be_seen(name: str) -> None:
    [case] = [case for case in all_cases() if case.name == name]
    alike = [one for one in all_cases() if one.name[:5] == name[:5] and one.name != name]
    other = next(one for one in alike if one.expected is not None)
    assert is_as_expected(case)
    assert not is_as_expected(case._replace(expected=other.expected))
    assert not is_as_expected(case._replace(expected=None))
