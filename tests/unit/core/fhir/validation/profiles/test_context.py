"""Extensions stand where their definitions allow it: element, extension, fhirpath, conditions of the context."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.definitions.build_extensions import rendered
from ecluse.core.fhir.validation.profiles.library import Library
from ecluse.core.fhir.validation.profiles.profiles import Profiles
from ecluse.core.fhir.validation.profiles.validate import profile_issues
from tests.cost import calls
from tests.fetched import CACHE
from tests.official import official_files
from tests.unit.core.fhir.validation.profiles.given import BASE, shelf

URL = "http://hospital.example/fhir/StructureDefinition/ward"
WARD = [{"url": URL, "valueString": "3"}]
MOTHER = BASE + "patient-mothersMaidenName"
BIRTH_TIME = BASE + "patient-birthTime"


def ward(*contexts: tuple[str, str], invariants: tuple[str, ...] = ()) -> dict[str, Any]:
    """An extension that may stand in these contexts."""
    return {
        "resourceType": "StructureDefinition",
        "url": URL,
        "type": "Extension",
        "baseDefinition": BASE + "Extension",
        "context": [{"type": kind, "expression": expression} for kind, expression in contexts],
        **({"contextInvariant": list(invariants)} if invariants else {}),
        "differential": {"element": [{"id": "Extension", "path": "Extension"}]},
    }


def places(resource: dict[str, Any], *definitions: dict[str, Any]) -> list[str]:
    """Where extensions stand that may not."""
    return [issue.expression for issue in shelf(*definitions).errors(json.decode(json.encode(resource)))]


def of_r4(resource: dict[str, Any]) -> list[Issue]:
    """What R4's own definitions say, without any package."""
    return profile_issues(Profiles(Library({})), json.decode(json.encode(resource)))


PATIENT = {
    "resourceType": "Patient",
    "extension": WARD,
    "name": [{"family": "A", "_family": {"extension": WARD}}],
    "_birthDate": {"extension": WARD},
    "_gender": {"extension": WARD},
    "contact": [{"extension": WARD, "name": {"extension": WARD}}],
    "multipleBirthInteger": 2,
    "_multipleBirthInteger": {"extension": WARD},
}
EVERYWHERE = {
    "Patient.extension[0]",
    "Patient.name[0].family.extension[0]",
    "Patient.birthDate.extension[0]",
    "Patient.gender.extension[0]",
    "Patient.contact[0].extension[0]",
    "Patient.contact[0].name.extension[0]",
    "Patient.multipleBirth.extension[0]",
}


@pytest.mark.parametrize(
    ("context", "allowed"),
    [
        (("element", "Element"), EVERYWHERE),
        (("element", "Patient"), {"Patient.extension[0]"}),
        (("element", "DomainResource"), {"Patient.extension[0]"}),
        (("element", "Resource"), {"Patient.extension[0]"}),
        (("element", "BackboneElement"), {"Patient.contact[0].extension[0]"}),
        (("element", "Patient.contact"), {"Patient.contact[0].extension[0]"}),
        (("element", "HumanName"), {"Patient.contact[0].name.extension[0]"}),
        (("element", "HumanName.family"), {"Patient.name[0].family.extension[0]"}),
        (("element", "Patient.name.family"), {"Patient.name[0].family.extension[0]"}),
        (("element", "string"), {"Patient.name[0].family.extension[0]", "Patient.gender.extension[0]"}),
        (("element", "code"), {"Patient.gender.extension[0]"}),
        (("element", "Patient.multipleBirth[x]"), {"Patient.multipleBirth.extension[0]"}),
        (("element", "Patient.multipleBirthInteger"), {"Patient.multipleBirth.extension[0]"}),
        (("element", BASE + "Patient"), {"Patient.extension[0]"}),
        (("element", BASE + "Patient#Patient.contact.name"), {"Patient.contact[0].name.extension[0]"}),
        (("element", "Observation"), set()),
        (("extension", "http://other.example"), set()),
        (
            ("fhirpath", "Patient.contact.name | Patient.birthDate"),
            {"Patient.contact[0].name.extension[0]", "Patient.birthDate.extension[0]"},
        ),
        (("fhirpath", "Patient.where(active)"), set()),
    ],
)
def test_an_extension_is_refused_where_its_context_does_not_allow_it(
    context: tuple[str, str], allowed: set[str]
) -> None:
    assert set(places(PATIENT, ward(context))) == EVERYWHERE - allowed


def test_an_expression_is_evaluated_once_however_many_extensions_stand_in_a_resource() -> None:
    definition = ward(("fhirpath", "descendants().where($this is HumanName)"))
    tested = shelf(definition)

    def cost(number: int) -> int:
        resource = json.decode(json.encode({"resourceType": "Patient", "name": [{"extension": WARD}] * number}))
        assert tested.errors(resource) == []
        return calls(tested.errors, resource)

    assert cost(400) < 6 * cost(100)


def test_one_context_of_several_is_enough() -> None:
    assert set(places(PATIENT, ward(("element", "Patient"), ("element", "HumanName")))) == EVERYWHERE - {
        "Patient.extension[0]",
        "Patient.contact[0].name.extension[0]",
    }


def test_an_extension_inside_another_one() -> None:
    definition = ward(("extension", "http://outer.example"))
    outer = [{"url": "http://outer.example", "extension": WARD}, {"url": "http://else.example", "extension": WARD}]
    resource = {"resourceType": "Patient", "extension": outer}
    assert places(resource, definition) == ["Patient.extension[1].extension[0]"]


def test_a_contained_resource_and_one_in_a_bundle_are_resources_of_their_own() -> None:
    organization = {"resourceType": "Organization", "id": "a", "name": "x", "extension": WARD}
    patient = {"resourceType": "Patient", "contained": [organization], "managingOrganization": {"reference": "#a"}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient}]}
    assert places(bundle, ward(("element", "Organization"))) == []
    assert places(bundle, ward(("element", "Patient"))) == ["Bundle.entry[0].resource.contained[0].extension[0]"]
    found = ward(("fhirpath", "Organization.where(name = 'x')"))
    assert places(bundle, found) == []


def test_the_issue_names_the_places_allowed_and_the_fix() -> None:
    definition = ward(
        ("element", "Encounter"), ("extension", "http://outer.example"), ("fhirpath", "Encounter.location")
    )
    [issue] = shelf(definition).errors({"resourceType": "Patient", "extension": WARD})
    assert issue.text == (
        "Move this extension to Encounter, the extension http://outer.example or what Encounter.location finds, or "
        "leave it out: it is not made for Patient."
    )
    assert (issue.code, issue.diagnostics) == ("structure", f"found {URL}")


def test_all_conditions_of_a_context_have_to_be_true() -> None:
    definition = ward(("element", "Patient"), invariants=("active = true", "%extension.value = '3'"))
    patient = {"resourceType": "Patient", "extension": WARD}
    assert places(patient | {"active": True}, definition) == []
    [issue] = shelf(definition).errors(patient)
    assert (issue.expression, issue.code) == ("Patient.extension[0]", "invariant")
    assert issue.text == ("Leave this extension out, or mend Patient around it: it is only for where active = true.")
    assert places(patient | {"active": True, "extension": [WARD[0] | {"valueString": "4"}]}, definition) != []


def test_what_cannot_be_told_is_told_so() -> None:
    for context in (("fhirpath", "Patient.("), ("element", "http://nobody.example/profile")):
        [issue] = shelf(ward(context)).issues({"resourceType": "Patient", "extension": WARD})
        assert (issue.severity, issue.code) == ("information", "not-supported")
        assert f"where the extension {URL} may stand" in issue.diagnostics


def test_the_extensions_of_r4_need_no_package() -> None:
    patient = {
        "resourceType": "Patient",
        "extension": [
            {"url": MOTHER, "valueString": "B"},
            {"url": BIRTH_TIME, "valueDateTime": "2020-01-01T10:00:00Z"},
        ],
        "_birthDate": {"extension": [{"url": BIRTH_TIME, "valueDateTime": "2020-01-01T10:00:00Z"}]},
    }
    [issue] = of_r4(patient)
    assert (issue.expression, issue.severity) == ("Patient.extension[1]", "error")
    assert issue.text == ("Move this extension to Patient.birthDate, or leave it out: it is not made for Patient.")


def test_the_conditions_of_r4_are_checked_too() -> None:
    item = {"linkId": "a", "text": "x", "extension": [{"url": BASE + "questionnaire-maxOccurs", "valueInteger": 1}]}
    form = {"resourceType": "Questionnaire", "status": "draft"}
    assert of_r4(form | {"item": [item | {"type": "string"}]}) == []
    assert [issue.code for issue in of_r4(form | {"item": [item | {"type": "display"}]})] == ["invariant"]


def test_an_extension_has_a_whole_address_unless_it_is_part_of_another_one() -> None:
    part = {"url": "ward", "valueString": "3"}
    inside = {"url": "http://outer.example", "extension": [part]}
    [issue] = of_r4({"resourceType": "Patient", "extension": [part, inside]})
    assert (issue.expression, issue.code) == ("Patient.extension[0].url", "value")


def test_an_extension_that_changes_a_meaning_stands_as_such() -> None:
    modifying = ward(("element", "Patient"))
    modifying["differential"]["element"][0]["isModifier"] = True
    as_usual = {"resourceType": "Patient", "extension": WARD}
    as_modifier = {"resourceType": "Patient", "modifierExtension": WARD}
    assert places(as_modifier, modifying) == places(as_usual, ward(("element", "Patient"))) == []
    assert places(as_usual, modifying) == ["Patient.extension[0]"]
    assert places(as_modifier, ward(("element", "Patient"))) == ["Patient.modifierExtension[0]"]


def test_what_later_editions_call_a_canonical_resource() -> None:
    for kind in ("CanonicalResource", "MetadataResource"):
        form = {"resourceType": "Questionnaire", "status": "draft", "extension": WARD}
        assert places(form, ward(("element", kind))) == []
        assert places({"resourceType": "Patient", "extension": WARD}, ward(("element", kind))) == [
            "Patient.extension[0]"
        ]


def test_the_value_of_an_extension_is_inside_it_too() -> None:
    value = {"url": "http://outer.example", "valueString": "x", "_valueString": {"extension": WARD}}
    assert places({"resourceType": "Patient", "extension": [value]}, ward(("extension", "http://outer.example"))) == []


def test_official_files_put_extensions_where_they_may_stand() -> None:
    files = [path for path in official_files() if path.stat().st_size < 30_000 and b'"extension"' in path.read_bytes()]
    wrong = {path.name: told for path in files if (told := of_r4_alone(path))}
    assert wrong == {}
    assert len(files) > 500


def of_r4_alone(path: Path) -> list[str]:
    """What is wrong with the extensions of an official file."""
    return [issue.text for issue in of_r4(json.decode(path.read_bytes())) if issue.code in ("structure", "invariant")]


def test_contexts_are_what_the_package_gives() -> None:
    official_files()
    committed = Path(__file__).parents[6] / "ecluse" / "core" / "fhir" / "definitions" / "extensions.json"
    assert rendered(CACHE / "package") == committed.read_text(encoding="utf-8")
