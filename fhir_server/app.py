"""The FHIR server as an ASGI application; it only composes.

Enters: HTTP below `/fhir` and `/sites/{site}/fhir`. Leaves: answers. The way of a request: address → site → body → JSON
→ interaction → answer → the client's format; whatever is raised on the way becomes an OperationOutcome in one place
(http/failures.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ecluse.core import clock
from ecluse.core.errors import BadRequest, Unprocessable
from ecluse.core.hosts import allowed_hosts
from ecluse.core.settings import fhir_base
from fhir_server.bundles import post
from fhir_server.http import address, binary, formats, query
from fhir_server.http.body import Disconnected, pieces, read_body
from fhir_server.http.failures import failure
from fhir_server.http.formats import Format
from fhir_server.http.negotiation import NDJSON_TYPES, headers_of, media_type
from fhir_server.http.presentation import locate, presented, received
from fhir_server.http.request import Answer, Request
from fhir_server.http.responses import respond, takes_gzip
from fhir_server.http.routes import READS
from fhir_server.intake.refusals import Refusals, refusal
from fhir_server.profiles.validation import HEADER
from fhir_server.server import Server
from fhir_server.store.resources import Site

LONGEST_REQUEST_ID = 200
UNPRINTABLE = re.compile(r"[^ -~]")
WRITES = frozenset({"POST", "PUT", "PATCH"})
WAIT = "x-ecluse-wait"
JOB, IMPORT = ("$job",), ("$import",)
"""Paths that answer in a format of their own, or take a body that is not held."""


class FhirApp:
    """One ASGI application for all sites."""

    def __init__(self) -> None:
        self.server: Server
        """Set when the databases are open, before the first request."""
        self.refusals = Refusals()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One request, answered."""
        headers = headers_of(scope)
        request_id = UNPRINTABLE.sub("", headers.get("x-request-id", ""))[:LONGEST_REQUEST_ID] or clock.new_id()
        received_at = clock.now()
        wanted = formats.wanted(headers, scope["query_string"].decode("latin-1"))
        gzip, refused = False, None
        try:
            came = await self._request(scope, receive, headers, request_id)
            gzip = takes_gzip(came)
            request = await received(came)
            wanted = formats.wanted(headers, request.query)
            answer = await self._answer(came, request, wanted)
        except Disconnected:
            return
        except Exception as error:
            refused, answer = error, failure(error, request_id)
        answer = await presented(answer, wanted, request_id)
        await respond(send, answer, request_id, gzip=gzip, head=scope["method"] == "HEAD")
        if refused is not None:
            self.refusals.add(refusal(self.server, scope, headers, request_id, refused), received_at)
            refused = None  # its traceback holds this frame: the two would wait for the collector of cycles

    async def _answer(self, came: Request, request: Request, wanted: Format) -> Answer:
        """What the interaction answers. came: the request in its own format"""
        if not binary.has_content(request) and request.segments[:1] != JOB:
            formats.check_served(wanted)
        query.check_choices(request)
        if WAIT in came.headers:
            await self._awaited(came)
        try:
            answer = await post.answer(self.server, request)
        except (BadRequest, Unprocessable) as error:
            if request.source_format == "fhir+xml":
                locate(error, came.body)
            raise
        return binary.as_content(request, answer, wanted)

    async def _awaited(self, came: Request) -> None:
        """Returns when the consumers that are to be waited for have caught up.

        Raises: BadRequest (400) when it is no read or search, and what waiting raises"""
        if came.method not in READS and came.segments[-1:] != ("_search",):
            raise BadRequest("X-Ecluse-Wait goes with a read or a search, and the X-Ecluse-Event of a write.")
        await self.server.awaited(came.headers)

    async def _request(self, scope: Any, receive: Any, headers: Mapping[str, str], request_id: str) -> Request:
        site, segments = address.place(scope)
        across = await self._across(scope, headers, site) if address.is_several(site) else ()
        streamed = segments == IMPORT and media_type(headers) in NDJSON_TYPES
        validated = scope["method"] in WRITES
        return Request(
            method=scope["method"],
            site=self.server.no_site(site) if across else await self.server.site(site),
            base=self._base(scope, headers, site),
            segments=segments,
            query=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=b"" if streamed else await read_body(receive, headers, self.server.settings.max_body_bytes),
            request_id=request_id,
            received_at=clock.now(),
            validation=await self.server.validation(site, headers.get(HEADER)) if validated else None,
            stream=pieces(receive) if streamed else None,
            across=across,
            hooks=allowed_hosts(self.server.settings.hook_hosts),
        )

    async def _across(self, scope: Any, headers: Mapping[str, str], names: str) -> tuple[tuple[Site, str], ...]:
        return tuple((site, self._base(scope, headers, site.name)) for site in await self.server.several_sites(names))

    def _base(self, scope: Any, headers: Mapping[str, str], site: str) -> str:
        """The site's base as this client reaches it, unless an address is set."""
        server = self.server.settings.base_url.rstrip("/") or f"{scope['scheme']}://{headers.get('host', '127.0.0.1')}"
        return fhir_base(server, site)
