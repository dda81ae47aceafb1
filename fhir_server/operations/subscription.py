"""Subscription $status, $events, $resend and $get-ws-binding-token: whether an app is reached, what it was to hear,
that again, and how to listen.

Enters: an address. Leaves: a searchset with the status of one Subscription or of all of the site that are not off; a
Bundle with the events of some numbers, in the form in which they are sent; the status after they are due again; or a
token with which a websocket is bound to Subscriptions.
Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/OperationDefinition-backport-subscription-status.html and
OperationDefinition-backport-subscription-events.html
"""

from __future__ import annotations

import secrets
from typing import Any

from ecluse.bus.wakeup import NOTIFICATIONS
from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest, Conflict, Gone
from ecluse.core.fhir import json
from ecluse.related import told
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.store import resources
from fhir_server.subscriptions.taking import SQL, failures
from fhir_server.subscriptions.websocket import PATH, hashed
from mappers.subscriptions.bundle import CONTENTS, Standing, notification, parameters

MOST = 1000
TOKEN_S = 600
"""How long a token can be used to bind a websocket; a bound one stays so."""
SINCE, UNTIL, CONTENT = "eventsSinceNumber", "eventsUntilNumber", "content"
GUIDE = "http://hl7.org/fhir/uv/subscriptions-backport/OperationDefinition/backport-subscription-"
OFF = {
    "pk": 0,
    "state": "off",
    "error": "",
    "last": 0,
    "delivered": 0,
    "topic": "",
    "content": "",
    "undecided": 0,
    "gone": False,
}


async def status(server: Server, request: Request, given: Parameters) -> Answer:
    """200 with a searchset. Raises: NotFound (404), Gone (410)"""
    own = _own(request)
    async with server.connection() as conn:
        rows = await _rows(conn, request, own)
    ids, states = given.texts("id"), given.texts("status")
    rows = [row for row in rows if (not ids or row["id"] in ids) and (not states or row["state"] in states)]
    entries = [
        {
            "resource": parameters(clock.new_id(), "query-status", _standing(request, row)),
            "search": {"mode": "match"},
        }
        for row in rows
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(entries)}
    return Answer(200, json.encode(bundle | ({"entry": entries} if entries else {})))


async def events(server: Server, request: Request, given: Parameters) -> Answer:
    """200 with a history of at most 1,000 events, from `eventsSinceNumber` to `eventsUntilNumber`, both included.

    Raises: BadRequest (400) for what is no number or lies behind the next event, NotFound (404), Gone (410) also when
    the first of them is no longer kept"""
    first, last = _number(given, SINCE, 1), _number(given, UNTIL, told.LAST)
    if last < first:
        raise BadRequest(f"{UNTIL} is not before {SINCE}.", diagnostics=f"found {first} and {last}")
    async with server.connection() as conn:
        (row,) = await _rows(conn, request, _own(request))
        # Who has heard all asks for the next one, and hears that there is none yet.
        _check_there(row, first, row["last"] + 1)
        await _check_kept(conn, row, first)
        found = await told.kept(conn, row["pk"], first, last, MOST)
        standing = _standing(request, row)._replace(content=_content(given, row["content"]))
        kept = await told.events(conn, request.site.number, standing.content, found)
    return Answer(200, notification(clock.new_id(), clock.now(), "query-event", standing, kept))


async def resend(server: Server, request: Request, given: Parameters) -> Answer:
    """200 with the status: everything from `eventsSinceNumber` on is sent once more, under the same numbers.

    Raises: BadRequest (400) without the number of an event that there is, NotFound (404), Gone (410) also when it is no
    longer kept, Conflict (409) for a Subscription that is off"""
    first = _number(given, SINCE, 0)
    if not first:
        raise BadRequest(f"Say from which event on: {SINCE}=17.")
    async with server.connection() as conn:
        (row,) = await _rows(conn, request, _own(request))
        if row["state"] == "off":
            raise Conflict("This Subscription is off: nothing is sent.")
        _check_there(row, first, row["last"])
        await _check_kept(conn, row, first)
        await conn.execute(SQL["again"], row["pk"], first)
        await conn.execute(f"NOTIFY {NOTIFICATIONS}")
        (row,) = await _rows(conn, request, _own(request))
    return Answer(200, json.encode(parameters(clock.new_id(), "query-status", _standing(request, row))))


async def token(server: Server, request: Request, given: Parameters) -> Answer:
    """200 with a token for the Subscription of the address, or for those of `id`, or for all of the site by websocket.

    Raises: BadRequest (400) when one of them is none by websocket"""
    own = _own(request)
    ids = given.texts("id") if own is None else [own]
    secret = secrets.token_urlsafe(32)
    async with server.transaction() as conn:
        rows = await conn.fetch(SQL["listening"], request.site.number, ids or None)
        found = [row["id"] for row in rows]
        if not found or set(ids) - set(found):
            named = ", ".join(sorted(set(ids) - set(found))) or "none"
            raise BadRequest("Name Subscriptions whose channel is websocket, and which are not off.", diagnostics=named)
        expires = await conn.fetchval(SQL["bind"], hashed(secret), [row["pk"] for row in rows], TOKEN_S)
    binding: list[dict[str, Any]] = [
        {"name": "token", "valueString": secret},
        {"name": "expiration", "valueDateTime": clock.instant_text(expires)},
        *({"name": "subscription", "valueString": each} for each in found),
        {"name": "websocket-url", "valueUrl": f"ws{server.settings.url.removeprefix('http')}{PATH}"},
    ]
    return Answer(200, json.encode({"resourceType": "Parameters", "parameter": binding}))


def _own(request: Request) -> str | None:
    _, *rest = request.segments
    return rest[0] if len(rest) == 2 else None


async def _rows(conn: Connection, request: Request, own: str | None) -> list[Any]:
    if own is not None:
        await resources.current(conn, request.site.number, "Subscription", own)
    rows = await conn.fetch(SQL["told"], request.site.number, own)
    return [OFF | {"id": own}] if own is not None and not rows else list(rows)


def _standing(request: Request, row: Any) -> Standing:
    about = (row["topic"], row["state"], row["last"], row["content"] or CONTENTS[-1])
    return Standing(request.base, row["id"], *about, errors=failures(row), delivered=row["delivered"])


def _check_there(row: Any, first: int, most: int) -> None:
    if first > most:
        shown = f"the last one is {row['last']}" if row["last"] else "there has been none"
        raise BadRequest(f"There is no event {first} yet; {shown}.", expression=SINCE)


async def _check_kept(conn: Connection, row: Any, first: int) -> None:
    oldest = await conn.fetchval(SQL["oldest"], row["pk"])
    if first <= row["delivered"] and (oldest is None or first < oldest):
        shown = f"the oldest is {oldest}" if oldest else "none is kept"
        raise Gone(f"Event {first} is no longer kept: {shown}. Search for what you may have missed.")


def _number(given: Parameters, name: str, without: int) -> int:
    one = given.one(name)
    if one is None:
        return without
    text = str(one.value)
    if not text.isascii() or not text.isdigit() or not 0 < int(text[:20]) <= told.LAST:
        raise BadRequest(f"{name} is the number of an event: 17.", diagnostics=text[:80])
    return int(text)


def _content(given: Parameters, without: str) -> str:
    one = given.one(CONTENT)
    if one is not None and one.value not in CONTENTS:
        raise BadRequest(f"{CONTENT} is {', '.join(CONTENTS)}.", diagnostics=str(one.value)[:80])
    return str(one.value) if one else without or CONTENTS[-1]


_OF = ("Subscription",)
OPERATIONS = (
    Operation("status", status, f"{GUIDE}status", ("type", "instance"), _OF, ("id", "status")),
    Operation("events", events, f"{GUIDE}events", ("instance",), _OF, (SINCE, UNTIL, CONTENT)),
    Operation("get-ws-binding-token", token, f"{GUIDE}get-ws-binding-token", ("type", "instance"), _OF, ("id",)),
    Operation(
        "resend", resend, "urn:ecluse:OperationDefinition:resend", ("instance",), _OF, (SINCE,), affects_state=True
    ),
)
