"""SearchParameters as the tests make them, and wait for them."""

from __future__ import annotations

import time
import uuid
from typing import Any

import httpx

WITHIN_S = 60


def parameter(code: str, expression: str, **members: Any) -> dict[str, Any]:
    """An active token parameter of Patient, unless the members say otherwise."""
    return {
        "resourceType": "SearchParameter",
        "url": f"http://hospital.example/SearchParameter/{code}",
        "name": "".join(part.capitalize() for part in code.split("-")),
        "status": "active",
        "description": "A parameter of a test",
        "code": code,
        "base": ["Patient"],
        "type": "token",
        "expression": expression,
        **members,
    }


def fresh(word: str) -> str:
    """A code that no other test has."""
    return f"{word}-{uuid.uuid4().hex[:8]}"


def status(fhir: httpx.Client, own: str) -> dict[str, Any]:
    """What $status tells of one, each name with its value, or values."""
    answer = fhir.get(f"/SearchParameter/{own}/$status")
    assert answer.status_code == 200, answer.text
    return told(answer.json()["parameter"])


def told(parameters: list[dict[str, Any]]) -> dict[str, Any]:
    """The members of Parameters by name."""
    found: dict[str, Any] = {}
    for one in parameters:
        (value,) = (member for name, member in one.items() if name.startswith("value"))
        if one["name"] == "base":
            found.setdefault("base", []).append(value)
        else:
            found[one["name"]] = value
    return found


def settled(fhir: httpx.Client, own: str) -> dict[str, Any]:
    """What $status tells when the parameter is built, or cannot be."""
    deadline = time.monotonic() + WITHIN_S
    while (found := status(fhir, own))["state"] in ("requested", "backfilling", "verifying"):
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
    return found


def made(fhir: httpx.Client, resource: dict[str, Any]) -> str:
    """The id of a SearchParameter that was stored and is active."""
    answer = fhir.post("/SearchParameter", json=resource)
    assert answer.status_code == 201, answer.text
    own: str = answer.json()["id"]
    assert settled(fhir, own)["state"] == "active", status(fhir, own)
    return own
