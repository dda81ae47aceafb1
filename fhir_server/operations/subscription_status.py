"""Subscription $status: whether a hook is reached, and how many notifications it was sent.

Enters: an address. Leaves: a Bundle with the status of one Subscription, or of all of the site that are not off.
Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-status.html
"""

from __future__ import annotations

from typing import Any

from ecluse.core import clock
from ecluse.core.fhir import json
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.store import resources
from fhir_server.subscriptions.taking import SQL

Json = dict[str, Any]


async def status(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with a searchset. Raises: NotFound (404), Gone (410)"""
    kind, *rest = request.segments
    own = rest[0] if len(rest) == 2 else None
    async with server.connection() as conn:
        if own is not None:
            await resources.current(conn, request.site.number, kind, own)
        rows = await conn.fetch(SQL["told"], request.site.number, own)
    if own is not None and not rows:
        rows = [{"id": own, "state": "off", "error": "", "last": 0, "delivered": 0}]
    entries = [{"resource": _told(request, row), "search": {"mode": "match"}} for row in rows]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return Answer(200, json.encode(bundle | ({"entry": entries} if entries else {})))


def _told(request: Request, row: Any) -> Json:
    told: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": f"{request.base}/Subscription/{row['id']}"}},
        {"name": "status", "valueCode": row["state"]},
        {"name": "type", "valueCode": "query-status"},
        {"name": "events-since-subscription-start", "valueString": str(row["last"])},
        {"name": "events-delivered", "valueString": str(row["delivered"])},
    ]
    if row["error"]:
        told.append({"name": "error", "valueCodeableConcept": {"text": row["error"]}})
    return {"resourceType": "Parameters", "id": clock.new_id(), "parameter": told}


OPERATIONS = (
    Operation(
        "status",
        status,
        "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-status",
        ("type", "instance"),
        ("Subscription",),
    ),
)
