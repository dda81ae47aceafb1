"""`/events`: what happened since a position, as JSON, for programs that read no Kafka.

Enters: the query of a request. Leaves: a page of CloudEvents, and the position to ask for next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ecluse.bus import envelope, replay
from ecluse.bus.position import position
from ecluse.core.errors import BadRequest
from ecluse.core.fhir import types
from fhir_server.http.listing import number
from fhir_server.server import Server

NAMES = ("since", "site", "type", "count")
MOST, COUNT = 1000, 100


async def listed(server: Server, given: Mapping[str, str]) -> dict[str, Any]:
    """The events after `since`; without it none, and the present position.

    Raises: BadRequest (400) for a name or value that cannot be read, NotFound (404) for a site that there is not, and
    what a page raises"""
    if unknown := given.keys() - set(NAMES):
        raise BadRequest(f"Events are asked for by {', '.join(NAMES)}; not by {', '.join(sorted(unknown))}.")
    since = position(given["since"]) if "since" in given else None
    sites = [(await server.site(name)).number for name in given["site"].split(",")] if "site" in given else None
    found = await replay.page(server.databases.store, since, _count(given.get("count")), _types(given), sites)
    return {"events": list(map(envelope.structured, found.events)), "next": str(found.next), "more": found.more}


def _types(given: Mapping[str, str]) -> list[str] | None:
    if "type" not in given:
        return None
    names = given["type"].split(",")
    if unknown := [name for name in names if name not in types.number_of]:
        raise BadRequest(
            "type is a list of FHIR R4 resource types, like Patient,Encounter.", diagnostics=unknown[0][:80]
        )
    return names


def _count(text: str | None) -> int:
    if text is None:
        return COUNT
    if (found := number(text, MOST)) is None:
        raise BadRequest(f"Write count as a number from 1 to {MOST}.")
    return found
