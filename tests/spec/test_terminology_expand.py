"""http://hl7.org/fhir/R4/valueset-operation-expand.html, over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.spec.terminology import ANIMALS, Json, animals, asked, called, codes, outcome, stored, value_set

ALL = ["animal", "mammal", "dog", "whale", "dodo", "swimmer", "fish"]
GENDER = "http://hl7.org/fhir/ValueSet/administrative-gender"


@pytest.fixture(scope="module")
def fauna(fhir: httpx.Client) -> str:
    """The id of the stored code system."""
    return stored(fhir, animals())


def _include(*filters: tuple[str, str, str], **given: Any) -> Json:
    told = [dict(zip(("property", "op", "value"), one, strict=True)) for one in filters]
    return {"system": ANIMALS, **({"filter": told} if told else {}), **given}


def _expanded(fhir: httpx.Client, resource: Json, *more: Json) -> Json:
    return called(fhir, "/ValueSet/$expand", {"name": "valueSet", "resource": resource}, *more)


def test_all_that_is_wrong_is_told_at_once(fhir: httpx.Client) -> None:
    query = {"url": GENDER, "cout": "1", "offset": "-1", "count": "x", "activeOnly": "yes", "excludeNested": "no"}
    answer = fhir.get("/ValueSet/$expand", params={**query, "date": "soon", "_summary": "foo"})
    assert answer.status_code == 400
    texts = " ".join(issue["details"]["text"] for issue in answer.json()["issue"])
    assert len(answer.json()["issue"]) == 7
    assert "no parameter cout; it takes count, " in texts
    assert all(f"{name}: " in texts for name in ("offset", "count", "activeOnly", "excludeNested", "date", "_summary"))


def test_a_value_set_of_r4_is_there_without_a_step(fhir: httpx.Client) -> None:
    expanded = asked(fhir, "/ValueSet/$expand", url=GENDER)
    assert codes(expanded) == ["male", "female", "other", "unknown"]
    assert (expanded["url"], expanded["expansion"]["total"], expanded["expansion"]["offset"]) == (GENDER, 4, 0)
    first = expanded["expansion"]["contains"][0]
    assert first == {
        "system": "http://hl7.org/fhir/administrative-gender",
        "version": "4.0.1",
        "code": "male",
        "display": "Male",
    }
    assert "compose" not in expanded
    used = [one for one in expanded["expansion"]["parameter"] if one["name"] == "version"]
    assert used == [{"name": "version", "valueUri": "http://hl7.org/fhir/administrative-gender|4.0.1"}]


def test_the_definition_comes_when_asked_for(fhir: httpx.Client) -> None:
    expanded = asked(fhir, "/ValueSet/$expand", url=GENDER, includeDefinition="true")
    assert expanded["compose"]["include"][0]["system"] == "http://hl7.org/fhir/administrative-gender"


def test_a_stored_value_set_is_usable_at_once_and_after_its_update(fhir: httpx.Client, fauna: str) -> None:
    url = "http://example.org/ValueSet/pets"
    resource = value_set(_include(concept=[{"code": "fish", "display": "Pet fish"}, {"code": "dog"}]), url=url)
    resource_id = stored(fhir, resource)
    by_url = asked(fhir, "/ValueSet/$expand", url=url)
    assert codes(by_url) == ["fish", "dog"]
    assert [one["display"] for one in by_url["expansion"]["contains"]] == ["Pet fish", "Dog"]
    assert codes(asked(fhir, f"/ValueSet/{resource_id}/$expand")) == ["fish", "dog"]
    resource["compose"]["include"][0]["concept"].pop()
    fhir.put(f"/ValueSet/{resource_id}", json={**resource, "id": resource_id}).raise_for_status()
    assert codes(asked(fhir, "/ValueSet/$expand", url=url)) == ["fish"]
    fhir.delete(f"/ValueSet/{resource_id}").raise_for_status()
    code, text = outcome(asked(fhir, "/ValueSet/$expand", status=404, url=url))
    assert code == "not-found"
    assert "ecluse terminology load" in text


def test_a_code_system_that_changes_changes_its_expansion(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/changing"
    system = animals(url)
    resource_id = stored(fhir, system)
    whole = value_set({"system": url})
    assert len(codes(_expanded(fhir, whole))) == 7
    system["concept"][0]["concept"].pop()
    fhir.put(f"/CodeSystem/{resource_id}", json={**system, "id": resource_id}).raise_for_status()
    assert codes(_expanded(fhir, whole)) == ["animal", "mammal", "dog", "whale", "dodo"]
    fhir.delete(f"/CodeSystem/{resource_id}").raise_for_status()
    body = called(fhir, "/ValueSet/$expand", {"name": "valueSet", "resource": whole}, status=422)
    assert outcome(body)[0] == "not-found"
    assert body["issue"][0]["expression"] == ["ValueSet.compose.include[0]"]


def test_what_a_site_stores_is_its_own(fhir: httpx.Client, other_site: httpx.Client) -> None:
    url = "http://example.org/ValueSet/of-one-site"
    stored(fhir, value_set({"system": "http://example.org/x", "concept": [{"code": "a"}]}, url=url))
    assert codes(asked(fhir, "/ValueSet/$expand", url=url)) == ["a"]
    assert outcome(asked(other_site, "/ValueSet/$expand", status=404, url=url))[0] == "not-found"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], ALL),
        ([("concept", "is-a", "mammal")], ["mammal", "dog", "whale", "dodo"]),
        ([("concept", "is-a", "swimmer")], ["whale", "swimmer", "fish"]),
        ([("concept", "descendent-of", "swimmer")], ["whale", "fish"]),
        ([("concept", "is-not-a", "swimmer")], ["animal", "mammal", "dog", "dodo"]),
        ([("concept", "generalizes", "whale")], ["animal", "mammal", "whale", "swimmer"]),
        ([("concept", "=", "dog")], ["dog"]),
        ([("concept", "in", "dog,fish")], ["dog", "fish"]),
        ([("concept", "not-in", "dog,fish")], ["animal", "mammal", "whale", "dodo", "swimmer"]),
        ([("concept", "regex", "d.*")], ["dog", "dodo"]),
        ([("code", "regex", "o")], []),
        ([("display", "regex", ".*whale")], ["whale"]),
        ([("definition", "exists", "true")], ["dog"]),
        ([("parent", "=", "swimmer")], ["whale", "fish"]),
        ([("child", "=", "whale")], ["mammal", "swimmer"]),
        ([("legs", "=", "0")], ["whale", "fish"]),
        ([("legs", "in", "0,4")], ["dog", "whale", "fish"]),
        ([("legs", "not-in", "0")], ["animal", "mammal", "dog", "dodo", "swimmer"]),
        ([("legs", "exists", "true")], ["dog", "whale", "fish"]),
        ([("legs", "exists", "false")], ["animal", "mammal", "dodo", "swimmer"]),
        ([("sound", "=", "woof")], ["dog"]),
        ([("sound", "regex", "wo+f")], ["dog"]),
        ([("inactive", "=", "true")], ["dodo"]),
        ([("notSelectable", "=", "false")], ALL[1:]),
        ([("concept", "is-a", "mammal"), ("legs", "=", "0")], ["whale"]),
    ],
)
def test_each_filter_leaves_what_it_says(
    fhir: httpx.Client, fauna: str, filters: list[tuple[str, str, str]], expected: list[str]
) -> None:
    assert codes(_expanded(fhir, value_set(_include(*filters)))) == expected


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        (("concept", "is-a", "unicorn"), "'unicorn', which is no code"),
        (("wings", "=", "2"), "no property 'wings'"),
        (("concept", "regex", "(["), "cannot be read"),
        (("legs", "=", "four"), "number"),
        (("legs", "exists", "maybe"), "true or false"),
    ],
)
def test_a_filter_that_cannot_be_obeyed_is_refused_with_its_place(
    fhir: httpx.Client, fauna: str, filters: tuple[str, str, str], words: str
) -> None:
    resource = value_set({"system": ANIMALS}, _include(filters))
    body = called(fhir, "/ValueSet/$expand", {"name": "valueSet", "resource": resource}, status=422)
    assert words in outcome(body)[1]
    assert body["issue"][0]["expression"] == ["ValueSet.compose.include[1].filter[0]"]


def test_includes_are_united_and_excludes_taken_away(fhir: httpx.Client, fauna: str) -> None:
    includes = (_include(("concept", "is-a", "mammal")), _include(("concept", "is-a", "swimmer")))
    assert codes(_expanded(fhir, value_set(*includes))) == ALL[1:]
    exclude = [_include(("legs", "=", "0")), {"system": ANIMALS, "concept": [{"code": "dodo"}]}]
    assert codes(_expanded(fhir, value_set(*includes, exclude=exclude))) == ["mammal", "dog", "swimmer"]


def test_parts_that_others_make_needless_change_nothing(fhir: httpx.Client, fauna: str) -> None:
    dog, fish = {"code": "dog", "display": "Good dog"}, {"code": "fish"}
    whole, listed, other = {"system": ANIMALS}, _include(concept=[dog]), _include(concept=[fish])
    for resource in (value_set(listed, whole), value_set(whole, listed, other)):
        expanded = _expanded(fhir, resource)
        assert (codes(expanded), expanded["expansion"]["total"]) == (ALL, 7)
        assert {one["code"]: one["display"] for one in expanded["expansion"]["contains"]}["dog"] == "Good dog"
    assert codes(_expanded(fhir, value_set(listed, other), {"name": "count", "valueInteger": 1})) == ["dog"]
    assert codes(_expanded(fhir, value_set(listed, exclude=[listed, whole]))) == []


def test_a_concept_that_is_listed_twice_comes_once_as_it_stands_first(fhir: httpx.Client, fauna: str) -> None:
    listed = [{"code": "dog", "display": "First"}, {"code": "fish"}, {"code": "dog", "display": "Second"}]
    expanded = _expanded(fhir, value_set(_include(concept=listed)))
    assert [one["display"] for one in expanded["expansion"]["contains"]] == ["First", "Fish"]
    assert expanded["expansion"]["total"] == 2


def test_imported_value_sets_are_intersected_within_an_include_and_united_between(
    fhir: httpx.Client, fauna: str
) -> None:
    base = "http://example.org/ValueSet/import"
    stored(fhir, value_set(_include(("concept", "is-a", "mammal")), url=f"{base}-mammal"))
    stored(fhir, value_set(_include(("concept", "is-a", "swimmer")), url=f"{base}-swimmer"))
    both = value_set({"valueSet": [f"{base}-mammal", f"{base}-swimmer"]})
    assert codes(_expanded(fhir, both)) == ["whale"]
    either = value_set({"valueSet": [f"{base}-mammal"]}, {"valueSet": [f"{base}-swimmer"]})
    assert codes(_expanded(fhir, either)) == ALL[1:]
    narrowed = value_set(_include(("legs", "=", "4"), valueSet=[f"{base}-mammal"]))
    assert codes(_expanded(fhir, narrowed)) == ["dog"]
    without = value_set({"system": ANIMALS}, exclude=[{"valueSet": [f"{base}-swimmer"]}])
    expanded = _expanded(fhir, without)
    assert codes(expanded) == ["animal", "mammal", "dog", "dodo"]
    assert {"name": "used-valueset", "valueUri": f"{base}-swimmer"} in expanded["expansion"]["parameter"]


def test_value_sets_that_import_each_other_are_refused_with_the_circle(fhir: httpx.Client) -> None:
    a, b = "http://example.org/ValueSet/circle-a", "http://example.org/ValueSet/circle-b"
    stored(fhir, value_set({"valueSet": [b]}, url=a))
    stored(fhir, value_set({"valueSet": [a]}, url=b))
    code, text = outcome(asked(fhir, "/ValueSet/$expand", status=422, url=a))
    assert f"{a} → {b} → {a}" in text
    assert code == "invalid"


def test_codes_of_a_system_that_is_not_here_are_listed_as_the_author_wrote_them(fhir: httpx.Client) -> None:
    listed = [{"code": "1", "display": "Heart attack"}, {"code": "2", "display": "Stroke"}]
    resource = value_set({"system": "http://example.org/elsewhere", "concept": listed})
    assert codes(_expanded(fhir, resource)) == ["1", "2"]
    assert codes(_expanded(fhir, resource, {"name": "filter", "valueString": "heart"})) == ["1"]


def test_pages_follow_each_other_over_code_systems(fhir: httpx.Client, fauna: str) -> None:
    resource = value_set({"system": "http://hl7.org/fhir/administrative-gender"}, {"system": ANIMALS})
    whole = codes(_expanded(fhir, resource))
    assert len(whole) == 11
    pages: list[str] = []
    for offset in range(0, 12, 3):
        paging = {"name": "offset", "valueInteger": offset}, {"name": "count", "valueInteger": 3}
        page = _expanded(fhir, resource, *paging)
        assert (page["expansion"]["total"], page["expansion"]["offset"]) == (11, offset)
        pages += codes(page)
    assert pages == whole
    counted = _expanded(fhir, resource, {"name": "count", "valueInteger": 0})
    assert (counted["expansion"]["total"], "contains" in counted["expansion"]) == (11, False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("dog", ["dog"]), ("wha bl", ["whale"]), ("CHIEN", ["dog"]), ("fis", ["fish"]), ("ish", []), ("mammal dog", [])],
)
def test_a_filter_finds_beginnings_of_words_in_any_order(
    fhir: httpx.Client, fauna: str, text: str, expected: list[str]
) -> None:
    expanded = _expanded(fhir, value_set({"system": ANIMALS}), {"name": "filter", "valueString": text})
    assert codes(expanded) == expected
    assert {"name": "filter", "valueString": text} in expanded["expansion"]["parameter"]


def test_inactive_concepts_can_be_left_out_by_the_request_and_by_the_value_set(fhir: httpx.Client, fauna: str) -> None:
    expanded = _expanded(fhir, value_set({"system": ANIMALS}))
    flags = {one["code"]: (one.get("inactive"), one.get("abstract")) for one in expanded["expansion"]["contains"]}
    assert (flags["dodo"], flags["animal"], flags["dog"]) == ((True, None), (None, True), (None, None))
    active = {"name": "activeOnly", "valueBoolean": True}
    assert "dodo" not in codes(_expanded(fhir, value_set({"system": ANIMALS}), active))
    assert "dodo" not in codes(_expanded(fhir, value_set({"system": ANIMALS}, inactive=False)))


def test_displays_and_designations_come_in_the_language_asked_for(fhir: httpx.Client, fauna: str) -> None:
    dog = value_set(_include(concept=[{"code": "dog"}]))

    def first(*more: Json) -> Json:
        found: Json = _expanded(fhir, dog, *more)["expansion"]["contains"][0]
        return found

    assert first()["display"] == "Dog"
    assert first({"name": "displayLanguage", "valueCode": "fr-CA"})["display"] == "chien"
    assert "designation" not in first()
    french = [{"language": "fr", "value": "chien"}]
    assert first({"name": "includeDesignations", "valueBoolean": True})["designation"] == french
    assert first({"name": "designation", "valueString": "urn:ietf:bcp:47|fr"})["designation"] == french
    assert "designation" not in first({"name": "designation", "valueString": "urn:ietf:bcp:47|de"})


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("fr", "chien"),
        ("fr-CA, en;q=0.5", "chien"),
        ("en-US,en;q=0.9,fr;q=0.8", "Dog"),
        ("de, fr;q=0.5", "chien"),
        ("en;q=0.1, fr", "chien"),
        ("*", "Dog"),
        ("", "Dog"),
        (";;,q=,fr;q=x", "chien"),
    ],
)
def test_the_language_header_chooses_the_display(fhir: httpx.Client, fauna: str, header: str, expected: str) -> None:
    dog = {"name": "valueSet", "resource": value_set(_include(concept=[{"code": "dog"}]))}
    body = {"resourceType": "Parameters", "parameter": [dog]}
    answer = fhir.post("/ValueSet/$expand", json=body, headers={"Accept-Language": header})
    assert answer.json()["expansion"]["contains"][0]["display"] == expected
    found = fhir.get(
        "/CodeSystem/$lookup", params={"system": ANIMALS, "code": "dog"}, headers={"Accept-Language": header}
    )
    assert next(one["valueString"] for one in found.json()["parameter"] if one["name"] == "display") == expected


def test_a_large_expansion_without_pages_is_too_costly(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/large"
    concepts = [{"code": f"c{number}", "display": f"Concept {number}"} for number in range(10_001)]
    stored(fhir, animals(url, concept=concepts))
    whole = {"name": "valueSet", "resource": value_set({"system": url})}
    code, text = outcome(called(fhir, "/ValueSet/$expand", whole, status=422))
    assert code == "too-costly"
    assert "count and offset" in text
    page = called(
        fhir,
        "/ValueSet/$expand",
        whole,
        {"name": "offset", "valueInteger": 9_999},
        {"name": "count", "valueInteger": 5},
    )
    assert (codes(page), page["expansion"]["total"]) == (["c9999", "c10000"], 10_001)
    assert codes(called(fhir, "/ValueSet/$expand", whole, {"name": "filter", "valueString": "9876"})) == ["c9876"]


def test_versions_are_chosen_checked_and_forced(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/versioned"
    stored(fhir, animals(url, version="1", concept=[{"code": "old"}]))
    stored(fhir, animals(url, version="2", concept=[{"code": "new"}]))
    any_version, first = value_set({"system": url}), value_set({"system": url, "version": "1"})
    assert codes(_expanded(fhir, any_version)) == ["new"]
    assert codes(_expanded(fhir, first)) == ["old"]

    def named(name: str, version: str) -> Json:
        return {"name": name, "valueCanonical": f"{url}|{version}"}

    assert codes(_expanded(fhir, any_version, named("system-version", "1"))) == ["old"]
    assert codes(_expanded(fhir, first, named("system-version", "2"))) == ["old"]
    assert codes(_expanded(fhir, first, named("force-system-version", "2"))) == ["new"]
    given = {"name": "valueSet", "resource": first}
    body = called(fhir, "/ValueSet/$expand", given, named("check-system-version", "2"), status=422)
    assert "version 1" in outcome(body)[1]
    third = {"name": "valueSet", "resource": value_set({"system": url, "version": "3"})}
    assert "here: 1, 2" in outcome(called(fhir, "/ValueSet/$expand", third, status=404))[1]


def test_a_code_system_can_be_left_out(fhir: httpx.Client, fauna: str) -> None:
    resource = value_set({"system": "http://hl7.org/fhir/administrative-gender"}, {"system": ANIMALS})
    expanded = _expanded(fhir, resource, {"name": "exclude-system", "valueCanonical": ANIMALS})
    assert codes(expanded) == ["male", "female", "other", "unknown"]


def test_a_value_set_alone_is_the_body(fhir: httpx.Client, fauna: str) -> None:
    answer = fhir.post("/ValueSet/$expand?count=1", json=value_set({"system": ANIMALS}))
    assert (answer.status_code, codes(answer.json())) == (200, ["animal"])


def test_the_value_set_that_a_code_system_names_has_all_of_its_codes(fhir: httpx.Client) -> None:
    implied = "http://example.org/ValueSet/all-animals"
    stored(fhir, animals("http://example.org/CodeSystem/with-value-set", valueSet=implied))
    assert codes(asked(fhir, "/ValueSet/$expand", url=implied)) == ALL


def test_a_value_set_that_comes_as_its_expansion_gives_it_again(fhir: httpx.Client) -> None:
    contains = [{"system": "urn:x", "code": "a", "contains": [{"system": "urn:x", "code": "b", "display": "B"}]}]
    resource = {
        "resourceType": "ValueSet",
        "status": "active",
        "expansion": {"timestamp": "2020-01-01T00:00:00Z", "contains": contains},
    }
    assert codes(_expanded(fhir, resource)) == ["a", "b"]


def test_a_french_spelling_of_a_code_system_means_the_same_one(fhir: httpx.Client) -> None:
    stored(fhir, animals("https://smt.esante.gouv.fr/terminologie-cim-10", version="test"))
    assert codes(_expanded(fhir, value_set({"system": "urn:oid:2.16.840.1.113883.6.3"}))) == ALL


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({}, "Name one value set"),
        ({"url": GENDER, "count": "-1"}, "whole number"),
        ({"url": GENDER, "filtre": "x"}, "no parameter filtre"),
        ({"url": GENDER, "activeOnly": "yes"}, "true or false"),
    ],
)
def test_a_request_that_cannot_be_read_is_refused_with_the_fix(
    fhir: httpx.Client, query: dict[str, str], words: str
) -> None:
    assert words in outcome(asked(fhir, "/ValueSet/$expand", status=400, **query))[1]


def test_the_past_and_a_context_are_not_served(fhir: httpx.Client) -> None:
    assert outcome(asked(fhir, "/ValueSet/$expand", status=501, url=GENDER, date="2001"))[0] == "not-supported"
    body = asked(fhir, "/ValueSet/$expand", status=501, context="http://hl7.org/fhir/Patient#Patient.gender")
    assert "url" in outcome(body)[1]


def test_an_unknown_instance_answers_404_and_a_deleted_one_410(fhir: httpx.Client) -> None:
    assert outcome(asked(fhir, "/ValueSet/nobody/$expand", status=404))[0] == "not-found"
    resource_id = stored(fhir, value_set({"system": ANIMALS}))
    fhir.delete(f"/ValueSet/{resource_id}")
    assert outcome(asked(fhir, f"/ValueSet/{resource_id}/$expand", status=410))[0] == "deleted"
