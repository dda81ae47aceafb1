"""The bytes that are stored and served: the resource as it was sent, with the server's id and version in it.

Enters: a decoded resource, its id, version and instant. Leaves: compact JSON; only `id`, `meta.versionId` and
`meta.lastUpdated` are ours. Numbers keep their lexemes (ecluse.core.fhir.json)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ecluse.core import clock
from ecluse.core.fhir import json

OURS = ("versionId", "lastUpdated")


def stored_body(resource: dict[str, Any], resource_id: str, version: int, updated: datetime) -> bytes:
    """JSON of the resource under this id and version."""
    ours = {"versionId": str(version), "lastUpdated": clock.instant_text(updated)}
    meta = {**ours, **(resource.get("meta") or {}), **ours}
    given = {"id": resource_id, "meta": meta}
    return json.encode({"resourceType": resource["resourceType"], **given, **resource, **given})


def same_content(resource: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two decoded resources say the same, whatever the order of their members; version and instant are no
    content, numbers are their lexemes."""
    return _content(resource) == _content(other)


def _content(resource: dict[str, Any]) -> dict[str, Any]:
    meta = {name: value for name, value in (resource.get("meta") or {}).items() if name not in OURS}
    return {**resource, "id": None, "meta": meta}
