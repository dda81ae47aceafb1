"""history of one resource: its versions, newest first.

Spec: http://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from ecluse.core import clock
from ecluse.core.errors import BadRequest, NotFound
from ecluse.core.fhir import dates, json
from fhir_server.http.request import Answer, Request
from fhir_server.http.responses import entity_tag
from fhir_server.server import Server
from fhir_server.store import resources
from fhir_server.store.resources import Past
from fhir_server.store.write import CREATED

DEFAULT_COUNT, MOST = 100, 1000
NEWEST = 2**31 - 1
KNOWN = frozenset({"_count", "_since", "_format", "_pretty", "_before"})


async def history(server: Server, request: Request) -> Answer:
    """200 with a history bundle; `next` leads to older versions.

    Raises: NotFound (404) when nothing was ever stored, BadRequest (400) for a parameter that it does not know
    """
    resource_type, resource_id, _ = request.segments
    asked = _parameters(request.query)
    count = min(_whole(asked.get("_count"), DEFAULT_COUNT), MOST)
    below = _whole(asked.get("_before"), NEWEST)
    since = dates.bounds(asked["_since"])[0] if "_since" in asked else None
    key = (request.site.number, resource_type, resource_id)
    async with server.connection() as conn:
        versions = await resources.history(conn, *key, below=below, limit=count + 1, since=since)
        total = await resources.history_total(conn, *key, since)
        if total == 0 and await resources.history_total(conn, *key, None) == 0:
            raise NotFound(f"There is no {resource_type}/{resource_id} here.")
    return Answer(200, json.encode(_bundle(request, versions[:count], total, _links(request, asked, versions, count))))


def _parameters(query: str) -> dict[str, str]:
    asked = dict(parse_qsl(query, keep_blank_values=True))
    for name in asked.keys() - KNOWN:
        raise BadRequest(f"A history takes {', '.join(sorted(KNOWN - {'_before'}))}.", diagnostics=name)
    return asked


def _whole(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isascii() or not text.isdigit():
        raise BadRequest("Write a whole number.", diagnostics=text)
    return min(int(text), NEWEST)


def _links(request: Request, asked: dict[str, str], versions: list[Past], count: int) -> list[dict[str, str]]:
    address = f"{request.base}/{'/'.join(request.segments)}"
    links = [{"relation": "self", "url": f"{address}?{urlencode(asked)}" if asked else address}]
    if len(versions) > count > 0:
        older = {**asked, "_before": str(versions[count - 1].version)}
        links.append({"relation": "next", "url": f"{address}?{urlencode(older)}"})
    return links


def _bundle(request: Request, versions: list[Past], total: int, links: list[dict[str, str]]) -> dict[str, Any]:
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history", "total": total, "link": links}
    if versions:
        bundle["entry"] = [_entry(request, past) for past in versions]
    return bundle


def _entry(request: Request, past: Past) -> dict[str, Any]:
    resource_type, resource_id, _ = request.segments
    address = f"{resource_type}/{resource_id}"
    created = past.op == CREATED
    entry: dict[str, Any] = {"fullUrl": f"{request.base}/{address}"}
    if past.body is not None:
        entry["resource"] = msgspec.Raw(past.body)
    entry["request"] = {"method": "DELETE" if past.body is None else "PUT", "url": address}
    entry["response"] = {
        "status": "201 Created" if created else "204 No Content" if past.body is None else "200 OK",
        "etag": entity_tag(past.version),
        "lastModified": clock.instant_text(past.updated),
    }
    return entry
