"""Small Questionnaires and responses for tests."""

from __future__ import annotations

from typing import Any

from ecluse.core.errors import Issue
from ecluse.core.fhir import json
from tests.unit.core.fhir.validation.profiles.given import BASE, shelf

URL = "http://hospital.example/fhir/Questionnaire/ward"
PAIN = "http://hospital.example/fhir/pain"
VALUE_SET = {
    "resourceType": "ValueSet",
    "url": "http://hospital.example/fhir/ValueSet/pain",
    "compose": {"include": [{"system": PAIN, "concept": [{"code": "none"}, {"code": "some"}]}]},
}


def questionnaire(*items: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A Questionnaire with these items."""
    return {"resourceType": "Questionnaire", "url": URL, "status": "active", "item": list(items), **members}


def asked(link: str, kind: str, *items: dict[str, Any], **members: Any) -> dict[str, Any]:
    """An item of a Questionnaire."""
    return {"linkId": link, "type": kind, **({"item": list(items)} if items else {}), **members}


def when(question: str, operator: str = "=", **answer: Any) -> dict[str, Any]:
    """A condition of an item."""
    return {"question": question, "operator": operator, **answer}


def limit(name: str, **value: Any) -> dict[str, Any]:
    """An extension of an item; name: the end of its url, or all of it"""
    return {"url": name if ":" in name else BASE + name, **value}


def response(*items: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A completed response to URL."""
    named = {"questionnaire": URL, "status": "completed", **members}
    return {"resourceType": "QuestionnaireResponse", **named, "item": list(items)}


def item(link: str, *answers: Any, items: list[dict[str, Any]] | None = None, **members: Any) -> dict[str, Any]:
    """An item of a response. answers: {"valueString": "a"}; of a boolean, integer or text the value alone"""
    given = [one if isinstance(one, dict) else answer(one) for one in answers]
    return {"linkId": link, **({"answer": given} if given else {}), **({"item": items} if items else {}), **members}


def answer(value: Any, **members: Any) -> dict[str, Any]:
    """An answer of a boolean, an integer or a text."""
    name = {bool: "valueBoolean", int: "valueInteger", str: "valueString"}[type(value)]
    return {name: value, **members}


def issues(given: dict[str, Any], *definitions: dict[str, Any]) -> list[Issue]:
    """What is told of a resource with these definitions at hand."""
    return shelf(*definitions).issues(json.decode(json.encode(given)))


def found(given: dict[str, Any], *definitions: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Severity, code and place, below the resource, of errors and warnings."""
    told = [one for one in issues(given, *definitions) if one.severity != "information"]
    return [(one.severity, one.code, one.expression.partition(".")[2]) for one in told]
