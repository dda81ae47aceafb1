"""Requests whose resources need definitions that this process has not fetched yet.

Enters: a request and its work. Leaves: what the work answers, once the definitions are there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from ecluse.core.fhir.validation.profiles.library import NotLoaded
from fhir_server.http.request import Answer, Request
from fhir_server.profiles.guides import fetch, named
from fhir_server.server import Server


async def loading(server: Server, request: Request, work: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer of the work. When it lacks definitions they are fetched, with all others that the body names, and it
    begins again: resources are looked at before anything is committed, so nothing is done twice."""
    while True:
        try:
            return await work()
        except NotLoaded as lacking:
            if request.validation is None:
                raise
            library = request.validation.profiles.library
            async with server.connection() as conn:
                await fetch(conn, library, lacking.keys | named(library, request.body))
