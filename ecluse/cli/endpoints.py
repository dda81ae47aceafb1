"""What is served beside FHIR: health, metrics, lists for those who run the server, the portal.

Enters: settings, and the FHIR application whose server is opened before the first request. Leaves: routes; each has its
place in openapi.yaml, by test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket

from ecluse.bus.flow import alarms, flow
from ecluse.cli import events, intake, metrics, status
from ecluse.cli.event_stream import MEDIA
from ecluse.cli.lags import Lags
from ecluse.cli.measured import Measured
from ecluse.cli.openapi import document
from ecluse.cli.published import published
from ecluse.core.db.pool import translated
from ecluse.core.errors import EcluseError, Unavailable
from ecluse.core.settings import Settings
from fhir_server.app import FhirApp
from fhir_server.http.formats import accepts
from fhir_server.http.listing import answering, listing
from fhir_server.profiles import issues
from fhir_server.store import resources
from fhir_server.subscriptions.websocket import PATH, Listeners
from portal.lists import Read, Reads
from portal.pages import routes as portal_routes

EVENTS = "/events"


def routes(settings: Settings, fhir: FhirApp) -> list[BaseRoute]:
    """All of them."""
    endpoints = _Endpoints(settings, fhir)
    reads = Reads(endpoints.arrivals, endpoints.tallies, endpoints.issues, endpoints.counts, endpoints.check_site)
    return [
        Route("/health", endpoints.health),
        Route("/metrics", endpoints.metrics),
        Route("/status.json", endpoints.status_json),
        Route("/issues", _as_json(endpoints.issues)),
        Route("/issues/counts", _as_json(endpoints.counts)),
        Route("/intake.json", _as_json(endpoints.arrivals)),
        Route("/intake/counts.json", _as_json(endpoints.tallies)),
        Route(EVENTS, endpoints.events),
        WebSocketRoute(PATH, endpoints.listened),
        Route("/openapi.json", endpoints.openapi_json),
        *(Route(path, endpoints.asyncapi) for path in ("/asyncapi", "/asyncapi.json", "/asyncapi.yaml")),
        *portal_routes(settings, endpoints.present, endpoints.flowing, document(), reads),
    ]


def _as_json(read: Read) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint that answers what a read of its query finds."""

    async def endpoint(request: Request) -> Response:
        return await listing(request, partial(read, request.query_params))

    return endpoint


class _Endpoints:
    """The endpoints that read what the server of this process has open."""

    def __init__(self, settings: Settings, fhir: FhirApp) -> None:
        self._settings, self._fhir = settings, fhir
        self._listeners = Listeners()
        self._lags = Lags(settings)
        self._measured = Measured(settings, self._lags)

    async def present(self) -> dict[str, Any]:
        """What is stored and where each consumer stands."""
        return await status.present(self._settings, self._fhir.server.databases, self._lags)

    async def flowing(self) -> dict[str, Any]:
        """What flows now."""
        return await status.flowing(self._settings, self._fhir.server.databases, self._lags)

    async def listened(self, socket: WebSocket) -> None:
        """Notifications of Subscriptions, to a websocket."""
        await self._listeners.serve(socket, self._fhir.server)

    async def health(self, _: Request) -> Response:
        """Whether the store answers, and what an operator has to look at."""
        try:
            with translated():
                async with self._fhir.server.connection() as conn:
                    told = alarms(await flow(conn, self._settings), self._settings)
        except EcluseError as error:
            return JSONResponse({"status": "unavailable", "reason": str(error)}, 503)
        return JSONResponse({"status": "degraded", "alarms": told} if told else {"status": "ok"})

    async def status_json(self, request: Request) -> Response:
        """What is stored and where each consumer stands, as JSON."""
        return await listing(request, self.present)

    async def metrics(self, request: Request) -> Response:
        """What is stored, what flows and how long it takes, for Prometheus."""

        async def measured() -> Response:
            found = await self._measured.present(self._fhir.server.databases)
            return Response(metrics.text(found), media_type=metrics.MEDIA)

        return await answering(request, measured)

    async def arrivals(self, query: Mapping[str, str]) -> Any:
        """What arrived, what was refused, and why."""
        with translated():
            async with self._fhir.server.connection() as conn:
                return await intake.listed(conn, query)

    async def tallies(self, query: Mapping[str, str]) -> Any:
        """How many requests each sender sent, by answer and reason."""
        with translated():
            async with self._fhir.server.connection() as conn:
                return await intake.counted(conn, query)

    async def issues(self, query: Mapping[str, str]) -> Any:
        """What was stored although it breaks a rule."""
        with translated():
            return await issues.issues(self._fhir.server, query)

    async def counts(self, query: Mapping[str, str]) -> Any:
        """How many resources have which issue."""
        with translated():
            return await issues.counts(self._fhir.server, query)

    async def check_site(self, name: str) -> None:
        """Nothing, when there is this site, or the database that knows it is away.

        Raises: NotFound (404)"""
        with suppress(Unavailable):
            async with self._fhir.server.connection() as conn:
                await resources.check_site(conn, name)

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
