"""$everything: all there is about a patient, about all patients, or about an encounter.

Enters: an address and what narrows it. Leaves: pages of a searchset: first the Patient or Encounter, then its
compartment, then what those refer to, each once. The place in the `next` link is all that a page knows of the one
before.
Spec: http://hl7.org/fhir/R4/patient-operation-everything.html, http://hl7.org/fhir/R4/encounter-operation-everything.html
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import urlencode

from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json, types
from ecluse.core.fhir.dates import EARLIEST, LATEST
from ecluse.related.follower import Place
from fhir_server.http.request import Answer, Request
from fhir_server.http.searchset import entry, searchset
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Form, Parameters
from fhir_server.server import Server
from fhir_server.store import compartment, merges, resources
from fhir_server.store.compartment import Reach, Row
from mappers.search.index import patient_of

DEFAULT_COUNT, MOST = 200, 1000
CURSOR = "_cursor"
_CURSOR = re.compile(r"([012])-([0-9]{1,4})-([0-9]{1,18})")

Part = Callable[[Connection, Reach, Place, int], Awaitable[list[Row]]]
"""A page of one part of the answer, after a place."""


async def everything(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with a page of all there is about one Patient or Encounter, or about all Patients of the site.

    Raises: NotFound (404), Gone (410), BadRequest (400) for a parameter that cannot be read
    """
    alone = len(request.segments) == 3
    return await (_of_one if alone else _of_all)(server, request, parameters)


async def _of_one(server: Server, request: Request, parameters: Parameters) -> Answer:
    name, own, _ = request.segments
    async with server.connection() as conn:
        stored = await resources.current(conn, request.site.number, name, own)
        if name == "Patient":
            patients = ids = (own, *await merges.sources(conn, request.site.number, own))
        else:
            whose = patient_of(name, own, json.decode(stored.body or b""))
            ids, patients = (own,), (whose,) if whose else ()
        reach = _reach(request, parameters, name, ids, patients)
        first = Row(types.number_of[name], stored.pk, own, stored.body or b"", 1)
        shown = _is_within(reach, first.type) and (reach.since is None or stored.updated >= reach.since)

        async def itself(_: Any, reach: Reach, after: Place, limit: int) -> list[Row]:
            return [first] if shown and after == Place() else []

        return await _page(conn, request, parameters, reach, (itself, compartment.members, compartment.referred))


async def _of_all(server: Server, request: Request, parameters: Parameters) -> Answer:
    parts = (compartment.patients, compartment.members_of_all, compartment.referred_by_all)
    async with server.connection() as conn:
        return await _page(conn, request, parameters, _reach(request, parameters, "Patient", (), ()), parts)


def _reach(
    request: Request, parameters: Parameters, name: str, ids: tuple[str, ...], patients: tuple[str, ...]
) -> Reach:
    kinds = _types(parameters)
    since = parameters.interval("_since")
    start, end = parameters.interval("start"), parameters.interval("end")
    care = (start[0] if start else EARLIEST, end[1] if end else LATEST) if start or end else None
    return Reach(
        site=request.site.number,
        name=name,
        ids=ids,
        patients=patients,
        types=kinds,
        since=since[0] if since else None,
        care=care,
    )


def _types(parameters: Parameters, name: str = "_type") -> frozenset[int] | None:
    """The types that are asked for, None for all. Raises: BadRequest (400) with each that there is not"""
    listed = [kind for text in parameters.texts(name) for kind in text.split(",")]
    if unknown := [kind for kind in listed if kind not in types.number_of]:
        text = f"{name}: list resource types, like Observation,Condition."
        raise BadRequest(issues=[Issue(text, diagnostics=f"found {kind[:80]!r}") for kind in unknown])
    return frozenset(types.number_of[kind] for kind in listed) if listed else None


def _is_within(reach: Reach, kind: int) -> bool:
    return reach.types is None or kind in reach.types


async def _page(
    conn: Connection, request: Request, parameters: Parameters, reach: Reach, parts: Sequence[Part]
) -> Answer:
    """Rows of one part after the other until the page is full."""
    number, place = _begin(parameters)
    count = _count(parameters) or DEFAULT_COUNT
    shown: list[tuple[int, Row]] = []
    more = False
    for part in range(number, len(parts)):
        left = count - len(shown)
        rows = await parts[part](conn, reach, place, left + 1)
        shown += [(part, row) for row in rows[:left]]
        more = bool(rows) and (len(rows) > left or rows[0].found > len(rows))
        if more:
            break
        place = Place()
    return Answer(200, _bundle(request, parameters, shown, more))


def _count(parameters: Parameters, name: str = "_count") -> int | None:
    return parameters.whole(name, least=1, most=MOST)


def _begin(parameters: Parameters, name: str = CURSOR) -> tuple[int, Place]:
    text = parameters.text(name)
    found = _CURSOR.fullmatch(text or "0-0-0")
    if found is None:
        raise BadRequest(
            f"{name}: follow the `next` link of a page as it is.", diagnostics=f"found {(text or '')[:80]!r}"
        )
    part, kind, pk = map(int, found.groups())
    return part, Place(kind, pk) if text else Place()


def _bundle(request: Request, parameters: Parameters, shown: Sequence[tuple[int, Row]], more: bool) -> bytes:
    entries = (
        entry(request.base, types.name_of[row.type], row.id, row.body, b"include" if part == 2 else b"match")
        for part, row in shown
    )
    return searchset({"link": _links(request, parameters, shown, more)}, entries)


def _links(
    request: Request, parameters: Parameters, shown: Sequence[tuple[int, Row]], more: bool
) -> list[dict[str, str]]:
    """`self` and `next`, as a GET of the same parameters, however they came."""
    address = f"{request.base}/{'/'.join(request.segments)}"
    asked = [(one.name, str(one.value)) for one in parameters.given]
    links = [{"relation": "self", "url": f"{address}?{urlencode(asked)}" if asked else address}]
    if more:
        part, row = shown[-1]
        onward = [*((name, text) for name, text in asked if name != CURSOR), (CURSOR, f"{part}-{row.type}-{row.pk}")]
        links.append({"relation": "next", "url": f"{address}?{urlencode(onward)}"})
    return links


_PATIENT = "http://hl7.org/fhir/OperationDefinition/Patient-everything"
_ENCOUNTER = "http://hl7.org/fhir/OperationDefinition/Encounter-everything"
_NARROWED: dict[str, Form] = {"_since": Parameters.interval, "_type": _types, "_count": _count, CURSOR: _begin}
_OF_PATIENT: dict[str, Form] = {"start": Parameters.interval, "end": Parameters.interval, **_NARROWED}
OPERATIONS = (
    Operation(
        "everything",
        everything,
        _PATIENT,
        ("type", "instance"),
        ("Patient",),
        tuple(_OF_PATIENT),
        forms=_OF_PATIENT,
    ),
    Operation("everything", everything, _ENCOUNTER, ("instance",), ("Encounter",), tuple(_NARROWED), forms=_NARROWED),
)
