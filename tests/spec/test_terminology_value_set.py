"""http://hl7.org/fhir/R4/valueset-operation-validate-code.html, over HTTP."""

from __future__ import annotations

import httpx
import pytest

from tests.spec.terminology import ANIMALS, Json, animals, asked, called, outcome, stored, value_set, values

VALIDATE = "/ValueSet/$validate-code"
PETS = "http://example.org/ValueSet/validated-pets"
GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"


@pytest.fixture(scope="module")
def pets(fhir: httpx.Client) -> str:
    """The id of a value set of two animals and all below a third."""
    stored(fhir, animals())
    below = {"system": ANIMALS, "filter": [{"property": "concept", "op": "is-a", "value": "swimmer"}]}
    listed = {"system": ANIMALS, "concept": [{"code": "dog", "display": "Good dog"}]}
    return stored(fhir, value_set(listed, below, url=PETS))


def test_a_member_is_told_with_its_display(fhir: httpx.Client, pets: str) -> None:
    right = {"result": True, "display": "Blue whale"}
    assert values(asked(fhir, VALIDATE, url=PETS, system=ANIMALS, code="whale")) == right
    assert values(asked(fhir, f"/ValueSet/{pets}/$validate-code", system=ANIMALS, code="whale")) == right
    coding = {"name": "coding", "valueCoding": {"system": ANIMALS, "code": "whale", "display": "blue WHALE"}}
    assert values(called(fhir, VALIDATE, {"name": "url", "valueUri": PETS}, coding)) == right
    given = {"name": "valueSet", "resource": value_set({"valueSet": [PETS]})}
    assert values(called(fhir, VALIDATE, given, coding)) == right


def test_a_code_without_a_system_is_looked_for_in_all_of_the_value_set(fhir: httpx.Client, pets: str) -> None:
    assert values(asked(fhir, VALIDATE, url=GENDER, code="male")) == {"result": True, "display": "Male"}
    assert values(asked(fhir, VALIDATE, url=GENDER, code="homme"))["result"] is False


def test_who_is_no_member_is_told_why(fhir: httpx.Client, pets: str) -> None:
    wrong = values(asked(fhir, VALIDATE, url=PETS, system=ANIMALS, code="mammal"))
    assert wrong == {"result": False, "message": f"Code 'mammal' of {ANIMALS} is not in value set {PETS}."}
    wrong = values(asked(fhir, VALIDATE, url=PETS, system=ANIMALS, code="Dog"))
    assert (wrong["result"], "did you mean dog?" in wrong["message"]) == (False, True)
    wrong = values(asked(fhir, VALIDATE, url=PETS, system="http://loinc.org", code="dog"))
    assert wrong["result"] is False


def test_a_wrong_display_is_told_with_the_right_ones(fhir: httpx.Client, pets: str) -> None:
    wrong = values(asked(fhir, VALIDATE, url=PETS, system=ANIMALS, code="dog", display="Cat"))
    assert (wrong["result"], "'Good dog'" in wrong["message"]) == (False, True)
    for display in ("good dog", "Dog", "chien"):
        told = values(asked(fhir, VALIDATE, url=PETS, system=ANIMALS, code="dog", display=display))
        assert (told["result"], told["display"]) == (True, "Good dog")


def test_one_member_makes_a_codeable_concept_right(fhir: httpx.Client, pets: str) -> None:
    def concept(*codes: str) -> Json:
        codings = [{"system": ANIMALS, "code": code} for code in codes]
        return {"name": "codeableConcept", "valueCodeableConcept": {"coding": codings}}

    url = {"name": "url", "valueUri": PETS}
    assert values(called(fhir, VALIDATE, url, concept("mammal", "dog")))["result"] is True
    assert values(called(fhir, VALIDATE, url, concept("mammal", "animal")))["result"] is False


def test_a_code_of_a_system_that_is_not_here_cannot_be_told(fhir: httpx.Client) -> None:
    url = "http://hl7.org/fhir/ValueSet/condition-code"
    told = values(asked(fhir, VALIDATE, url=url, system="http://snomed.info/sct", code="22298006"))
    assert told["result"] is False
    assert "The concepts of http://snomed.info/sct are not here" in told["message"]


def test_a_listed_code_of_a_system_that_is_not_here_is_a_member(fhir: httpx.Client) -> None:
    listed = {"system": "http://snomed.info/sct", "concept": [{"code": "22298006", "display": "Heart attack"}]}
    given = {"name": "valueSet", "resource": value_set(listed)}
    coding = {"name": "coding", "valueCoding": {"system": "http://snomed.info/sct", "code": "22298006"}}
    assert values(called(fhir, VALIDATE, given, coding)) == {"result": True, "display": "Heart attack"}


def test_an_unknown_value_set_answers_404_with_the_fix(fhir: httpx.Client) -> None:
    code, text = outcome(asked(fhir, VALIDATE, status=404, url="http://example.org/none", code="x"))
    assert (code, "POST it as a ValueSet" in text) == ("not-found", True)


@pytest.mark.parametrize("query", [{"url": PETS}, {"code": "dog"}, {"url": PETS, "valueSetVersion": "1"}])
def test_a_request_needs_a_value_set_and_a_code(fhir: httpx.Client, query: dict[str, str]) -> None:
    assert outcome(asked(fhir, VALIDATE, status=400, **query))[0] == "required"


def test_the_operations_are_declared_where_they_stand(fhir: httpx.Client) -> None:
    resources = {one["type"]: one for one in fhir.get("/metadata").json()["rest"][0]["resource"]}
    named = {kind: [one["name"] for one in resources[kind]["operation"]] for kind in ("CodeSystem", "ValueSet")}
    assert {"lookup", "subsumes", "validate-code"} <= set(named["CodeSystem"])
    assert {"expand", "validate-code"} <= set(named["ValueSet"])
