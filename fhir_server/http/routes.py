"""From method and path to the interaction: one table, from which dispatch, figures and the OpenAPI document read.

Enters: a `Request`. Leaves: the `Answer` of the one interaction that serves it.
Spec: http://hl7.org/fhir/R4/http.html#summary
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial, wraps
from typing import NamedTuple

from ecluse.core.errors import BadRequest, MethodNotAllowed, NotFound
from ecluse.core.fhir import types
from fhir_server.http import negotiation
from fhir_server.http.freshness import fresh
from fhir_server.http.request import Answer, Request
from fhir_server.http.subset import shortened
from fhir_server.interactions import (
    capabilities,
    create,
    delete,
    history,
    job,
    patch,
    read,
    search_compartment,
    search_system,
    search_type,
    update,
    vread,
)
from fhir_server.operations import registry
from fhir_server.operations.operation import Level
from fhir_server.operations.registry import Interaction
from fhir_server.profiles.loading import loading
from fhir_server.search.membership import COMPARTMENTS
from fhir_server.server import Server

READS = ("GET", "HEAD")
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
LEVELS: dict[int, Level] = {0: "system", 1: "type", 2: "instance", 4: "version"}
"""How many segments stand before the `$name` of an operation."""


class Route(NamedTuple):
    """What an address and a method lead to. code: R4's for the interaction, `$name` of an operation; serve: answers"""

    code: str
    serve: Interaction


async def _nested(server: Server, request: Request) -> Answer:
    """Raises: BadRequest (400), since what is posted to the base by itself never comes here (bundles/post.py)"""
    raise BadRequest("A bundle's entries are no bundles to be processed; post each bundle by itself.")


def _by_form(search: Interaction) -> Interaction:
    """The search with its parameters in a form, which became those of the query when the request came in."""

    @wraps(search)
    async def searched(server: Server, request: Request) -> Answer:
        negotiation.check_content_type(request.headers, negotiation.FORM)
        return await search(server, request)

    return searched


_COMPARTMENT_FORM = {"POST": Route("search-compartment", _by_form(search_compartment.search))}
ADDRESSES: dict[str, dict[str, Route]] = {
    "": {"GET": Route("search-system", search_system.search), "POST": Route("batch/transaction", _nested)},
    "/_search": {"POST": Route("search-system", _by_form(search_system.search))},
    "/metadata": {"GET": Route("capabilities", capabilities.capabilities)},
    "/_history": {"GET": Route("history-system", history.system_history)},
    "/$job/{job}": {"GET": Route("$job", job.status), "DELETE": Route("$job", job.cancel)},
    "/$job/{job}/{file}": {"GET": Route("$job", job.file)},
    "/{type}": {
        "GET": Route("search-type", search_type.search),
        "POST": Route("create", create.create),
        "PUT": Route("update", update.conditional_update),
        "PATCH": Route("patch", patch.conditional_patch),
        "DELETE": Route("delete", delete.conditional_delete),
    },
    "/{type}/_search": {"POST": Route("search-type", _by_form(search_type.search))},
    "/{type}/_history": {"GET": Route("history-type", history.type_history)},
    "/{type}/{id}": {
        "GET": Route("read", read.read),
        "PUT": Route("update", update.update),
        "PATCH": Route("patch", patch.patch),
        "DELETE": Route("delete", delete.delete),
    },
    "/{type}/{id}/_history": {"GET": Route("history-instance", history.instance_history)},
    "/{type}/{id}/_history/{version}": {"GET": Route("vread", vread.vread)},
    "/{compartment}/{id}/{member}": {"GET": Route("search-compartment", search_compartment.search)},
    "/{compartment}/{id}/{member}/_search": _COMPARTMENT_FORM,
    "/{compartment}/{id}/_search": _COMPARTMENT_FORM,
}
"""Every address below the base but those of operations, and what it takes by method.

Spec: http://hl7.org/fhir/R4/http.html#summary, http://hl7.org/fhir/R4/valueset-type-restful-interaction.html"""


async def dispatch(server: Server, request: Request) -> Answer:
    """The answer of the interaction that this address and method mean.

    Raises: NotFound (404) for an address that means nothing, MethodNotAllowed (405), and what the interaction raises
    """
    methods = _across(request.segments) if request.across else methods_at(request.segments)
    if request.method == "OPTIONS":
        return await _options(server, request, methods)
    route = methods.get("GET" if request.method == "HEAD" else request.method)
    if route is None:
        allowed = _allowed(methods)
        raise MethodNotAllowed(f"{request.method} does not work here; use {', '.join(allowed)}.", allowed)
    answer = await loading(server, request, partial(route.serve, server, request))
    if request.method in READS or request.segments[-1:] == ("_search",):
        return shortened(request, fresh(request, answer))
    return answer


async def _options(server: Server, request: Request, methods: Mapping[str, Route]) -> Answer:
    """What the address takes, in Allow; at the base and at metadata with the CapabilityStatement."""
    allow = ("Allow", ", ".join(_allowed(methods)))
    if request.segments in ((), ("metadata",)):
        return (await capabilities.capabilities(server, request))._replace(headers=(allow,))
    return Answer(204, headers=(allow,))


def _allowed(methods: Mapping[str, Route]) -> list[str]:
    """HEAD goes wherever GET does, OPTIONS everywhere."""
    found = {*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    return [method for method in METHODS if method in found]


def _across(segments: tuple[str, ...]) -> dict[str, Route]:
    """What is served over several sites: searches, but not of a compartment, since ids are each site's own."""
    if not segments or segments[0] in (*types.number_of, "_search"):
        found = ADDRESSES[address_of(segments)].items()
        if searches := {method: route for method, route in found if route.code in ("search-system", "search-type")}:
            return searches
    raise NotFound("Only searches of types, like /Patient?name=x, go over several sites; name one site in the address.")


def methods_at(segments: tuple[str, ...]) -> dict[str, Route]:
    """What an address takes, by method.

    Raises: NotFound (404) for an address that means nothing, BadRequest (400) for an id that can be none"""
    if segments and segments[-1].startswith("$"):
        return _operation(segments[:-1], segments[-1])
    address = address_of(segments)
    if "{id}" in address:
        check_id(segments[1])
    return ADDRESSES[address]


def _operation(before: tuple[str, ...], name: str) -> dict[str, Route]:
    """before: what stands before the `$name`"""
    if before:
        check_type(before[0])
    if before[1:]:
        check_id(before[1])
    if len(before) not in LEVELS or before[2:3] not in ((), ("_history",)):
        raise _nothing((*before, name))
    found = registry.methods(LEVELS[len(before)], before[0] if before else None, name)
    return {method: Route(name, serve) for method, serve in found.items()}


def address_of(segments: Sequence[str]) -> str:
    """Which address of the table these segments are, whatever the ids in them.

    Raises: NotFound (404)"""
    match segments:
        case ():
            return ""
        case ("_search" | "metadata" | "_history" as name,):
            return f"/{name}"
        case ("$job", _):
            return "/$job/{job}"
        case ("$job", _, _):
            return "/$job/{job}/{file}"
    check_type(segments[0])
    match segments[1:]:
        case ():
            return "/{type}"
        case ("_search" | "_history" as name,):
            return f"/{{type}}/{name}"
        case (_,):
            return "/{type}/{id}"
        case (_, "_history"):
            return "/{type}/{id}/_history"
        case (_, "_history", _):
            return "/{type}/{id}/_history/{version}"
        case (_, kind, *rest) if rest in ([], ["_search"]) and segments[0] in COMPARTMENTS:
            return _in_compartment(kind, *rest)
    raise _nothing(segments)


def _in_compartment(kind: str, *rest: str) -> str:
    """A search within a compartment: of a type, of all (`*`), of all by a form."""
    if kind == "_search" and not rest:
        return "/{compartment}/{id}/_search"
    if kind != "*":
        check_type(kind)
    return "/".join(("/{compartment}/{id}/{member}", *rest))


def _nothing(segments: Sequence[str]) -> NotFound:
    return NotFound(f"Nothing is served at {'/'.join(segments)}.")


def check_type(name: str) -> None:
    """Nothing, when FHIR R4 has this resource type.

    Raises: NotFound (404) with the nearest name
    """
    if name not in types.number_of:
        raise NotFound(types.unknown(name))


def check_id(resource_id: str) -> None:
    """Nothing, when this can be an id.

    Raises: BadRequest (400)
    """
    if not ID.fullmatch(resource_id):
        raise BadRequest("An id has 1 to 64 letters, digits, '-' and '.'.", diagnostics=resource_id[:80])
