"""What of a SubscriptionTopic is served, and what is refused with its place."""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.errors import Unprocessable
from fhir_server.subscriptions.topic import of_basic, read
from mappers.search.registry import BUILT_IN

URL = "https://topics.example/one"
R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."
R4B = "http://hl7.org/fhir/4.3/StructureDefinition/extension-SubscriptionTopic."
OF_THE_BACKPORT = "(%previous.id.empty() or (%previous.status != 'finished')) and (%current.status = 'finished')"
"""The expression of the guide's own examples."""


def topic(trigger: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    told = {"resource": "Encounter"} | (trigger or {})
    return {"resourceType": "SubscriptionTopic", "url": URL, "status": "active", "resourceTrigger": [told]} | more


def refusal(told: dict[str, Any]) -> tuple[str, str]:
    """Place and text of the one thing that is wrong."""
    with pytest.raises(Unprocessable) as refused:
        found = read(told)
        assert found is not None
        found.served(BUILT_IN)
    (issue,) = refused.value.issues
    return issue.expression, issue.text


@pytest.mark.parametrize(
    "expression",
    [
        OF_THE_BACKPORT,
        "%current.subject.resolve() is Patient",
        "%resource.status = 'finished' and %current.code.coding.system contains %loinc",
        "%current.period.start > now() - 1 day",
        "%current.type.coding.where(system = %`vs-name`).exists()",
    ],
)
def test_an_expression_about_the_resource_alone_is_kept_as_it_is_written(expression: str) -> None:
    found = read(topic({"fhirPathCriteria": expression}))
    assert found is not None
    assert found.definition["triggers"][0]["fhirpath"] == expression


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("%current.status = ", "the end"),
        ("%current.status == 'finished'", "character 18"),
        ("%current.status.frist()", "no function frist(): did you mean first()?"),
        ("%current is Enconter", "no type Enconter"),
        ("%current.code.memberOf('http://x')", "memberOf() is not served here: value sets are not asked"),
        ("%current.subject.resolve().active", "resolve() is not served here: other resources are not read"),
        ("%current.conformsTo('http://x')", "conformsTo() is not served here"),
        ("%previous.status != %now.status", "The variable %now is not known here: there are %previous and %current"),
        ("(" * 100 + "true" + ")" * 100, "levels"),
    ],
)
def test_an_expression_that_cannot_be_evaluated_is_refused_with_topic_trigger_and_place(
    expression: str, words: str
) -> None:
    told = topic()
    told["resourceTrigger"].append({"resource": "Encounter", "fhirPathCriteria": expression})
    place, text = refusal(told)
    assert place == "SubscriptionTopic.resourceTrigger[1].fhirPathCriteria"
    assert text.startswith(f"{URL}, {place}: ") and words in text


def test_events_are_refused_with_the_way_out() -> None:
    event = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0003", "code": "A01"}]}
    place, text = refusal(topic(eventTrigger=[{"resource": "Encounter", "event": event}]))
    assert place == "SubscriptionTopic.eventTrigger"
    assert "resourceTrigger" in text and "no write tells" in text


def test_a_basic_tells_by_extensions_of_r4b_and_by_a_modifier_what_is_no_plain_extension() -> None:
    trigger = [
        {"url": "resource", "valueUri": "http://hl7.org/fhir/StructureDefinition/Encounter"},
        {"url": "supportedInteraction", "valueCode": "create"},
        {"url": "fhirPathCriteria", "valueString": OF_THE_BACKPORT},
    ]
    able = [
        {"url": "filterParameter", "valueString": "length"},
        {"url": "modifier", "valueCode": "gt"},
        {"url": "modifier", "valueCode": "lt"},
    ]
    shape = [
        {"url": "resource", "valueUri": "Encounter"},
        {"url": "include", "valueString": "Encounter:patient"},
        {"url": "include", "valueString": "Encounter:location"},
        {"url": "revInclude", "valueString": "Observation:encounter"},
    ]
    told = {
        "resourceType": "Basic",
        "code": {"coding": [{"code": "SubscriptionTopic"}]},
        "extension": [
            {"url": f"{R5}url", "valueUri": URL},
            {"url": f"{R4B}resourceTrigger", "extension": trigger},
            {"url": f"{R4B}canFilterBy", "extension": able},
            {"url": f"{R4B}notificationShape", "extension": shape},
        ],
        "modifierExtension": [{"url": f"{R5}status", "valueCode": "draft"}],
    }
    found = of_basic(told)
    assert found is not None
    assert found.definition["triggers"][0]["fhirpath"] == OF_THE_BACKPORT
    assert found.definition["triggers"][0]["on"] == ["create"]
    assert [list(one) for one in found.definition["filters"]] == [["", "length", ["gt", "lt"], []]]
    assert [one[2:4] for one in found.served(BUILT_IN)["shapes"]["Encounter"]] == [
        ("Encounter", "patient"),
        ("Encounter", "location"),
        ("Observation", "encounter"),
    ]
    retired = told | {"modifierExtension": [{"url": f"{R5}status", "valueCode": "retired"}]}
    assert of_basic(retired) is None


def test_a_shape_is_includes_as_a_search_has_them() -> None:
    shape = {
        "resource": "http://hl7.org/fhir/StructureDefinition/Encounter",
        "include": ["Encounter:patient&iterate=Patient.link", "Encounter:location", "Encounter:location:Location"],
        "revInclude": ["Observation:encounter&_include:iterate=Observation:performer"],
    }
    again = {"resource": "Encounter", "include": ["Encounter:location"]}
    found = read(topic(notificationShape=[shape, again]))
    assert found is not None
    assert found.served(BUILT_IN)["shapes"] == {
        "Encounter": [
            (False, False, "Encounter", "patient", "*"),
            (False, True, "Patient", "link", "*"),
            (False, False, "Encounter", "location", "*"),
            (False, False, "Encounter", "location", "Location"),
            (True, False, "Observation", "encounter", "*"),
            (False, True, "Observation", "performer", "*"),
        ]
    }


@pytest.mark.parametrize(
    ("shape", "place", "words"),
    [
        ({"include": ["Encounter:observation"]}, ".include[0]", "has no reference parameter observation"),
        ({"include": ["Encounter:location", "Observation:subject"]}, ".include[1]", "the search is for Encounter"),
        ({"revInclude": ["Encounter:subject"]}, ".revInclude[0]", "does not lead to Encounter"),
        ({"include": ["Encounter"]}, ".include[0]", "write Type:parameter"),
        ({"include": ["Encounter:patient&iterate=Patient.nobody"]}, ".include[0]", "no reference parameter nobody"),
        ({"include": ["Encounter:patient&_sort=date"]}, ".include[0]", "and nothing else"),
        ({"resource": "Patient"}, ".resource", "about the type of a trigger"),
        ({"resource": "Nothing"}, ".resource", "Name a resource type"),
    ],
)
def test_a_shape_that_a_search_would_refuse_is_refused_with_its_place(
    shape: dict[str, Any], place: str, words: str
) -> None:
    found, text = refusal(topic(notificationShape=[{"resource": "Encounter"} | shape]))
    assert found == f"SubscriptionTopic.notificationShape[0]{place}"
    assert words in text
