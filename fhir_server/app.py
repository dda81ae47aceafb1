"""The FHIR server as an ASGI application; it only composes.

Enters: HTTP below `/fhir` and `/sites/{site}/fhir`. Leaves: answers. The way of a request: site → body → headers →
interaction → answer; whatever is raised on the way becomes an OperationOutcome in one place (http/failures.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecluse.core import clock
from ecluse.core.errors import NotFound
from fhir_server.bundles import post
from fhir_server.http import negotiation
from fhir_server.http.body import Disconnected, read_body
from fhir_server.http.failures import failure
from fhir_server.http.request import Request
from fhir_server.http.responses import respond, takes_gzip
from fhir_server.intake.refusals import Refusals, refusal
from fhir_server.profiles.validation import HEADER
from fhir_server.server import Server

LONGEST_REQUEST_ID = 200
UNPRINTABLE = re.compile(r"[^ -~]")
WRITES = frozenset({"POST", "PUT", "PATCH"})


class FhirApp:
    """One ASGI application for all sites."""

    def __init__(self) -> None:
        self.server: Server
        """Set when the databases are open, before the first request."""
        self.refusals = Refusals()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, answered."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        request_id = UNPRINTABLE.sub("", headers.get("x-request-id", ""))[:LONGEST_REQUEST_ID] or clock.new_id()
        received_at = clock.now()
        gzip, refused = False, None
        try:
            request = await self._request(scope, receive, headers, request_id)
            gzip = takes_gzip(request)
            answer = await post.answer(self.server, request)
        except Disconnected:
            return
        except Exception as error:
            refused, answer = error, failure(error, request_id)
        await respond(send, answer, request_id, gzip=gzip, head=scope["method"] == "HEAD")
        if refused is not None:
            self.refusals.add(refusal(self.server, scope, headers, request_id, refused), received_at)

    async def _request(self, scope: Any, receive: Any, headers: Mapping[str, str], request_id: str) -> Request:
        site, segments = _place(scope["path"])
        query = scope["query_string"].decode("latin-1")
        negotiation.check_accept(headers, query)
        validated = scope["method"] in WRITES
        return Request(
            method=scope["method"],
            site=await self.server.site(site),
            base=self._base(scope, headers, site),
            segments=segments,
            query=query,
            headers=headers,
            body=await read_body(receive, headers, self.server.settings.max_body_bytes),
            request_id=request_id,
            received_at=clock.now(),
            validation=await self.server.validation(site, headers.get(HEADER)) if validated else None,
        )

    def _base(self, scope: Any, headers: Mapping[str, str], site: str) -> str:
        """The site's base as this client reaches it, unless an address is set."""
        address = self.server.settings.base_url.rstrip("/") or f"{scope['scheme']}://{headers.get('host', '127.0.0.1')}"
        return f"{address}/fhir" if site == "default" else f"{address}/sites/{site}/fhir"


def _place(path: str) -> tuple[str, tuple[str, ...]]:
    """Site and segments below its base."""
    parts = path.strip("/").split("/")
    if parts[0] == "fhir":
        return "default", tuple(parts[1:])
    if len(parts) >= 3 and parts[0] == "sites" and parts[2] == "fhir":
        return parts[1], tuple(parts[3:])
    raise NotFound("The FHIR base is /fhir, or /sites/{site}/fhir for another site.")
