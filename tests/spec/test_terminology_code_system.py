"""http://hl7.org/fhir/R4/codesystem-operations.html: $lookup, $validate-code and $subsumes, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.spec.terminology import ANIMALS, Json, animals, asked, called, outcome, stored, values

LOOKUP, VALIDATE, SUBSUMES = "/CodeSystem/$lookup", "/CodeSystem/$validate-code", "/CodeSystem/$subsumes"
GENDER = "http://hl7.org/fhir/administrative-gender"


@pytest.fixture(scope="module")
def fauna(fhir: httpx.Client) -> str:
    """The id of the stored code system."""
    return stored(fhir, animals())


def _properties(found: Json) -> dict[str, list[object]]:
    """Code → values of the properties."""
    told: dict[str, list[object]] = {}
    for one in found["parameter"]:
        if one["name"] == "property":
            parts = {part["name"]: next(v for k, v in part.items() if k.startswith("value")) for part in one["part"]}
            told.setdefault(str(parts["code"]), []).append(parts["value"])
    return told


def test_lookup_tells_what_the_code_system_says(fhir: httpx.Client, fauna: str) -> None:
    found = asked(fhir, LOOKUP, system=ANIMALS, code="whale")
    assert values(found) == {"name": "Animals of the tests", "version": "1", "display": "Blue whale"}
    assert _properties(found) == {"parent": ["mammal", "swimmer"], "legs": [0]}
    dog = asked(fhir, LOOKUP, system=ANIMALS, code="dog")
    assert _properties(dog) == {"definition": ["It barks."], "parent": ["mammal"], "legs": [4], "sound": ["woof"]}
    designation = next(one for one in dog["parameter"] if one["name"] == "designation")
    assert designation["part"] == [
        {"name": "language", "valueCode": "fr"},
        {"name": "value", "valueString": "chien"},
    ]
    assert _properties(asked(fhir, LOOKUP, system=ANIMALS, code="dodo"))["inactive"] == [True]
    assert _properties(asked(fhir, LOOKUP, system=ANIMALS, code="swimmer"))["child"] == ["whale", "fish"]


def test_lookup_tells_the_properties_that_are_asked_for(fhir: httpx.Client, fauna: str) -> None:
    found = asked(fhir, LOOKUP, system=ANIMALS, code="dog", property=["legs", "lang.fr"])
    assert _properties(found) == {"legs": [4]}
    assert [one["name"] for one in found["parameter"]].count("designation") == 1
    assert _properties(asked(fhir, LOOKUP, system=ANIMALS, code="mammal", property="child")) == {
        "child": ["dog", "whale", "dodo"]
    }


def test_lookup_takes_a_coding_and_a_language(fhir: httpx.Client, fauna: str) -> None:
    coding = {"name": "coding", "valueCoding": {"system": ANIMALS, "code": "dog"}}
    found = called(fhir, LOOKUP, coding, {"name": "displayLanguage", "valueCode": "fr"})
    assert values(found)["display"] == "chien"


def test_lookup_of_r4_itself_and_of_an_unknown_code_and_system(fhir: httpx.Client) -> None:
    assert values(asked(fhir, LOOKUP, system=GENDER, code="male"))["display"] == "Male"
    code, text = outcome(asked(fhir, LOOKUP, status=404, system=GENDER, code="Male"))
    assert (code, "did you mean male?" in text) == ("not-found", True)
    code, text = outcome(asked(fhir, LOOKUP, status=404, system="http://example.org/none", code="x"))
    assert (code, "ecluse terminology load" in text) == ("not-found", True)
    text = outcome(asked(fhir, LOOKUP, status=404, system=GENDER, version="9", code="male"))[1]
    assert "Version 9" in text
    assert "here: 4.0.1" in text


@pytest.mark.parametrize("query", [{}, {"code": "dog"}, {"system": ANIMALS}])
def test_lookup_needs_code_and_system(fhir: httpx.Client, query: dict[str, str]) -> None:
    assert outcome(asked(fhir, LOOKUP, status=400, **query))[0] == "required"


def test_validate_code_tells_a_right_code(fhir: httpx.Client, fauna: str) -> None:
    right = {"result": True, "display": "Dog"}
    assert values(asked(fhir, VALIDATE, url=ANIMALS, code="dog")) == right
    assert values(asked(fhir, f"/CodeSystem/{fauna}/$validate-code", code="dog", display="dog")) == right
    assert values(asked(fhir, VALIDATE, url=ANIMALS, code="dog", display="chien")) == right
    coding = {"name": "coding", "valueCoding": {"system": ANIMALS, "code": "dog"}}
    assert values(called(fhir, VALIDATE, coding)) == right


def test_validate_code_tells_what_is_wrong_and_what_would_be_right(fhir: httpx.Client, fauna: str) -> None:
    wrong = values(asked(fhir, VALIDATE, url=ANIMALS, code="Dog"))
    assert wrong["result"] is False
    assert wrong["message"] == f"'Dog' is no code of {ANIMALS}|1; did you mean dog?"
    wrong = values(asked(fhir, VALIDATE, url=ANIMALS, code="dog", display="Cat"))
    assert (wrong["result"], wrong["display"]) == (False, "Dog")
    assert f"'Cat' is not a display of code 'dog' of {ANIMALS}; right: 'Dog', 'chien'." in wrong["message"]
    foreign = {"name": "coding", "valueCoding": {"system": GENDER, "code": "male"}}
    wrong = values(called(fhir, VALIDATE, {"name": "url", "valueUri": ANIMALS}, foreign))
    assert (wrong["result"], "another code system" in wrong["message"]) == (False, True)


def test_validate_code_knows_abstract_and_inactive_concepts(fhir: httpx.Client, fauna: str) -> None:
    assert values(asked(fhir, VALIDATE, url=ANIMALS, code="animal"))["result"] is True
    assert values(asked(fhir, VALIDATE, url=ANIMALS, code="animal", abstract="false"))["result"] is False
    dodo = values(asked(fhir, VALIDATE, url=ANIMALS, code="dodo"))
    assert (dodo["result"], "inactive" in dodo["message"]) == (True, True)


def test_one_right_coding_makes_a_codeable_concept_right(fhir: httpx.Client, fauna: str) -> None:
    def concept(*codes: str) -> Json:
        return {"name": "codeableConcept", "valueCodeableConcept": {"coding": [_coding(code) for code in codes]}}

    assert values(called(fhir, VALIDATE, concept("dog", "cat")))["result"] is True
    assert values(called(fhir, VALIDATE, concept("cat", "cow")))["result"] is False


def _coding(code: str) -> Json:
    return {"system": ANIMALS, "code": code}


def test_case_counts_only_where_the_code_system_says_so(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/caseless"
    stored(fhir, animals(url, caseSensitive=False))
    told = values(asked(fhir, VALIDATE, url=url, code="DOG"))
    assert (told["result"], "'dog'" in told["message"]) == (True, True)


def test_a_code_system_can_come_with_the_request_and_leaves_no_trace(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/brought"
    given = {"name": "codeSystem", "resource": animals(url)}
    assert values(called(fhir, VALIDATE, given, {"name": "code", "valueCode": "dog"}))["result"] is True
    assert values(called(fhir, VALIDATE, given, {"name": "code", "valueCode": "cat"}))["result"] is False
    assert outcome(asked(fhir, VALIDATE, status=404, url=url, code="dog"))[0] == "not-found"


@pytest.mark.parametrize(("code", "expected"), [("application/pdf", True), ("pdf", False)])
def test_media_types_are_judged_by_their_form(fhir: httpx.Client, code: str, expected: bool) -> None:
    assert values(asked(fhir, VALIDATE, url="urn:ietf:bcp:13", code=code))["result"] is expected


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("mammal", "dog", "subsumes"),
        ("dog", "mammal", "subsumed-by"),
        ("dog", "dog", "equivalent"),
        ("dog", "fish", "not-subsumed"),
        ("swimmer", "whale", "subsumes"),
        ("animal", "whale", "subsumes"),
        ("whale", "swimmer", "subsumed-by"),
        ("mammal", "fish", "not-subsumed"),
    ],
)
def test_subsumes_tells_how_codes_stand_to_each_other(
    fhir: httpx.Client, fauna: str, a: str, b: str, expected: str
) -> None:
    assert values(asked(fhir, SUBSUMES, system=ANIMALS, codeA=a, codeB=b)) == {"outcome": expected}
    by_instance = asked(fhir, f"/CodeSystem/{fauna}/$subsumes", codeA=a, codeB=b)
    assert values(by_instance) == {"outcome": expected}
    codings = [{"name": f"coding{n}", "valueCoding": _coding(code)} for n, code in (("A", a), ("B", b))]
    assert values(called(fhir, SUBSUMES, *codings)) == {"outcome": expected}


def test_subsumes_refuses_what_it_cannot_tell(fhir: httpx.Client, fauna: str) -> None:
    assert outcome(asked(fhir, SUBSUMES, status=404, system=ANIMALS, codeA="dog", codeB="cat"))[0] == "not-found"
    assert outcome(asked(fhir, SUBSUMES, status=400, system=ANIMALS, codeA="dog"))[0] == "required"
    assert outcome(asked(fhir, SUBSUMES, status=400, codeA="dog", codeB="fish"))[0] == "required"
    a = {"name": "codingA", "valueCoding": _coding("dog")}
    b = {"name": "codingB", "valueCoding": {"system": GENDER, "code": "male"}}
    assert outcome(called(fhir, SUBSUMES, a, b, status=400))[0] == "invalid"


def test_a_circle_of_parents_is_cut_and_answers(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/circular"
    parent = "http://hl7.org/fhir/concept-properties#parent"
    concepts = [
        {"code": code, "property": [{"code": "parent", "valueCode": other}]} for code, other in (("a", "b"), ("b", "a"))
    ]
    stored(fhir, animals(url, property=[{"code": "parent", "uri": parent, "type": "code"}], concept=concepts))
    told = values(asked(fhir, SUBSUMES, system=url, codeA="a", codeB="b"))
    assert told["outcome"] in ("subsumes", "subsumed-by")


def test_a_bundle_asks_too_and_sees_what_it_wrote_itself(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/of-a-bundle"
    create = {"request": {"method": "POST", "url": "CodeSystem"}, "resource": animals(url)}
    ask = {"request": {"method": "GET", "url": f"CodeSystem/$lookup?system={url}&code=dog"}}
    for kind in ("transaction", "batch"):
        bundle = {"resourceType": "Bundle", "type": kind, "entry": [create, ask] if kind == "transaction" else [ask]}
        answer = fhir.post("", json=bundle)
        assert answer.status_code == 200, answer.text
        told = answer.json()["entry"][-1]
        assert told["response"]["status"].startswith("200")
        assert values(told["resource"])["display"] == "Dog"


def test_a_bundle_may_bring_its_code_system_too(fhir: httpx.Client) -> None:
    given = {"name": "codeSystem", "resource": animals("http://example.org/CodeSystem/brought-along")}
    parameters = {"resourceType": "Parameters", "parameter": [given, {"name": "code", "valueCode": "dog"}]}
    ask = {"request": {"method": "POST", "url": VALIDATE[1:]}, "resource": parameters}
    answer = fhir.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [ask, ask]})
    assert [values(one["resource"])["result"] for one in answer.json()["entry"]] == [True, True]


def test_what_a_failed_transaction_wrote_is_not_remembered(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/undone"
    create = {"request": {"method": "POST", "url": "CodeSystem"}, "resource": animals(url)}
    ask = {"request": {"method": "GET", "url": f"CodeSystem/$lookup?system={url}&code=dog"}}
    wrong = {
        "request": {"method": "PUT", "url": "Patient/p", "ifMatch": 'W/"7"'},
        "resource": {"resourceType": "Patient", "id": "p"},
    }
    answer = fhir.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": [create, wrong, ask]})
    assert answer.status_code == 412
    assert outcome(asked(fhir, LOOKUP, status=404, system=url, code="dog"))[0] == "not-found"


def test_a_supplement_is_no_code_system_of_its_own(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/supplement"
    stored(fhir, animals(url, content="supplement", supplements=ANIMALS))
    assert outcome(asked(fhir, LOOKUP, status=404, system=url, code="dog"))[0] == "not-found"


COLOURS = "http://example.org/CodeSystem/colours"
IN_ITALIAN = {"language": "it", "value": "rosso vivo"}


def _colours(**given: Any) -> Json:
    red = {"code": "red", "display": "Red", "designation": [{"language": "fr", "value": "rouge"}]}
    own = {"resourceType": "CodeSystem", "url": COLOURS, "version": "2", "status": "active", "content": "complete"}
    return {**own, "caseSensitive": True, "concept": [red, {"code": "blue", "display": "Blue"}], **given}


def _supplement(fhir: httpx.Client, **given: Any) -> str:
    added = {"code": "red", "designation": [IN_ITALIAN], "property": [{"code": "wave", "valueInteger": 700}]}
    unknown = {"code": "green", "designation": [{"language": "it", "value": "verde"}]}
    return stored(
        fhir,
        _colours(
            **{
                "url": "http://example.org/CodeSystem/colours-it",
                "content": "supplement",
                "supplements": COLOURS,
                "property": [{"code": "wave", "type": "integer"}],
                "concept": [added, unknown],
                **given,
            }
        ),
    )


def test_a_supplement_adds_to_what_the_code_system_says(fhir: httpx.Client, other_site: httpx.Client) -> None:
    for client in (fhir, other_site):
        stored(client, _colours())
    supplement = _supplement(fhir)
    found = asked(fhir, LOOKUP, system=COLOURS, code="red", displayLanguage="it")
    assert values(found)["display"] == "rosso vivo"
    assert [one["name"] for one in found["parameter"]].count("designation") == 2
    assert _properties(found) == {"wave": [700]}
    assert values(asked(fhir, LOOKUP, system=COLOURS, code="red"))["display"] == "Red"
    assert outcome(asked(fhir, LOOKUP, status=404, system=COLOURS, code="green"))[0] == "not-found"
    valid = asked(fhir, VALIDATE, url=COLOURS, code="red", display="rosso vivo")
    assert values(valid)["result"] is True
    assert values(asked(other_site, LOOKUP, system=COLOURS, code="red", displayLanguage="it"))["display"] == "Red"
    assert fhir.delete(f"/CodeSystem/{supplement}").status_code == 204
    assert values(asked(fhir, LOOKUP, system=COLOURS, code="red", displayLanguage="it"))["display"] == "Red"


def test_an_expansion_speaks_the_language_of_a_supplement(fhir: httpx.Client) -> None:
    stored(fhir, _colours())
    supplement = _supplement(fhir, supplements=f"{COLOURS}|2")
    compose = {"include": [{"system": COLOURS}]}
    given = {"name": "valueSet", "resource": {"resourceType": "ValueSet", "status": "active", "compose": compose}}
    wanted = [
        {"name": "displayLanguage", "valueCode": "it"},
        {"name": "includeDesignations", "valueBoolean": True},
        {"name": "filter", "valueString": "viv"},
    ]
    (entry,) = called(fhir, "/ValueSet/$expand", given, *wanted)["expansion"]["contains"]
    assert (entry["code"], entry["display"]) == ("red", "rosso vivo")
    assert IN_ITALIAN in entry["designation"]
    assert fhir.delete(f"/CodeSystem/{supplement}").status_code == 204
    _supplement(fhir, supplements=f"{COLOURS}|1")
    assert "contains" not in called(fhir, "/ValueSet/$expand", given, *wanted)["expansion"]
