"""Topics, Subscriptions to them and what their hooks got, for the tests of both."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.spec.hooks import Hook

BACKPORT = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-"
R5 = "http://hl7.org/fhir/5.0/StructureDefinition/extension-SubscriptionTopic."


def extension(name: str, **value: Any) -> dict[str, Any]:
    return {"url": name, **value}


def basic(url: str, kind: str) -> dict[str, Any]:
    """A topic about everything that happens to a type, as R4 writes it."""
    trigger = [extension("resource", valueUri=f"http://hl7.org/fhir/StructureDefinition/{kind}")]
    able = [extension("resource", valueUri=kind), extension("filterParameter", valueString="code")]
    return {
        "resourceType": "Basic",
        "code": {"coding": [{"system": "http://hl7.org/fhir/fhir-types", "code": "SubscriptionTopic"}]},
        "extension": [
            extension(f"{R5}url", valueUri=url),
            extension(f"{R5}status", valueCode="active"),
            extension(f"{R5}resourceTrigger", extension=trigger),
            extension(f"{R5}canFilterBy", extension=able),
        ],
    }


def subscription(endpoint: str, topic: str, content: str = "full-resource", *filters: str, **more: int) -> Any:
    return {
        "resourceType": "Subscription",
        "meta": {"profile": [f"{BACKPORT}subscription"]},
        "status": "requested",
        "reason": "test",
        "criteria": topic,
        "_criteria": {"extension": [extension(f"{BACKPORT}filter-criteria", valueString=one) for one in filters]},
        "channel": {
            "extension": [
                extension(BACKPORT + name.replace("_", "-"), valueUnsignedInt=value) for name, value in more.items()
            ],
            "type": "rest-hook",
            "endpoint": endpoint,
            "payload": "application/fhir+json",
            "_payload": {"extension": [extension(f"{BACKPORT}payload-content", valueCode=content)]},
        },
    }


def subscribe(fhir: httpx.Client, *words: str, **more: int) -> str:
    sent = subscription(*words, **more)
    for empty in [name for name in ("_criteria",) if not sent[name]["extension"]]:
        del sent[empty]
    if not sent["channel"]["extension"]:
        del sent["channel"]["extension"]
    answer = fhir.post("/Subscription", json=sent)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def told(bundle: dict[str, Any]) -> dict[str, Any]:
    """The status of a notification, by name; events as lists of their parts."""
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "history")
    first = bundle["entry"][0]
    assert first["request"] == {"method": "GET", "url": f"{value(first, 'subscription')['reference']}/$status"}
    return {
        "type": value(first, "type"),
        "status": value(first, "status"),
        "topic": value(first, "topic"),
        "total": value(first, "events-since-subscription-start"),
        "events": [
            {part["name"]: next(told for name, told in part.items() if name != "name") for part in one["part"]}
            for one in first["resource"]["parameter"]
            if one["name"] == "notification-event"
        ],
    }


def value(entry: dict[str, Any], name: str) -> Any:
    (one,) = [each for each in entry["resource"]["parameter"] if each["name"] == name]
    return next(told for key, told in one.items() if key != "name")


def bundles(hook: Hook) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in hook.received]


def kinds(hook: Hook) -> list[str]:
    return [told(one)["type"] for one in bundles(hook)]


def numbers(hook: Hook) -> list[int]:
    return [int(event["event-number"]) for one in bundles(hook) for event in told(one)["events"]]


def standing(fhir: httpx.Client, own: str) -> dict[str, Any]:
    (entry,) = fhir.get(f"/Subscription/{own}/$status").json()["entry"]
    parameters = entry["resource"]["parameter"]
    return {one["name"]: next(told for key, told in one.items() if key != "name") for one in parameters}
