"""$meta, $meta-add, $meta-delete: the profiles, tags and security labels of one resource, or of all of them.

What is added or taken away makes a new version, so that searches and the bus know it; past versions stay as they are.
What stands already, or is not there, changes nothing.
Spec: http://hl7.org/fhir/R4/resource-operation-meta.html, http://hl7.org/fhir/R4/resource-operation-meta-add.html,
http://hl7.org/fhir/R4/resource-operation-meta-delete.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json, types
from fhir_server.http import negotiation
from fhir_server.http.request import Answer, Request
from fhir_server.interactions.patch import patch_intent
from fhir_server.interactions.read import read
from fhir_server.interactions.vread import vread
from fhir_server.interactions.writing import write_once
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.store.meta import distinct
from fhir_server.store.write import Written

Meta = dict[str, Any]
MEMBERS = ("profile", "security", "tag")


async def meta(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with the Meta of a resource or version, or with all there are in a type or in the site.

    Raises: NotFound (404), Gone (410)"""
    match request.segments:
        case (_,):
            return await _all(server, request, *types.number_of)
        case (resource_type, _):
            return await _all(server, request, resource_type)
        case (*address, _):
            own = request._replace(segments=tuple(address), headers={})
    answer = await (read if len(own.segments) == 2 else vread)(server, own)
    return answer._replace(body=_told(json.decode(answer.body).get("meta", {})))


async def _all(server: Server, request: Request, *kinds: str) -> Answer:
    async with server.connection() as conn:
        return Answer(200, _told(await distinct(conn, request.site.number, kinds)))


async def change(apply: Callable[[Meta, Meta], Meta], server: Server, request: Request, given: Parameters) -> Answer:
    """200 with the Meta that stands now.

    Raises: BadRequest (400) when no Meta was sent, NotFound (404), Gone (410), PreconditionFailed (412)"""
    resource_type, resource_id, _ = request.segments
    wanted = _wanted(given)

    def changed(resource: dict[str, Any]) -> dict[str, Any]:
        return {**resource, "meta": apply(resource.get("meta", {}), wanted)}

    wish = patch_intent(request, resource_type, resource_id, changed)
    wish = wish._replace(if_match=negotiation.version_condition(request.headers))
    return await write_once(server, request, wish, _written)


def added(standing: Meta, wanted: Meta) -> Meta:
    """What stands, and what is wanted beside it."""
    members = {name: [*standing.get(name, ()), *_missing(standing, wanted, name)] for name in MEMBERS}
    return _replaced(standing, members)


def taken(standing: Meta, unwanted: Meta) -> Meta:
    """What stands, without what is not wanted."""
    return _replaced(standing, {name: _missing(unwanted, standing, name) for name in MEMBERS})


def _missing(meta: Meta, other: Meta, name: str) -> list[Any]:
    """What the other has beside this one: codings are the same when system and code are."""
    known = {_key(value) for value in meta.get(name, ())}
    return list({_key(value): value for value in other.get(name, ()) if _key(value) not in known}.values())


def _key(value: Any) -> Any:
    return (value.get("system"), value.get("code")) if isinstance(value, dict) else value


def _replaced(meta: Meta, members: dict[str, list[Any]]) -> Meta:
    kept = {name: value for name, value in meta.items() if name not in MEMBERS}
    return kept | {name: values for name, values in members.items() if values}


def _wanted(given: Parameters) -> Meta:
    found = given.structure("meta") or {}
    if not any(found.get(name) for name in MEMBERS):
        text = "POST Parameters with valueMeta named meta, in it profile, security or tag."
        raise BadRequest(issues=[Issue(text, "Parameters.parameter", code="required")])
    return found


def _told(meta: Meta) -> bytes:
    told = {"parameter": [{"name": "return", "valueMeta": meta}]} if meta else {}
    return json.encode({"resourceType": "Parameters", **told})


def _written(request: Request, written: Written) -> Answer:
    found = json.decode(written.body or b"{}").get("meta", {})
    return Answer(200, _told(found), written.version, written.updated, event=written.event)


_BASE = "http://hl7.org/fhir/OperationDefinition/Resource-meta"
OPERATIONS = (
    Operation("meta", meta, _BASE, ("system", "type", "instance", "version")),
    Operation("meta-add", partial(change, added), f"{_BASE}-add", ("instance",), (), ("meta",), affects_state=True),
    Operation(
        "meta-delete", partial(change, taken), f"{_BASE}-delete", ("instance",), (), ("meta",), affects_state=True
    ),
)
