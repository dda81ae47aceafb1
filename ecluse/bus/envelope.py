"""The one place where an event becomes a Kafka record, and a record an event.

Enters: an event, or key, value and headers of a record. Leaves: the other one. CloudEvents 1.0 in binary mode: the
value is the FHIR JSON as stored, null for what no longer exists; everything else travels in headers.

    key       <site>/<Type>/<id>
    ce_id     <site>/<Type>/<id>/_history/<version>; for `moved` with #moved behind it, for what is sent again with its
              reason and number, as in #merged-3.4711: these are events of their own
    body      above LARGEST_BODY bytes the value is {"url", "sha256", "bytes"} and the header `ecluse-body` is `ref`

Spec: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from ecluse.bus.event import OPS, Event
from ecluse.bus.log import Partition, Record, Reference
from ecluse.bus.topics import Topics
from ecluse.core import clock
from ecluse.core.errors import Unmappable

LARGEST_BODY = 900_000
CONTENT_TYPE = b"application/fhir+json; fhirVersion=4.0"
TYPE_PREFIX = "fhir.resource."

Header = tuple[str, bytes]
Fetch = Callable[[str], Awaitable[bytes]]


class Outgoing(NamedTuple):
    """A record as a producer takes it."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: list[Header]


def encode(event: Event, topics: Topics, url: str) -> Outgoing:
    """The record of an event, in its type's topic and its patient's partition.

    url: base of the server without a final slash, for bodies that travel by reference
    """
    value, marks = _value(event, url)
    partition = topics.partition(event.site, event.type, event.id, event.patient)
    return Outgoing(topics.events(event.type), partition, event.key.encode(), value, _headers(event) + marks)


def structured(event: Event) -> dict[str, Any]:
    """The event as one JSON object, in CloudEvents' structured mode: the headers without hyphens, which names may not
    have there, and the body as `data`, however large.

    Spec: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md"""
    told: dict[str, Any] = {_attribute(name): text.decode() for name, text in _headers(event)}
    if event.body is not None and not event.gone:
        told["data"] = msgspec.Raw(event.body)
    return told


def _attribute(header: str) -> str:
    return "datacontenttype" if header == "content-type" else header.removeprefix("ce_").replace("-", "")


def state(outgoing: Outgoing, event: Event, topics: Topics) -> Outgoing:
    """The same record for the topic of last states. event: about the store's present version, as the caller knows."""
    return outgoing._replace(topic=topics.state(event.type), partition=topics.partition_of_key(outgoing.key))


def moved(event: Event, former_patient: str | None) -> Event:
    """The event that tells the former patient's partition that the resource has left it."""
    return msgspec.structs.replace(event, op="moved", patient=former_patient)


def decode(
    topic: str, partition: int, offset: int, key: bytes | None, value: bytes | None, headers: Sequence[Header]
) -> Record:
    """The record with its event; with `problem` when it is not one of ours or is encoded in a way not known here."""
    told = {name: text.decode(errors="replace") for name, text in headers if text is not None}
    try:
        event = _event(key or b"", value, told)
        reference = _reference(value, told)
    except (ValueError, KeyError, msgspec.MsgspecError) as error:
        unknown = _unknown(key, told, f"{topic}/{partition}/{offset}")
        return Record(unknown, topic, partition, offset, problem=_problem(error))
    if reference is not None:
        event = msgspec.structs.replace(event, body=None)
    return Record(event, topic, partition, offset, reference)


def place(message: Any) -> tuple[Partition, int]:
    """Partition and offset of a message of the Kafka library."""
    return (message.topic(), message.partition()), message.offset()


def of_message(message: Any, partition: Partition, offset: int) -> Record:
    """The record of a message of the Kafka library."""
    return decode(*partition, offset, message.key(), message.value(), message.headers() or ())


async def follow(reference: Reference, fetch: Fetch) -> bytes:
    """The body behind a reference.

    Raises: Unmappable when what stands there is not what was sent
    """
    body = await fetch(reference.url)
    if hashlib.sha256(body).hexdigest() != reference.sha256:
        raise Unmappable("the body behind the reference has another hash")
    return body


class Unreadable(ValueError):
    """The record is encoded in a way that is not known here."""


def _value(event: Event, url: str) -> tuple[bytes | None, list[Header]]:
    body = event.body
    if event.gone or body is None:
        return None, []
    if len(body) <= LARGEST_BODY:
        return body, []
    address = f"{url}/sites/{event.site}/fhir/{event.type}/{event.id}/_history/{event.version}"
    reference = Reference(address, hashlib.sha256(body).hexdigest(), len(body))
    marks = [("ecluse-body", b"ref"), ("ce_dataref", address.encode())]
    return msgspec.json.encode(reference._asdict()), marks


def _headers(event: Event) -> list[Header]:
    texts = [
        ("ce_specversion", "1.0"),
        ("ce_id", _id(event)),
        ("ce_type", TYPE_PREFIX + event.op),
        ("ce_source", f"/sites/{event.site}"),
        ("ce_subject", f"{event.type}/{event.id}"),
        ("ce_time", clock.instant_text(event.time.astimezone(UTC))),
        ("ecluse-epoch", str(event.epoch)),
        ("ecluse-seq", str(event.seq)),
        ("ecluse-lane", event.lane),
        ("ecluse-patient", event.patient or ""),
        ("ce_bundle", f"{event.bundle} {event.n}/{event.m}" if event.bundle else ""),
        ("ecluse-sender", event.sender),
        ("ecluse-request-id", event.request_id),
        ("ecluse-reason", event.reason),
        ("ecluse-survivor", f"{event.survivor} {event.merge}" if event.survivor else ""),
        ("traceparent", event.traceparent),
    ]
    return [("content-type", CONTENT_TYPE), *((name, text.encode()) for name, text in texts if text)]


def _id(event: Event) -> str:
    """One and the same for what is sent twice by accident, another one for what tells something else of a version."""
    again = f"{event.reason}-{event.epoch}.{event.seq}" if event.reason else ""
    marks = ".".join(filter(None, ("moved" if event.op == "moved" else "", again)))
    version = f"{event.key}/_history/{event.version}"
    return f"{version}#{marks}" if marks else version


def _event(key: bytes, value: bytes | None, told: dict[str, str]) -> Event:
    if "ecluse-key-id" in told or told.get("content-type", "").startswith("application/jose"):
        raise Unreadable("the value is encrypted")
    if told.get("ecluse-body", "ref") != "ref":
        raise Unreadable(f"body encoding {told['ecluse-body']} is not known")
    site, kind, resource_id = key.decode().split("/")
    op = told["ce_type"].removeprefix(TYPE_PREFIX)
    if op not in OPS or not op or (value is None) != (op in ("deleted", "erased")):
        raise Unreadable("event type and value do not agree")
    bundle, _, place = told.get("ce_bundle", "").rpartition(" ")
    n, _, m = (place or "1/1").partition("/")
    survivor, _, merge = told.get("ecluse-survivor", "").partition(" ")
    return Event(
        site=site,
        type=kind,
        id=resource_id,
        version=_version(told),
        epoch=int(told["ecluse-epoch"]),
        seq=int(told["ecluse-seq"]),
        op=op,
        time=datetime.fromisoformat(told["ce_time"]),
        patient=told.get("ecluse-patient"),
        body=value,
        bundle=bundle,
        n=int(n),
        m=int(m),
        lane=told.get("ecluse-lane", "live"),
        sender=told.get("ecluse-sender", ""),
        request_id=told.get("ecluse-request-id", ""),
        traceparent=told.get("traceparent", ""),
        reason=told.get("ecluse-reason", ""),
        survivor=survivor or None,
        merge=int(merge or 0),
    )


def _version(told: dict[str, str]) -> int:
    return int(told["ce_id"].rpartition("/_history/")[2].partition("#")[0])


def _reference(value: bytes | None, told: dict[str, str]) -> Reference | None:
    if told.get("ecluse-body") != "ref" or value is None:
        return None
    sent = msgspec.json.decode(value)
    return Reference(str(sent["url"]), str(sent["sha256"]), int(sent["bytes"]))


def _problem(error: Exception) -> str:
    return str(error) if isinstance(error, Unreadable) else "not a record of this bus: key or headers are broken"


def _unknown(key: bytes | None, told: dict[str, str], place: str) -> Event:
    """What can be said of a record that cannot be read; version 0 when not even that is known."""
    site, kind, resource_id, version, epoch = "", "", place, 0, 0
    try:
        site, kind, resource_id = (key or b"").decode().split("/")
        version, epoch = _version(told), int(told["ecluse-epoch"])
    except (ValueError, KeyError):
        version = 0
    return Event(
        site=site,
        type=kind,
        id=resource_id if kind else place,
        version=version,
        epoch=epoch,
        seq=0,
        op="",
        time=clock.now(),
        patient=told.get("ecluse-patient"),
    )
