"""From method and path to the interaction.

Enters: a `Request`. Leaves: the `Answer` of the one interaction that serves it.
Spec: http://hl7.org/fhir/R4/http.html#summary
"""

from __future__ import annotations

import difflib
import re
from functools import partial

from ecluse.core.errors import BadRequest, MethodNotAllowed, NotFound
from ecluse.core.fhir import types
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
from fhir_server.operations.registry import Interaction
from fhir_server.profiles.loading import loading
from fhir_server.search.membership import COMPARTMENTS
from fhir_server.server import Server

READS = ("GET", "HEAD")
ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


async def _nested(server: Server, request: Request) -> Answer:
    """Raises: BadRequest (400), since what is posted to the base by itself never comes here (bundles/post.py)"""
    raise BadRequest("A bundle's entries are no bundles to be processed; post each bundle by itself.")


SYSTEM: dict[str, Interaction] = {"GET": search_system.search, "POST": _nested}
SYSTEM_SEARCH: dict[str, Interaction] = {"POST": search_system.search_by_form}
METADATA: dict[str, Interaction] = {"GET": capabilities.capabilities}
TYPE: dict[str, Interaction] = {
    "GET": search_type.search,
    "POST": create.create,
    "PUT": update.conditional_update,
    "PATCH": patch.conditional_patch,
    "DELETE": delete.conditional_delete,
}
SEARCH: dict[str, Interaction] = {"POST": search_type.search_by_form}
COMPARTMENT: dict[str, Interaction] = {"GET": search_compartment.search}
COMPARTMENT_SEARCH: dict[str, Interaction] = {"POST": search_compartment.search_by_form}
INSTANCE: dict[str, Interaction] = {
    "GET": read.read,
    "PUT": update.update,
    "PATCH": patch.patch,
    "DELETE": delete.delete,
}
SYSTEM_HISTORY: dict[str, Interaction] = {"GET": history.system_history}
TYPE_HISTORY: dict[str, Interaction] = {"GET": history.type_history}
HISTORY: dict[str, Interaction] = {"GET": history.instance_history}
JOB: dict[str, Interaction] = {"GET": job.status, "DELETE": job.cancel}
JOB_FILE: dict[str, Interaction] = {"GET": job.file}
VERSION: dict[str, Interaction] = {"GET": vread.vread}


async def dispatch(server: Server, request: Request) -> Answer:
    """The answer of the interaction that this address and method mean.

    Raises: NotFound (404) for an address that means nothing, MethodNotAllowed (405), and what the interaction raises
    """
    methods = _across(request.segments) if request.across else _methods(request.segments)
    if request.method == "OPTIONS":
        return await _options(server, request, methods)
    interaction = methods.get("GET" if request.method == "HEAD" else request.method)
    if interaction is None:
        allowed = _allowed(methods)
        raise MethodNotAllowed(f"{request.method} does not work here; use {', '.join(allowed)}.", allowed)
    answer = await loading(server, request, partial(interaction, server, request))
    if request.method in READS or request.segments[-1:] == ("_search",):
        return shortened(request, fresh(request, answer))
    return answer


async def _options(server: Server, request: Request, methods: dict[str, Interaction]) -> Answer:
    """What the address takes, in Allow; at the base and at metadata with the CapabilityStatement."""
    allow = ("Allow", ", ".join(_allowed(methods)))
    if request.segments in ((), ("metadata",)):
        return (await capabilities.capabilities(server, request))._replace(headers=(allow,))
    return Answer(204, headers=(allow,))


def _allowed(methods: dict[str, Interaction]) -> list[str]:
    """HEAD goes wherever GET does, OPTIONS everywhere."""
    found = {*methods, "OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
    return [method for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS") if method in found]


def _across(segments: tuple[str, ...]) -> dict[str, Interaction]:
    """What is served over several sites: searches, but not of a compartment, since ids are each site's own."""
    match segments:
        case ():
            return {"GET": search_system.search}
        case ("_search",):
            return SYSTEM_SEARCH
        case (name,) if name in types.number_of:
            return {"GET": search_type.search}
        case (name, "_search") if name in types.number_of:
            return SEARCH
    raise NotFound("Only searches of types, like /Patient?name=x, go over several sites; name one site in the address.")


def _methods(segments: tuple[str, ...]) -> dict[str, Interaction]:
    match segments:
        case ():
            return SYSTEM
        case ("_search",):
            return SYSTEM_SEARCH
        case ("metadata",):
            return METADATA
        case ("_history",):
            return SYSTEM_HISTORY
        case (name,) if name.startswith("$"):
            return registry.methods("system", None, name)
        case ("$job", _):
            return JOB
        case ("$job", _, _):
            return JOB_FILE
    check_type(segments[0])
    match segments[1:]:
        case ():
            return TYPE
        case ("_search",):
            return SEARCH
        case ("_history",):
            return TYPE_HISTORY
        case (name,) if name.startswith("$"):
            return registry.methods("type", segments[0], name)
        case (resource_id,):
            check_id(resource_id)
            return INSTANCE
        case (resource_id, "_history"):
            check_id(resource_id)
            return HISTORY
        case (resource_id, "_history", _):
            check_id(resource_id)
            return VERSION
        case (resource_id, name) if name.startswith("$"):
            check_id(resource_id)
            return registry.methods("instance", segments[0], name)
        case (resource_id, kind, *rest) if rest in ([], ["_search"]) and segments[0] in COMPARTMENTS:
            return _in_compartment(resource_id, kind, rest)
        case (resource_id, "_history", _, name) if name.startswith("$"):
            check_id(resource_id)
            return registry.methods("version", segments[0], name)
    raise NotFound(f"Nothing is served at {'/'.join(segments)}.")


def _in_compartment(resource_id: str, kind: str, rest: list[str]) -> dict[str, Interaction]:
    """Searches within a compartment: of a type, of all (`*`), of all by a form."""
    check_id(resource_id)
    if kind == "_search" and not rest:
        return COMPARTMENT_SEARCH
    if kind != "*":
        check_type(kind)
    return COMPARTMENT_SEARCH if rest else COMPARTMENT


def check_type(name: str) -> None:
    """Nothing, when FHIR R4 has this resource type.

    Raises: NotFound (404) with the nearest name
    """
    if name not in types.number_of:
        near = difflib.get_close_matches(name, types.number_of, 1)
        raise NotFound(f"FHIR R4 has no resource type {name!r}" + (f"; did you mean {near[0]}?" if near else "."))


def check_id(resource_id: str) -> None:
    """Nothing, when this can be an id.

    Raises: BadRequest (400)
    """
    if not ID.fullmatch(resource_id):
        raise BadRequest("An id has 1 to 64 letters, digits, '-' and '.'.", diagnostics=resource_id[:80])
