"""`X-Ecluse-Wait`: a read or a search that waits for consumers first.

Enters: the header, names of consumers with commas between, and `X-Ecluse-Event` for the event that they must have; what
is stored now, without it. Leaves: the request to whoever answers it, once they have that; or why not.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from consumers.reach import reach
from ecluse.bus.position import position
from ecluse.core.db.databases import Databases
from ecluse.core.db.pool import translated
from ecluse.core.errors import BadRequest, EcluseError
from ecluse.core.settings import Settings
from fhir_server.app import WAIT, FhirApp
from fhir_server.http.negotiation import headers_of

EVENT = "x-ecluse-event"


async def awaited(settings: Settings, databases: Databases, headers: Mapping[str, str]) -> None:
    """Returns when the consumers that X-Ecluse-Wait names have the event that X-Ecluse-Event names, or all there is.

    Raises: BadRequest (400) when it names none, and what reach raises"""
    names = [name.strip() for name in headers[WAIT].split(",") if name.strip()]
    if not names:
        raise BadRequest("X-Ecluse-Wait names consumers, as in `X-Ecluse-Wait: warehouse,search`.")
    since = position(headers[EVENT]) if EVENT in headers else None
    with translated():
        await reach(settings, databases, names, since, settings.wait_s)


def waiting(others: ASGIApp, fhir: FhirApp) -> ASGIApp:
    """The application that is served beside FHIR, with the header for what it reads."""

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or WAIT not in (headers := headers_of(scope)):
            await others(scope, receive, send)
            return
        try:
            await fhir.server.awaited(headers)
        except EcluseError as error:
            await JSONResponse({"error": str(error)}, error.status)(scope, receive, send)
            return
        await others(scope, receive, send)

    return asked
