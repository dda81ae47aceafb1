"""One event: this version of this resource came into being.

Enters: a Kafka record, or a CloudEvent as JSON. Leaves: the same event from either.
Spec: docs/events.md, docs/asyncapi.yaml
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, TypeVar

import msgspec

Typed = TypeVar("Typed")
TYPE_PREFIX = "fhir.resource."
ACTIONS = ("created", "updated", "deleted", "moved", "erased")
GONE = ("deleted", "erased")


class Unreadable(ValueError):
    """A record that is not one of the contract's. args: where it stands, and what is wrong with it"""


class Position(NamedTuple):
    """A place in the order of all events, as `X-Ecluse-Event` and `/events` write it: 1.4711."""

    epoch: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.seq}"

    @classmethod
    def of(cls, text: str) -> Position:
        """The position that a text names. Raises: ValueError when it names none"""
        epoch, _, seq = text.partition(".")
        return cls(int(epoch), int(seq))


@dataclass(frozen=True, slots=True)
class Event:
    """action: created, updated, deleted, moved (the resource is another patient's now, and this is the former one's
    last event), erased (with all its history: forget it)

    patient: id of the Patient whose the resource is, None when nobody's; survivor: the Patient into whom that one was
    merged; lane: live or bulk; reason: why it was sent again (replayed, merged, restored, …), "" at first; bundle: of
    the transaction that wrote it, of which it is number n of m; body: the FHIR JSON as stored, None for what is gone
    """

    action: str
    site: str
    type: str
    id: str
    version: int
    position: Position
    time: datetime
    patient: str | None = None
    survivor: str | None = None
    lane: str = "live"
    reason: str = ""
    sender: str = ""
    bundle: str = ""
    n: int = 1
    m: int = 1
    traceparent: str = ""
    body: bytes | None = None

    @property
    def key(self) -> str:
        """`site/Type/id`, the same for all versions."""
        return f"{self.site}/{self.type}/{self.id}"

    @property
    def gone(self) -> bool:
        """Whether the resource no longer exists."""
        return self.action in GONE

    @property
    def resource(self) -> dict[str, Any] | None:
        """The resource, None when it is gone. Decoded anew each time; numbers keep their digits as Decimal."""
        return None if self.body is None else _decoder.decode(self.body)

    def as_(self, kind: Callable[..., Typed]) -> Typed:
        """The resource as this type: a msgspec.Struct or dataclass with the members that matter to you.

        Raises: msgspec.ValidationError when it has not that form; LookupError when the resource is gone"""
        if self.body is None:
            raise LookupError(f"{self.key} was {self.action}")
        found: Typed = msgspec.json.decode(self.body, type=kind)
        return found


_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal)


class Reference(msgspec.Struct, frozen=True):
    """Where a body stands that was too large for a record."""

    url: str
    sha256: str
    bytes: int


def of_record(
    place: str, key: bytes | None, value: bytes | None, headers: Mapping[str, bytes | None]
) -> tuple[Event, Reference | None]:
    """The event of a Kafka record, and where its body stands when that is not in the record.

    place: topic, partition and offset, for errors
    Raises: Unreadable
    """
    told = {name: text.decode() for name, text in headers.items() if text is not None}
    try:
        if told.get("ecluse-body", "ref") != "ref" or "ecluse-key-id" in told:
            raise ValueError("its body is encoded in a way that is not known here")
        site, kind, own = (key or b"").decode().split("/")
        reference = msgspec.json.decode(value or b"", type=Reference) if "ecluse-body" in told else None
        return _event(site, kind, own, told, None if reference else value), reference
    except (KeyError, ValueError) as error:
        raise Unreadable(place, f"{type(error).__name__}: {error}") from error


def of_json(message: bytes) -> Event:
    """The event of a CloudEvent in structured mode, as `/events` has them. Raises: Unreadable"""
    try:
        told = msgspec.json.decode(message, type=dict[str, msgspec.Raw])
        body = told.pop("data", None)
        texts = {_HEADERS.get(name, name): msgspec.json.decode(text) for name, text in told.items()}
        site, kind, own = texts["ce_id"].partition("/_history/")[0].split("/")
        return _event(site, kind, own, texts, None if body is None else bytes(body))
    except (KeyError, ValueError) as error:
        raise Unreadable("/events", f"{type(error).__name__}: {error}") from error


def _event(site: str, kind: str, own: str, told: Mapping[str, str], body: bytes | None) -> Event:
    action = told["ce_type"].removeprefix(TYPE_PREFIX)
    if action not in ACTIONS:
        raise ValueError(f"{action} is no action of this contract")
    bundle, _, place = told.get("ce_bundle", "").rpartition(" ")
    n, _, m = (place or "1/1").partition("/")
    return Event(
        action=action,
        site=site,
        type=kind,
        id=own,
        version=int(told["ce_id"].rpartition("/_history/")[2].partition("#")[0]),
        position=Position(int(told["ecluse-epoch"]), int(told["ecluse-seq"])),
        time=datetime.fromisoformat(told["ce_time"]),
        patient=told.get("ecluse-patient"),
        survivor=told.get("ecluse-survivor", "").partition(" ")[0] or None,
        lane=told.get("ecluse-lane", "live"),
        reason=told.get("ecluse-reason", ""),
        sender=told.get("ecluse-sender", ""),
        bundle=bundle,
        n=int(n),
        m=int(m),
        traceparent=told.get("traceparent", ""),
        body=None if action in GONE else body,
    )


_HEADERS = {
    "id": "ce_id",
    "type": "ce_type",
    "time": "ce_time",
    "bundle": "ce_bundle",
    "eclusepatient": "ecluse-patient",
    "eclusesurvivor": "ecluse-survivor",
    "ecluselane": "ecluse-lane",
    "eclusereason": "ecluse-reason",
    "eclusesender": "ecluse-sender",
    "ecluseepoch": "ecluse-epoch",
    "ecluseseq": "ecluse-seq",
}
"""Names of attributes in JSON, which take no hyphens, as the topics' headers have them."""
