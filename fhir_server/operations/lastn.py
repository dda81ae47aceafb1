"""$lastn: of each kind of observation of a patient, the most recent ones.

Enters: a search for Observations, and `max`. Leaves: a searchset, newest first; of each group of equal codes the last
`max`, and what is as recent as the last of them. Of a body only code and time are decoded.

    1  match   the keys of all that the search finds
    2  read    code and time of each, a thousand bodies at once
    3  group   codings that stand in one code are equal, and so is what is equal to them
    4  answer  the bodies of what is left

Spec: http://hl7.org/fhir/R4/observation-operation-lastn.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from urllib.parse import urlencode

import msgspec

from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Issue, Unprocessable
from ecluse.core.fhir.dates import EARLIEST, bounds
from fhir_server.http.request import Answer, Request
from fhir_server.http.searchset import entry, searchset
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.search.compile import keys
from fhir_server.search.parse import parse
from fhir_server.search.query import SearchQuery
from fhir_server.search.terms import resolved
from fhir_server.server import Server
from fhir_server.store import resources

AT_ONCE = 1000
MOST_READ, MOST_TOLD = 100_000, 1000
"""Observations that are looked at, and that one answer holds; there are no pages, so a larger one is refused."""
MAX = "max"
REFUSED = ("_sort", "_count", "_total", "_cursor", "_summary")
SUBJECTS = frozenset({"patient", "subject"})
CODES = frozenset(
    {
        "category",
        "code",
        "combo-code",
        "component-code",
        "value-concept",
        "combo-value-concept",
        "component-value-concept",
    }
)
"""The search parameters that ask for a code."""

Code = tuple[str, str]
"""(system, code), or ("", text) of a code that has no coding."""


class Seen(NamedTuple):
    """What counts of an observation. at: when it was made; EARLIEST when it does not say."""

    at: datetime
    pk: int
    codes: tuple[Code, ...]


class _Coding(msgspec.Struct):
    system: str = ""
    code: str = ""


class _Concept(msgspec.Struct):
    coding: list[_Coding] = []
    text: str = ""


class _Period(msgspec.Struct, frozen=True):
    start: str = ""
    end: str = ""


class _Timing(msgspec.Struct, frozen=True):
    event: list[str | None] = []


class _Observation(msgspec.Struct):
    """The members that are looked at."""

    code: _Concept
    effectiveDateTime: str = ""
    effectiveInstant: str = ""
    effectivePeriod: _Period = _Period()
    effectiveTiming: _Timing = _Timing()
    issued: str = ""


_decode = msgspec.json.Decoder(_Observation).decode


async def lastn(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with the observations.

    Raises: BadRequest (400) without a patient or a code to look for, or for what the search does not know;
    Unprocessable (422, too-costly) when there are too many for one answer
    """
    most = parameters.whole(MAX, least=1) or 1
    query = _query(request, parameters)
    async with server.connection() as conn:
        sql, arguments = keys(request.site.number, await resolved(conn, request.site.number, query))
        found = [row["pk"] for row in await conn.fetch(sql, *arguments)]
        _check(len(found), MOST_READ, "to look at", "narrow by category, code or date")
        seen = [one async for one in _read(conn, request.site.number, found)]
        chosen = chosen_of(seen, most)
        _check(len(chosen), MOST_TOLD, "in one answer", "narrow by category, code or date, or lower max")
        rows = await resources.current_of_keys(conn, request.site.number, "Observation", [one.pk for one in chosen])
    stored = {row["pk"]: row for row in rows}
    return Answer(200, _bundle(request, parameters, [stored[one.pk] for one in chosen if one.pk in stored]))


def _check(count: int, most: int, where: str, way_out: str) -> None:
    if count > most:
        text = f"$lastn takes {most:,} observations {where} at the most, and has no pages: {way_out}."
        raise Unprocessable(issues=[Issue(text, diagnostics=f"found {count:,}", code="too-costly")])


def _query(request: Request, parameters: Parameters) -> SearchQuery:
    asked = [(one.name, one.value) for one in parameters.given if one.name != MAX]
    refused = [name for name, _ in asked if name in REFUSED]
    if refused:
        text = "$lastn answers everything at once, newest first; say how many of each code with max."
        raise BadRequest(issues=[Issue(f"{name}: {text}", code="not-supported") for name in refused])
    if any(not isinstance(value, str) for _, value in asked):
        raise BadRequest("Write search parameters as texts, like valueString.")
    query = parse("Observation", urlencode(asked), base=request.base)
    codes = {condition.code for condition in query.conditions}
    if not codes & SUBJECTS:
        raise BadRequest("Say whose observations: patient or subject.")
    if not codes & CODES:
        raise BadRequest(
            "Say which observations: category or code.", diagnostics=f"or one of {', '.join(sorted(CODES))}"
        )
    return query


async def _read(conn: Connection, site: int, found: Sequence[int]) -> AsyncIterator[Seen]:
    for start in range(0, len(found), AT_ONCE):
        for row in await resources.current_of_keys(conn, site, "Observation", found[start : start + AT_ONCE]):
            observation = _decode(row["body"])
            yield Seen(_at(observation), row["pk"], _codes(observation.code))


def _at(observation: _Observation) -> datetime:
    """The instant of an observation: the end of a period, the last event of a timing, else when it was issued."""
    events = [event for event in observation.effectiveTiming.event if event]
    text = (
        observation.effectiveDateTime
        or observation.effectiveInstant
        or observation.effectivePeriod.end
        or observation.effectivePeriod.start
        or (max(events, key=bounds) if events else observation.issued)
    )
    return bounds(text)[0] if text else EARLIEST


def _codes(concept: _Concept) -> tuple[Code, ...]:
    codings = tuple((coding.system, coding.code) for coding in concept.coding if coding.code)
    return codings or (("", concept.text),)


def chosen_of(seen: Iterable[Seen], most: int) -> list[Seen]:
    """Of each group the last ones, all newest first."""
    groups: dict[Code, list[Seen]] = {}
    listed = sorted(seen, key=lambda one: (one.at, one.pk), reverse=True)
    first = _equal(listed)
    for one in listed:
        groups.setdefault(first[one.codes[0]], []).append(one)
    chosen = [one for group in groups.values() for one in group if one.at >= group[:most][-1].at]
    return sorted(chosen, key=lambda one: (one.at, one.pk), reverse=True)


def _equal(seen: Iterable[Seen]) -> dict[Code, Code]:
    """Each code → the one that stands for all that are equal to it."""
    parent: dict[Code, Code] = {}

    def root(code: Code) -> Code:
        parent.setdefault(code, code)
        while parent[code] != code:
            parent[code] = code = parent[parent[code]]
        return code

    for one in seen:
        for code in one.codes:
            parent[root(code)] = root(one.codes[0])
    return {code: root(code) for code in list(parent)}


def _bundle(request: Request, parameters: Parameters, rows: Sequence[Any]) -> bytes:
    address = f"{request.base}/Observation/$lastn?{urlencode([(one.name, str(one.value)) for one in parameters.given])}"
    entries = (entry(request.base, "Observation", row["id"], row["body"]) for row in rows)
    return searchset({"total": len(rows), "link": [{"relation": "self", "url": address}]}, entries)


OPERATIONS = (
    Operation(
        "lastn",
        lastn,
        "http://hl7.org/fhir/OperationDefinition/Observation-lastn",
        ("type",),
        ("Observation",),
        parameters=None,
    ),
)
