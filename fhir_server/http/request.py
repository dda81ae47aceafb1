"""One FHIR request and one answer, as data.

Enters: what HTTP brought, already checked for size, media type and site. Leaves: what an interaction needs, and what it
says. A bundle's entries are requests of the same form, so that each interaction is written once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from ecluse.bus.event import LANES
from ecluse.bus.position import Position
from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json, types
from ecluse.core.fhir.outcome import operation_outcome
from fhir_server.profiles.validation import Validation
from fhir_server.store.resources import Site
from fhir_server.store.write import Context

FHIR_JSON = "application/fhir+json"
LONGEST_TARGET = 100
KEPT = ("X-Ecluse-Kept", "live")
"""The header that says: nothing was written, since this came live and the request asked to leave that."""


class Request(NamedTuple):
    """base: URL of the site's FHIR base, no final slash; segments: the path below it; headers: names in lower case;
    validation: of its resources beyond their structure, when there is any; source_format: what the body was before it
    was JSON, `fhir+json`, `fhir+xml` or `native`; part: the entry of a batch that it is; stream: the body as it
    comes, when it may be larger than memory; `body` is empty then; noted: what XML has wrong as XML, where the
    interaction tells that itself; `body` is empty then too when there are errors; across: several sites and their
    bases, of a search; `site` is none of them then; hooks: hosts that the operator allows to
    Subscriptions."""

    method: str
    site: Site
    base: str
    segments: tuple[str, ...]
    query: str
    headers: Mapping[str, str]
    body: bytes
    request_id: str
    received_at: datetime
    validation: Validation | None = None
    source_format: str = "fhir+json"
    part: int | None = None
    stream: AsyncIterator[bytes] | None = None
    noted: Sequence[Issue] = ()
    across: tuple[tuple[Site, str], ...] = ()
    hooks: frozenset[str] | None = None

    @property
    def sites(self) -> tuple[tuple[Site, str], ...]:
        """The sites that it is about, each with its base."""
        return self.across or ((self.site, self.base),)

    @property
    def context(self) -> Context:
        """Where a write of this request comes from."""
        return Context(
            site=self.site.number,
            site_name=self.site.name,
            sender=self.headers.get("x-ecluse-sender", ""),
            request_id=self.request_id,
            source_format=self.source_format,
            received_at=self.received_at,
            lane=lane_of(self.headers),
            traceparent=self.headers.get("traceparent", ""),
            findings=self.validation.findings if self.validation else None,
            method=self.method,
            target=target_of(self.segments),
            body_bytes=len(self.body),
            part=self.part,
            registries=self.site.registries,
            keep_live=keeps_live(self.headers),
            hooks=self.hooks,
        )


def lane_of(headers: Mapping[str, str]) -> int:
    """The lane of a write, live unless it is said.

    Raises: BadRequest (400) when X-Ecluse-Lane names none"""
    asked = headers.get("x-ecluse-lane", LANES[0])
    if asked not in LANES:
        raise BadRequest(f"X-Ecluse-Lane is {' or '.join(LANES)}.", diagnostics=f"found {asked[:80]}")
    return LANES.index(asked)


def keeps_live(headers: Mapping[str, str]) -> bool:
    """Whether a write leaves what the live lane wrote as it is.

    Raises: BadRequest (400) when X-Ecluse-Keep asks for anything but that"""
    asked = headers.get("x-ecluse-keep")
    if asked not in (None, "live"):
        raise BadRequest("X-Ecluse-Keep takes `live`: what the live lane wrote stays as it is.", diagnostics=asked[:80])
    return asked is not None


def target_of(segments: Sequence[str]) -> str:
    """What a request is about, without any id: a resource type, `Bundle` for the base, `Patient/$merge`."""
    kinds = [part for part in segments if part in types.number_of or part.startswith("$")]
    return "/".join(kinds)[:LONGEST_TARGET] if segments else "Bundle"


class Answer(NamedTuple):
    """status: HTTP; body: JSON; version and updated become ETag and Last-Modified; location: URL of the version
    written; media: of a body that is no FHIR JSON; file: path of a body that is not held in memory; event: the last one
    of what was written."""

    status: int
    body: bytes = b""
    version: int | None = None
    updated: datetime | None = None
    location: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    media: str = ""
    file: str = ""
    event: Position | None = None

    @classmethod
    def information(cls, status: int, text: str) -> Answer:
        """An OperationOutcome that says in a sentence what was done."""
        return cls(status, json.encode(operation_outcome([Issue.information(text)])))
