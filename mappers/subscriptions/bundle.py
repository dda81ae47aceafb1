"""What an app is sent about a topic: a Bundle that begins with the status of its Subscription.

Enters: how a Subscription stands, and events. Leaves: the JSON of a Bundle of type history, R4's form of
subscription-notification.
Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/notifications.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from ecluse.core.clock import instant_text
from ecluse.core.fhir import json, types

Json = dict[str, Any]
Kind = Literal["handshake", "heartbeat", "event-notification", "query-status", "query-event"]
EMPTY, ID_ONLY, FULL = CONTENTS = ("empty", "id-only", "full-resource")
MOST_BESIDE = 100
"""Resources that are sent beside the one that an event is about."""
PROFILE = "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/backport-subscription-status-r4"
MORE = f"Event {{}} leads to more than {MOST_BESIDE} resources that go with it; the others are left out."
METHODS = {1: ("POST", "201"), 2: ("PUT", "200"), 3: ("DELETE", "204")}
"""How each operation of the store is told in a history."""


class Standing(NamedTuple):
    """How a Subscription stands. base: of its site; total: events since it began; content: what of a resource is
    sent; errors: in words"""

    base: str
    id: str
    topic: str
    status: str
    total: int
    content: str
    errors: tuple[str, ...] = ()
    delivered: int | None = None


class Beside(NamedTuple):
    """A resource that is sent beside the one that an event is about. body: None when only its address is"""

    type: str
    id: str
    body: bytes | None

    @property
    def place(self) -> str:
        """`Type/id`."""
        return f"{self.type}/{self.id}"


class Told(NamedTuple):
    """One event. id: "" when what it was about was erased; op: number of the store; body: as stored, None when it is
    gone; beside: what the topic wants sent with it; more: there is more of that than is sent"""

    number: int
    at: datetime
    type: str
    id: str
    op: int
    body: bytes | None
    beside: tuple[Beside, ...] = ()
    more: bool = False

    @property
    def place(self) -> str:
        """`Type/id`."""
        return f"{self.type}/{self.id}"


def told(row: Mapping[str, Any]) -> Told:
    """The event of a stored notification: number, made_at, type, id, and op and body of its version; what is beside it
    has to be read. Of what was erased only the number is left."""
    known = row["op"] is not None and bool(row["id"])
    kind, own = (types.name_of[row["type"]], row["id"]) if known else ("", "")
    return Told(row["number"], row["made_at"], kind, own, row["op"] or 0, row["body"] if known else None)


def notification(key: str, at: datetime, kind: Kind, standing: Standing, events: Sequence[Told] = ()) -> bytes:
    """The Bundle. key: a UUID of its own; at: when it is made"""
    address = f"{standing.base}/Subscription/{standing.id}"
    status = {
        "fullUrl": f"urn:uuid:{key}",
        "resource": parameters(key, kind, standing, events),
        "request": {"method": "GET", "url": f"{address}/$status"},
        "response": {"status": "200"},
    }
    entries = [] if standing.content == EMPTY else [_entry(standing, one) for one in events if one.id]
    entries += [] if standing.content == EMPTY else _beside(standing, events)
    bundle = {
        "resourceType": "Bundle",
        "id": key,
        "type": "history",
        "timestamp": instant_text(at),
        "entry": [status, *entries],
    }
    return json.encode(bundle)


def message(key: str, at: datetime, standing: Standing, endpoint: str, bundle: bytes) -> bytes:
    """A notification as the focus of a message, for the channel of that name.

    key: a UUID of its own; endpoint: to which it goes
    Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/channels.html#messaging"""
    focus = f"urn:uuid:{json.decode(bundle)['id']}"
    header = {
        "resourceType": "MessageHeader",
        "id": key,
        "eventUri": standing.topic,
        "destination": [{"endpoint": endpoint}],
        "source": {"name": "Écluse", "endpoint": standing.base},
        "focus": [{"reference": focus}],
    }
    told = {
        "resourceType": "Bundle",
        "type": "message",
        "timestamp": instant_text(at),
        "entry": [
            {"fullUrl": f"urn:uuid:{key}", "resource": header},
            {"fullUrl": focus, "resource": msgspec.Raw(bundle)},
        ],
    }
    return json.encode(told)


def parameters(key: str, kind: Kind, standing: Standing, events: Sequence[Told] = ()) -> Json:
    """The status, and each event by its number."""
    given: list[Json] = [
        {"name": "subscription", "valueReference": {"reference": f"{standing.base}/Subscription/{standing.id}"}},
        *([{"name": "topic", "valueCanonical": standing.topic}] if standing.topic else []),
        {"name": "status", "valueCode": standing.status},
        {"name": "type", "valueCode": kind},
        {"name": "events-since-subscription-start", "valueString": str(standing.total)},
        *({"name": "notification-event", "part": _parts(standing, one)} for one in events),
    ]
    if standing.delivered is not None:
        given.append({"name": "events-delivered", "valueString": str(standing.delivered)})
    errors = [*standing.errors, *(MORE.format(one.number) for one in events if one.more and standing.content != EMPTY)]
    given += ({"name": "error", "valueCodeableConcept": {"text": error}} for error in errors)
    meta = {"profile": [PROFILE]}
    return {"resourceType": "Parameters", "id": key, "meta": meta, "parameter": given}


def _parts(standing: Standing, event: Told) -> list[Json]:
    parts: list[Json] = [
        {"name": "event-number", "valueString": str(event.number)},
        {"name": "timestamp", "valueInstant": instant_text(event.at)},
    ]
    if standing.content != EMPTY and event.id:
        parts.append({"name": "focus", "valueReference": {"reference": f"{standing.base}/{event.place}"}})
        parts += (
            {"name": "additional-context", "valueReference": {"reference": f"{standing.base}/{one.place}"}}
            for one in event.beside
        )
    return parts


def _beside(standing: Standing, events: Sequence[Told]) -> list[Json]:
    """The entries of what is sent beside the events, each once, and none that an event is about."""
    known = {one.place for one in events}
    found = {one.place: one for event in events for one in event.beside if one.place not in known}
    return [
        {
            "fullUrl": f"{standing.base}/{place}",
            **({"resource": msgspec.Raw(one.body)} if standing.content == FULL and one.body is not None else {}),
            "request": {"method": "GET", "url": place},
            "response": {"status": "200"},
        }
        for place, one in found.items()
    ]


def _entry(standing: Standing, event: Told) -> Json:
    method, status = METHODS[event.op]
    shown = standing.content == FULL and event.body is not None
    return {
        "fullUrl": f"{standing.base}/{event.place}",
        **({"resource": msgspec.Raw(event.body)} if shown and event.body else {}),
        "request": {"method": method, "url": event.type if method == "POST" else event.place},
        "response": {"status": status},
    }
