"""Small profiles for tests: a differential on a base type."""

from __future__ import annotations

from typing import Any

from ecluse.core.fhir import json
from ecluse.core.fhir.packages import Definition
from tests.guides import Shelf

URL = "http://hospital.example/fhir/StructureDefinition/tested"
BASE = "http://hl7.org/fhir/StructureDefinition/"


def profile(kind: str, *elements: dict[str, Any], url: str = URL, base: str = "") -> dict[str, Any]:
    """A profile of a type; elements: of its differential, id or path below the type ("code.coding:loinc")"""
    rows = [{"id": kind, "path": kind}]
    for element in elements:
        path = ".".join(step.partition(":")[0] for step in f"{kind}.{element['id']}".split("."))
        rows.append({**element, "id": f"{kind}.{element['id']}", "path": path})
    return {
        "resourceType": "StructureDefinition",
        "url": url,
        "type": kind,
        "baseDefinition": base or BASE + kind,
        "differential": {"element": rows},
    }


def shelf(*definitions: dict[str, Any]) -> Shelf:
    """A shelf with these definitions alone."""
    return Shelf(
        [Definition(one["resourceType"], one["url"], "", one.get("type", ""), json.encode(one)) for one in definitions]
    )


def findings(resource: dict[str, Any], *definitions: dict[str, Any]) -> list[tuple[str, str]]:
    """Place and code of the errors of a resource by the first profile."""
    decoded = json.decode(json.encode(resource))
    return [(i.expression, i.code) for i in shelf(*definitions).errors(decoded, definitions[0]["url"])]


def coding(code: str, system: str = "http://loinc.org") -> dict[str, Any]:
    """A Coding."""
    return {"system": system, "code": code}


def observation(**members: Any) -> dict[str, Any]:
    """An Observation."""
    return {"resourceType": "Observation", "status": "final", "code": {"text": "a"}, **members}
