"""Terminology questions that make no sense: always a 4xx that says what would, never a 5xx."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.spec.terminology import ANIMALS, Json, animals, asked, called, outcome, stored, value_set

EXPAND = "/ValueSet/$expand"


def _refused(fhir: httpx.Client, include: Json) -> tuple[str, list[str], str]:
    resource = {"name": "valueSet", "resource": value_set(include)}
    body = called(fhir, EXPAND, resource, status=422)
    return body["issue"][0]["code"], body["issue"][0].get("expression", []), outcome(body)[1]


def test_an_include_of_nothing_is_refused(fhir: httpx.Client) -> None:
    told = _refused(fhir, {"concept": [{"code": "a"}]})
    assert told == ("invalid", ["ValueSet.compose.include[0]"], "An include names a system, or value sets.")


def test_an_include_of_concepts_and_filters_is_refused(fhir: httpx.Client) -> None:
    stored(fhir, animals())
    filters = [{"property": "concept", "op": "is-a", "value": "dog"}]
    told = _refused(fhir, {"system": ANIMALS, "concept": [{"code": "a"}], "filter": filters})
    assert told[:2] == ("invalid", ["ValueSet.compose.include[0]"])


@pytest.mark.parametrize("name", ["code", "system", "filter", "url"])
@pytest.mark.parametrize("value", ["\x00", "a\x00b", "\x1f"])
def test_control_characters_are_refused(fhir: httpx.Client, name: str, value: str) -> None:
    path = EXPAND if name in ("filter", "url") else "/CodeSystem/$lookup"
    assert "control character" in outcome(asked(fhir, path, status=400, **{name: value}))[1]


def test_a_code_that_no_index_holds_is_refused(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/endless"
    stored(fhir, animals(url, concept=[{"code": "x" * 5000}]))
    assert "at most 500 characters" in outcome(asked(fhir, "/CodeSystem/$lookup", status=422, system=url, code="x"))[1]
    told = asked(fhir, "/metadata", mode="terminology")
    assert len(told["codeSystem"]) > 1000
    assert url not in {one["uri"] for one in told["codeSystem"]}


def test_long_texts_are_kept(fhir: httpx.Client) -> None:
    url = "http://example.org/CodeSystem/long"
    words = " ".join(f"word{number}" for number in range(5000))
    concept = {"code": "x", "display": words, "definition": words, "designation": [{"value": words}] * 3}
    stored(fhir, animals(url, concept=[concept]))
    expanded = asked(fhir, EXPAND, url=f"{url}?fhir_vs", filter="word1")
    assert expanded["expansion"]["contains"][0]["display"] == words


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
PARAMETERS = st.dictionaries(
    st.sampled_from(
        ["url", "system", "code", "codeA", "codeB", "filter", "count", "offset", "display", "version", "date"]
    ),
    st.one_of(
        TEXT, st.sampled_from([ANIMALS, "dog", "1", "-1", "true", f"{ANIMALS}|1", f"{ANIMALS}?fhir_vs=isa/dog", "2020"])
    ),
    max_size=5,
)
PATHS = st.sampled_from(
    [
        *(EXPAND, "/ValueSet/$validate-code", "/ValueSet/x/$expand", "/ConceptMap/$translate"),
        *(f"/CodeSystem/{name}" for name in ("$lookup", "$validate-code", "$subsumes", "x/$subsumes")),
    ]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=PATHS, query=PARAMETERS)
def test_no_question_is_a_fault_of_the_server(fhir: httpx.Client, path: str, query: dict[str, str]) -> None:
    answer = fhir.get(path, params=query)
    assert answer.status_code < 500 or answer.status_code == 501, (path, query, answer.text)
    assert answer.json()["resourceType"] in ("OperationOutcome", "Parameters", "ValueSet")


INCLUDES = st.fixed_dictionaries(
    {},
    optional={
        "system": st.sampled_from([ANIMALS, "http://hl7.org/fhir/administrative-gender", "urn:none"]),
        "version": st.sampled_from(["1", "2"]),
        "concept": st.lists(
            st.fixed_dictionaries({"code": st.sampled_from(["dog", "fish", "x"])}), min_size=1, max_size=3
        ),
        "filter": st.lists(
            st.fixed_dictionaries(
                {
                    "property": st.sampled_from(
                        ["concept", "code", "display", "legs", "sound", "parent", "child", "inactive"]
                    ),
                    "op": st.sampled_from(
                        ["=", "is-a", "descendent-of", "is-not-a", "regex", "in", "not-in", "generalizes", "exists"]
                    ),
                    "value": st.sampled_from(["dog", "whale", "4", "0,4", "true", "false", "d.*", "([", "-", "1e9"]),
                }
            ),
            min_size=1,
            max_size=3,
        ),
        "valueSet": st.lists(
            st.sampled_from(["http://hl7.org/fhir/ValueSet/administrative-gender", "urn:none"]), min_size=1, max_size=2
        ),
    },
).filter(bool)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    includes=st.lists(INCLUDES, min_size=1, max_size=4),
    exclude=st.lists(INCLUDES, max_size=2),
    extra=st.sampled_from([{}, {"activeOnly": "true"}, {"filter": "d"}, {"count": "2", "offset": "1"}]),
)
def test_no_value_set_is_a_fault_of_the_server(
    fhir: httpx.Client, includes: list[Json], exclude: list[Json], extra: dict[str, Any]
) -> None:
    if fhir.get(f"/CodeSystem?url={ANIMALS}&_count=1").json().get("entry") is None:
        stored(fhir, animals())
    answer = fhir.post(EXPAND, params=extra, json=value_set(*includes, exclude=exclude))
    assert answer.status_code in (200, 400, 404, 422), (includes, exclude, extra, answer.text)
    if answer.status_code == 200:
        expansion = answer.json()["expansion"]
        contains = [(one["system"], one["code"]) for one in expansion.get("contains", [])]
        assert len(contains) == len(set(contains))
        if "count" not in extra:
            assert expansion["total"] == len(contains)
