"""Which code system or value set a request means, whichever way it names it.

Enters: a request and its parameters. Leaves: a `System` or a `Composed`. The instance of the address, the address
(`url`), or the resource in the request itself: exactly one of them.
Spec: http://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from ecluse.core import clock
from ecluse.core.db.pool import Connection
from ecluse.core.errors import NotSupported, Unprocessable
from ecluse.core.fhir.acceptance import accept
from fhir_server.http.request import Request
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.terminology import base, definitions, loading
from fhir_server.terminology.answering import missing
from fhir_server.terminology.composition import Composed, System
from fhir_server.terminology.definitions import Definition
from fhir_server.terminology.loading import Origin
from fhir_server.terminology.planning import Planner, Versions, system_of
from fhir_server.terminology.savepoint import atomic

GIVEN = Origin("given in the request")


def versions_of(parameters: Parameters) -> Versions:
    """The versions of code systems that a request asks for."""
    return Versions(
        _pairs(parameters, "system-version"),
        _pairs(parameters, "check-system-version"),
        _pairs(parameters, "force-system-version"),
    )


def _pairs(parameters: Parameters, name: str) -> Mapping[str, str]:
    pairs = [one.partition("|") for one in parameters.texts(name)]
    return {system: version for system, _, version in pairs}


def check_date(parameters: Parameters) -> None:
    """Nothing, when the request asks for the present.

    Raises: NotSupported (501) when it asks for an earlier day"""
    asked = parameters.interval("date")
    if asked is not None and asked[1] < clock.now():
        raise NotSupported(
            "Definitions as they were on an earlier day are not kept; leave out date, or name the version of that day."
        )


@asynccontextmanager
async def connected(server: Server, parameters: Parameters, *given: str) -> AsyncIterator[Connection]:
    """A connection. When the request brings its own code system, in a transaction that is taken back at the end.

    given: the parameters that may hold one"""
    async with server.connection() as conn:
        await base.settle(conn)
        if not any(parameters.one(name) for name in given):
            yield conn
            return
        async with atomic(conn, undone=True):
            yield conn


async def code_system(
    conn: Connection, request: Request, parameters: Parameters, url_name: str = "url"
) -> System | None:
    """The code system that is meant, None when the request names none.

    Raises: NotFound (404) when it is not here, BadRequest (400) when it is named twice"""
    given, url = parameters.one("codeSystem"), parameters.text(url_name)
    instance = instance_of(request)
    if sum(bool(one) for one in (given, url, instance)) > 1:
        raise missing(f"Name one code system: by its instance, by {url_name}, or in codeSystem.")
    version = parameters.text("version") or ""
    if given is not None and given.resource is not None:
        return await _given_system(conn, request.site.number, accept("CodeSystem", given.resource, given.expression))
    if instance:
        definition = await definitions.of_id(conn, request.site.number, "CodeSystem", instance)
        return await _with_concepts(conn, request.site.number, definition)
    return await system_at(conn, request.site.number, url, version) if url else None


async def system_at(conn: Connection, site: int, url: str, version: str = "") -> System:
    """The code system of this address.

    Raises: NotFound (404), with the way to mend it"""
    found = await Planner(conn, site).system(url, version)
    if found is None:
        raise definitions.unknown("CodeSystem", url, version, [])
    return found


async def _given_system(conn: Connection, site: int, resource: dict[str, Any]) -> System:
    """Under an address of its own for as long as the transaction lasts, so that it hides and replaces nothing."""
    address, url = f"urn:uuid:{clock.new_id()}", resource.get("url", "")
    await loading.load(conn, GIVEN, {**resource, "url": address})
    found = await definitions.find(conn, 0, "CodeSystem", address)
    assert found is not None
    return replace(await _with_concepts(conn, site, found._replace(url=url)), url=url)


async def _with_concepts(conn: Connection, site: int, definition: Definition) -> System:
    if not definition.is_usable:
        raise Unprocessable(
            f"{definition.canonical} is stored without concepts; PUT it with them.", expression="CodeSystem.concept"
        )
    return await system_of(conn, site, definition)


async def value_set(planner: Planner, request: Request, parameters: Parameters) -> Composed:
    """The value set that is meant.

    Raises: NotFound (404) when it is not here, BadRequest (400) when it is named not at all or twice, NotSupported
    (501) for a context"""
    given, url, instance = parameters.one("valueSet"), parameters.text("url"), instance_of(request)
    if parameters.text("context"):
        raise NotSupported("A value set cannot be named by context here; give its url.", expression="Parameters")
    if sum(bool(one) for one in (given, url, instance)) != 1:
        raise missing("Name one value set: by its instance, by url, or in valueSet.")
    if given is not None:
        return await planner.composed(accept("ValueSet", given.resource or b"", given.expression))
    if instance:
        definition = await definitions.of_id(planner.conn, planner.site, "ValueSet", instance)
        return await planner.composed(definition.resource)
    return await planner.value_set(url or "", parameters.text("valueSetVersion") or "")


def language_of(request: Request, parameters: Parameters) -> str:
    """The language of displays: as the parameter says, else as the client's header does.

    Spec: http://hl7.org/fhir/R4/languages.html"""
    return parameters.text("displayLanguage") or request.headers.get("accept-language", "")


def instance_of(request: Request) -> str:
    """The id of the address, "" at type level."""
    return request.segments[1] if not request.segments[1].startswith("$") else ""
