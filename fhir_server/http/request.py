"""One FHIR request and one answer, as data.

Enters: what HTTP brought, already checked for size, media type and site. Leaves: what an interaction needs, and what it
says. A bundle's entries are requests of the same form, so that each interaction is written once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from fhir_server.profiles.validation import Validation
from fhir_server.store.resources import Site
from fhir_server.store.write import Context

FHIR_JSON = "application/fhir+json"


class Request(NamedTuple):
    """base: URL of the site's FHIR base, no final slash; segments: the path below it; headers: names in lower case;
    validation: of its resources beyond their structure, when there is any."""

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

    @property
    def context(self) -> Context:
        """Where a write of this request comes from."""
        return Context(
            site=self.site.number,
            site_name=self.site.name,
            sender=self.headers.get("x-ecluse-sender", ""),
            request_id=self.request_id,
            source_format="fhir+json",
            received_at=self.received_at,
            lane=1 if self.headers.get("x-ecluse-lane") == "bulk" else 0,
            traceparent=self.headers.get("traceparent", ""),
            findings=self.validation.findings if self.validation else None,
        )


class Answer(NamedTuple):
    """status: HTTP; body: JSON; version and updated become ETag and Last-Modified; location: URL of the version
    written."""

    status: int
    body: bytes = b""
    version: int | None = None
    updated: datetime | None = None
    location: str = ""
    headers: tuple[tuple[str, str], ...] = ()
