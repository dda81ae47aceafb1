"""What is served beside FHIR: health, metrics, lists for those who run the server, the portal.

Enters: settings, and the FHIR application whose server is opened before the first request. Leaves: routes; each has its
place in openapi.yaml, by test.
"""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from ecluse.cli import events, intake, status
from ecluse.cli.event_stream import MEDIA
from ecluse.cli.openapi import document
from ecluse.cli.published import published
from ecluse.core.errors import EcluseError
from ecluse.core.settings import Settings
from fhir_server.app import FhirApp
from fhir_server.http.formats import accepts
from fhir_server.http.listing import answering, listing
from fhir_server.profiles.answers import counts_of, issues_of
from portal.pages import routes as portal_routes


def routes(settings: Settings, fhir: FhirApp) -> list[BaseRoute]:
    """All of them."""
    endpoints = _Endpoints(settings, fhir)
    return [
        Route("/health", endpoints.health),
        Route("/metrics", endpoints.metrics),
        Route("/status.json", endpoints.status_json),
        Route("/issues", issues_of(lambda: fhir.server)),
        Route("/issues/counts", counts_of(lambda: fhir.server)),
        Route("/intake.json", endpoints.intake_json),
        Route("/events", endpoints.events),
        Route("/openapi.json", endpoints.openapi_json),
        *(Route(path, endpoints.asyncapi) for path in ("/asyncapi", "/asyncapi.json", "/asyncapi.yaml")),
        *portal_routes(settings, endpoints.present, document()),
    ]


class _Endpoints:
    """The endpoints that read what the server of this process has open."""

    def __init__(self, settings: Settings, fhir: FhirApp) -> None:
        self._settings, self._fhir = settings, fhir

    async def present(self) -> dict[str, Any]:
        """What is stored and where each consumer stands."""
        return await status.present(self._settings, self._fhir.server.databases)

    async def health(self, _: Request) -> Response:
        """Whether the store answers."""
        try:
            async with self._fhir.server.connection() as conn:
                await conn.fetchval("SELECT 1")
        except EcluseError as error:
            return JSONResponse({"status": "unavailable", "reason": str(error)}, 503)
        return JSONResponse({"status": "ok"})

    async def status_json(self, _: Request) -> Response:
        """What is stored and where each consumer stands, as JSON."""
        return JSONResponse(await self.present())

    async def metrics(self, _: Request) -> Response:
        """The same for Prometheus."""
        return PlainTextResponse(status.prometheus(await self.present()), media_type="text/plain; version=0.0.4")

    async def intake_json(self, request: Request) -> Response:
        """What arrived, what was refused, and why."""

        async def find() -> Any:
            async with self._fhir.server.connection() as conn:
                return await intake.listed(conn, request.query_params)

        return await listing(request, find)

    async def events(self, request: Request) -> Response:
        """What happened since a position, or what happens."""
        server, feed = self._fhir.server, request.state.feed
        if accepts(request.headers, MEDIA):
            return await answering(request, lambda: events.streamed(server, feed, request))
        return await listing(request, lambda: events.listed(server, request.query_params))

    async def asyncapi(self, request: Request) -> Response:
        """What stands on the topics."""
        return await answering(request, lambda: published(self._settings, self._fhir.server.databases.store, request))

    async def openapi_json(self, _: Request) -> Response:
        """What is served over HTTP."""
        return JSONResponse(document())
