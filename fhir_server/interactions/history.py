"""history of a resource, of a type, of the whole site: versions, newest first, deletions among them.

Spec: http://hl7.org/fhir/R4/http.html#history
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import msgspec

from ecluse.core import clock
from ecluse.core.errors import BadRequest, EcluseError, Issue, NotFound
from ecluse.core.fhir import dates, json, types
from fhir_server.http.query import CHOICES, nearest
from fhir_server.http.request import Answer, Request
from fhir_server.http.responses import entity_tag
from fhir_server.server import Server
from fhir_server.store import history as store
from fhir_server.store.change import CREATED
from fhir_server.store.history import Past, Place, Window
from fhir_server.store.settled import settled

DEFAULT_COUNT, MOST = 100, 1000
ALL_TYPES = tuple(types.number_of.values())


@dataclass(frozen=True, slots=True)
class Asked:
    """What the parameters ask for. count: 0 for the total alone; link: the parameters again, without the cursor"""

    window: Window
    place: Place
    count: int
    total: bool
    link: tuple[tuple[str, str], ...]


async def instance_history(server: Server, request: Request) -> Answer:
    """200 with the versions of one resource and their number; `next` leads to older ones.

    Raises: NotFound (404) when nothing was ever stored, BadRequest (400) for a parameter that it does not know
    """
    resource_type, resource_id, _ = request.segments
    asked = _asked(request.query)
    site, address = request.site.number, (resource_type, resource_id)
    async with server.connection() as conn:
        versions = await store.of_resource(conn, site, address, asked.window, asked.place, asked.count + 1)
        stored, total = await store.of_resource_total(conn, site, address, asked.window)
    if not stored:
        raise NotFound(f"There is no {resource_type}/{resource_id} here.")
    return Answer(200, _bundle(request, asked, versions, total))


async def type_history(server: Server, request: Request) -> Answer:
    """200 with the versions of all resources of a type."""
    return await _of_types(server, request, [types.number_of[request.segments[0]]])


async def system_history(server: Server, request: Request) -> Answer:
    """200 with the versions of all resources of the site."""
    return await _of_types(server, request, ALL_TYPES)


async def _of_types(server: Server, request: Request, kinds: Sequence[int]) -> Answer:
    """Counted only when asked to: counting reads all there is."""
    asked = _asked(request.query)
    site, versions, total, seen_until = request.site.number, list[Past](), None, None
    async with server.connection() as conn:
        if asked.place == Place():
            seen_until = await settled(conn)  # before the versions are read
        if asked.count:
            versions = await store.of_types(conn, site, kinds, asked.window, asked.place, asked.count + 1)
        if asked.total or not asked.count:
            total = await store.of_types_total(conn, site, kinds, asked.window)
    return Answer(200, _bundle(request, asked, versions, total, seen_until))


def _asked(query: str) -> Asked:
    given = parse_qsl(query, keep_blank_values=True)
    values = dict(given)
    read = _read(given)
    low, high = read.get("_at", (Window().current, Window().until))
    return Asked(
        window=Window(read.get("_since", Window().since), high, low),
        place=read.get("_cursor", Place()),
        count=0 if read.get("_summary") == "count" else read.get("_count", DEFAULT_COUNT),
        total=values.get("_total", "none") != "none",
        link=tuple(pair for pair in given if pair[0] != "_cursor"),
    )


def _read(given: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """What each parameter says. Raises: BadRequest (400) with all that is wrong"""
    read: dict[str, Any] = {}
    issues: list[Issue] = []
    for name, text in given:
        try:
            if name in read:
                raise BadRequest(f"{name}: write it once.")
            read[name] = _reader(name)(name, text)
        except BadRequest as error:
            issues += error.issues
    if issues:
        raise BadRequest(issues=issues)
    return read


def _reader(name: str) -> Callable[[str, str], Any]:
    """What reads the text of a parameter. Raises: BadRequest (400) with the valid names, the nearest first"""
    if name not in READERS:
        valid = ", ".join(nearest(name, sorted(READERS.keys() - {"_cursor"})))
        raise BadRequest(f"A history takes no {name[:80]}; valid, nearest first: {valid}.")
    return READERS[name]


def _count(name: str, text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise BadRequest(f"{name}: write a number from 0 on.", diagnostics=f'found "{text[:80]}"')
    return min(int(text[:9]), MOST)


def _moment(name: str, text: str) -> Any:
    """The interval that a date covers."""
    try:
        return dates.bounds(text.replace(" ", "+"))
    except EcluseError as error:
        raise BadRequest(f"{name}: {error.issues[0].text}", diagnostics=error.issues[0].diagnostics) from None


def _beginning(name: str, text: str) -> Any:
    return _moment(name, text)[0]


def _one_of(*choices: str) -> Callable[[str, str], str]:
    def read(name: str, text: str) -> str:
        if text not in choices:
            one = "one of " if len(choices) > 1 else ""
            raise BadRequest(f"{name}: write {one}{', '.join(choices)}.", diagnostics=f'found "{text[:80]}"')
        return text

    return read


def _cursor(name: str, text: str) -> Place:
    try:
        found = msgspec.msgpack.decode(urlsafe_b64decode(text + "=" * (-len(text) % 4)), type=Place)
    except (msgspec.MsgspecError, binascii.Error, ValueError):
        found = None
    if found is None or found.updated.tzinfo is None or not 0 < found.version <= store.NEWEST:
        raise BadRequest(f"{name}: follow the `next` link of a page as it is.", diagnostics=f'found "{text[:80]}"')
    return found


def _unchanged(name: str, text: str) -> str:
    return text


READERS: dict[str, Callable[[str, str], Any]] = {
    "_at": _moment,
    "_count": _count,
    "_cursor": _cursor,
    "_elements": _unchanged,
    "_format": _unchanged,
    "_pretty": _one_of(*CHOICES["_pretty"]),
    "_since": _beginning,
    "_sort": _one_of("-_lastUpdated"),
    "_summary": _one_of(*CHOICES["_summary"]),
    "_total": _one_of("none", "estimate", "accurate"),
}
"""What reads the text of each parameter; `_format`, `_pretty`, `_elements` and `_summary` are obeyed where the answer
is written.

Raises: BadRequest (400) when the text is none that the parameter takes"""


def _bundle(
    request: Request, asked: Asked, versions: Sequence[Past], total: int | None, seen_until: datetime | None = None
) -> bytes:
    """One version more than the page holds means that there is a next page."""
    shown = versions[: asked.count]
    bundle: dict[str, Any] = {"resourceType": "Bundle", "type": "history"}
    if seen_until is not None:
        bundle["timestamp"] = clock.instant_text(seen_until)
    if total is not None:
        bundle["total"] = total
    bundle["link"] = [_link(request, "self", asked.link)]
    if len(versions) > len(shown) > 0:
        last = shown[-1]
        place = urlsafe_b64encode(msgspec.msgpack.encode(Place(last.updated, last.pk, last.version))).rstrip(b"=")
        bundle["link"].append(_link(request, "next", [*asked.link, ("_cursor", place.decode())]))
    if shown:
        bundle["entry"] = [_entry(request, past) for past in shown]
    return json.encode(bundle)


def _link(request: Request, relation: str, parameters: Sequence[tuple[str, str]]) -> dict[str, str]:
    address = f"{request.base}/{'/'.join(request.segments)}"
    return {"relation": relation, "url": f"{address}?{urlencode(parameters)}" if parameters else address}


def _entry(request: Request, past: Past) -> dict[str, Any]:
    """How the version came to be: what was asked, and what the answer was."""
    resource_type = types.name_of[past.type]
    address = f"{resource_type}/{past.id}"
    entry: dict[str, Any] = {"fullUrl": f"{request.base}/{address}"}
    if past.body is not None:
        entry["resource"] = msgspec.Raw(past.body)
    method = "DELETE" if past.body is None else "POST" if past.posted else "PUT"
    status = "204 No Content" if past.body is None else "201 Created" if past.op == CREATED else "200 OK"
    entry["request"] = {"method": method, "url": resource_type if past.posted else address}
    entry["response"] = {
        "status": status,
        "etag": entity_tag(past.version),
        "lastModified": clock.instant_text(past.updated),
    }
    return entry
