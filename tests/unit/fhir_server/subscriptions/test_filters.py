"""Filters are held against `canFilterBy`: parameters, comparators, modifiers.

Spec: http://hl7.org/fhir/R5/subscriptiontopic.html#filters-comparator"""

from __future__ import annotations

from typing import Any

import pytest

from ecluse.core.errors import Unprocessable
from ecluse.core.fhir import json
from fhir_server.subscriptions.filters import conditions
from fhir_server.subscriptions.topic import read

ABLE: list[dict[str, Any]] = [
    {"resource": "Observation", "filterParameter": "code"},
    {"resource": "Observation", "filterParameter": "status", "modifier": ["not", "missing"]},
    {"resource": "Observation", "filterParameter": "date", "comparator": ["gt", "le"]},
    {"resource": "Observation", "filterParameter": "value-quantity", "modifier": ["=", "ge"]},
    {"resource": "Observation", "filterParameter": "subject", "modifier": ["type"]},
    {"resource": "Observation", "filterParameter": "code-value-quantity", "comparator": ["lt"]},
    {"resource": "Encounter", "filterParameter": "status", "modifier": ["text"]},
]


def definition(*able: dict[str, Any]) -> dict[str, Any]:
    """Of a topic, as it is read from the store."""
    triggers = [{"resource": "Observation"}, {"resource": "Encounter"}]
    told = {"url": "urn:t", "status": "active", "resourceTrigger": triggers, "canFilterBy": list(able) or ABLE}
    topic = read(told)
    assert topic is not None
    stored: dict[str, Any] = json.decode(json.encode(topic.definition))
    return stored


@pytest.mark.parametrize(
    "query",
    [
        "code=urn:t|a,urn:t|gt",
        "status=final",
        "status:not=final",
        "status:missing=true",
        "date=gt2024",
        "date=le2024-05-01&date=gt2023",
        "value-quantity=5.4",
        "value-quantity=eq5.4,ge7||mg",
        "subject:Patient=17",
        "code-value-quantity=urn:t|ge1$lt5",
    ],
)
def test_what_the_topic_lists_is_a_condition(query: str) -> None:
    assert list(conditions([f"Observation?{query}"], definition())) == ["Observation"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("category=x", "can be filtered by code, code-value-quantity, date, status, subject, value-quantity"),
        ("code:not=urn:t|a", "modifiers of code in filters of this topic: none; not :not"),
        ("code:missing=true", "none; not :missing"),
        ("status:text=fin", ":missing, :not; not :text"),
        ("date=2024", "comparators of date in filters of this topic: gt, le; not eq"),
        ("date=lt2024", "gt, le; not lt"),
        ("date=gt2024,2025", "not eq"),
        ("value-quantity=5,gt7", "eq, ge; not gt"),
        ("subject:Patient.name=x", "not :Patient.name"),
        ("subject:identifier=a|b", ":type; not :identifier"),
        ("code-value-quantity=urn:t|a$gt5", "lt; not gt"),
    ],
)
def test_what_it_does_not_list_is_refused(query: str, words: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        conditions([f"Observation?{query}"], definition())
    assert words in str(refused.value)


def test_a_date_without_comparators_is_asked_for_equality_alone() -> None:
    told = definition({"filterParameter": "date"})
    assert conditions(["Observation?date=2024,eq2025"], told)
    with pytest.raises(Unprocessable, match="eq; not ge"):
        conditions(["Observation?date=ge2024"], told)


def test_topics_of_earlier_releases_go_on_as_they_did() -> None:
    told = definition() | {"filters": [["Observation", "date"], ["", "status"]]}
    assert conditions(["Observation?date=ge2024&status:not=final"], told)


@pytest.mark.parametrize(("name", "word"), [("comparator", "not"), ("modifier", "sounds-like"), ("comparator", "=>")])
def test_an_operator_that_there_is_not_is_refused_with_its_place(name: str, word: str) -> None:
    with pytest.raises(Unprocessable) as refused:
        definition({"filterParameter": "code", name: [word]})
    (issue,) = refused.value.issues
    assert (issue.expression, issue.diagnostics) == (f"SubscriptionTopic.canFilterBy[0].{name}", word)
