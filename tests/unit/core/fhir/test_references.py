"""References found, and links rewritten where R4 says so and nowhere else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from ecluse.core.fhir.acceptance import accept
from ecluse.core.fhir.json import decode, encode
from ecluse.core.fhir.references import (
    is_conditional,
    literal_references,
    may_hold_extensions,
    replaced,
    rewrite,
    rewrite_references,
)
from tests.cost import MOST_CPU_S, cpu_s
from tests.official import official_files

OLD, NEW = "urn:uuid:05efabf0-4be2-4561-91ce-51548425acb9", "Patient/7"
MAPPING = {OLD: NEW, "http://old.example/fhir/Patient/1": "Patient/1", "http://old.example/fhir/Patient/2": "Patient/9"}


def rewritten(resource: dict[str, Any]) -> dict[str, Any]:
    """The resource after rewriting, accepted before."""
    changed = copy.deepcopy(resource)
    rewrite(changed["resourceType"], changed, MAPPING)
    return changed


def observation(**members: Any) -> dict[str, Any]:
    return {"resourceType": "Observation", "status": "final", "code": {"text": "a"}, **members}


LINKS: list[dict[str, Any]] = [
    {"subject": {"reference": OLD}},
    {"performer": [{"reference": "Practitioner/1"}, {"reference": OLD}]},
    {"identifier": [{"assigner": {"reference": OLD}}]},
    {"identifier": [{"system": OLD}]},
    {"implicitRules": OLD},
    {"extension": [{"url": "http://a", "valueUuid": OLD}]},
    {"extension": [{"url": "http://a", "valueUrl": OLD}]},
    {"extension": [{"url": "http://a", "valueReference": {"reference": OLD}}]},
    {"_status": {"extension": [{"url": "http://a", "valueUri": OLD}]}},
    {
        "contained": [{"resourceType": "Condition", "id": "c", "subject": {"reference": OLD}}],
        "focus": [{"reference": "#c"}],
    },
    {
        "text": {
            "status": "generated",
            "div": f"<div><a class='x' href=\"{OLD}\">x</a><img alt='' src='{OLD}#p'/></div>",
        }
    },
]
"""Members of an Observation whose every OLD is a link."""


@pytest.mark.parametrize("members", LINKS)
def test_links_are_rewritten(members: dict[str, Any]) -> None:
    before = encode(observation(**members))
    accept("Observation", before)
    assert encode(rewritten(observation(**members))) == before.replace(OLD.encode(), NEW.encode())


KEPT = [
    {"identifier": [{"system": "urn:ietf:rfc:3986", "value": OLD}]},
    {"valueString": OLD},
    {"note": [{"text": f"see {OLD}"}]},
    {"subject": {"display": OLD, "identifier": {"value": OLD}}},
    {"meta": {"profile": [OLD]}},
    {"extension": [{"url": "http://a", "valueCanonical": OLD}, {"url": "http://a", "valueString": OLD}]},
    {"text": {"status": "generated", "div": f"<div title='{OLD}'>{OLD} href=\"{OLD}\"</div>"}},
    {"subject": {"reference": "urn:uuid:00000000-4be2-4561-91ce-51548425acb9"}},
]


@pytest.mark.parametrize("members", KEPT)
def test_other_text_is_never_rewritten(members: dict[str, Any]) -> None:
    assert rewritten(observation(**members)) == observation(**members)


def test_repeating_links_are_rewritten_one_by_one() -> None:
    plan = {"resourceType": "CarePlan", "instantiatesUri": ["http://a", OLD, None]}
    assert rewritten(plan)["instantiatesUri"] == ["http://a", NEW, None]


def test_resources_in_a_bundle_and_in_parameters_are_rewritten() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": observation(subject={"reference": OLD})}],
    }
    assert rewritten(bundle)["entry"][0]["resource"]["subject"] == {"reference": NEW}
    parameters = {
        "resourceType": "Parameters",
        "parameter": [{"name": "a", "part": [{"name": "b", "resource": bundle}]}],
    }
    inner = rewritten(parameters)["parameter"][0]["part"][0]["resource"]
    assert inner["entry"][0]["resource"]["subject"] == {"reference": NEW}


def test_a_fragment_stays_and_a_version_stays_with_its_resource() -> None:
    assert replaced(OLD + "#part", MAPPING) == NEW + "#part"
    assert replaced("http://old.example/fhir/Patient/1/_history/3", MAPPING) == "Patient/1/_history/3"
    assert replaced("http://old.example/fhir/Patient/2/_history/3", MAPPING) == "Patient/9"
    assert replaced("Patient/3/_history/1", MAPPING) is None


def test_reference_objects_are_found_in_order_also_in_contained_resources() -> None:
    resource = observation(
        contained=[{"resourceType": "Condition", "id": "c", "subject": {"reference": "Patient/2"}}],
        subject={"reference": "Patient/1"},
        encounter={"identifier": {"value": "1", "assigner": {"reference": "Organization/3"}}},
        performer=[{"display": "nobody"}, {"reference": "#c"}],
    )
    found = [reference["reference"] for reference in literal_references("Observation", resource)]
    assert found == ["Patient/2", "Patient/1", "Organization/3", "#c"]


def test_a_hostile_narrative_is_read_once() -> None:
    for part in ("<a ", "<a href ", "<a href=", '<a href="', "<a href='\""):
        resource = observation(text={"status": "generated", "div": "<div>" + part * 500_000})
        assert cpu_s(rewritten, resource) < MOST_CPU_S
        assert rewritten(resource) == resource


def test_a_found_reference_is_the_object_itself() -> None:
    resource = observation(subject={"reference": "Patient?identifier=http://a|1"})
    [reference] = literal_references("Observation", resource)
    assert is_conditional(reference)
    reference["reference"] = "Patient/1"
    assert resource["subject"] == {"reference": "Patient/1"}


def test_urls_with_a_query_are_not_conditional() -> None:
    resource = observation(subject={"reference": "http://a.example/Patient?x=1"}, focus=[{"reference": "#a?b"}])
    assert not any(is_conditional(one) for one in literal_references("Observation", resource))


def test_references_are_rewritten_apart_and_counted() -> None:
    resource = observation(
        subject={"reference": OLD}, identifier=[{"value": OLD}], focus=[{"reference": "urn:uuid:x"}, {"reference": "a"}]
    )
    assert rewrite_references(literal_references("Observation", resource, extensions=False), MAPPING) == 2
    assert resource["subject"] == {"reference": NEW}
    assert resource["identifier"] == [{"value": OLD}]


def test_without_extensions_the_same_references_are_found() -> None:
    """Of every official file that holds none."""
    compared = 0
    for path in official_files():
        text = path.read_bytes()
        resource = decode(text)
        if not may_hold_extensions(text):
            kind = resource["resourceType"]
            assert literal_references(kind, resource, extensions=False) == literal_references(kind, resource)
            compared += 1
    assert compared > 800
