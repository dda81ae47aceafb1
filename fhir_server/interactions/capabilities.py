"""capabilities: what this server does, made from the registries that it runs on.

Spec: http://hl7.org/fhir/R4/http.html#capabilities
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl

from ecluse.core import clock
from ecluse.core.fhir import json, types
from ecluse.core.fhir.patch.registry import FORMATS
from fhir_server.http import query
from fhir_server.http.formats import FHIR_XML
from fhir_server.http.request import FHIR_JSON, Answer, Request
from fhir_server.operations.operation import Level, Operation
from fhir_server.operations.registry import declared
from fhir_server.search import capabilities as capabilities_of_search
from fhir_server.server import Server
from fhir_server.store import guides
from fhir_server.subscriptions.taking import SQL as SUBSCRIPTIONS
from fhir_server.subscriptions.taking import SUBSCRIPTION
from fhir_server.terminology.capabilities import terminology_capabilities
from mappers.search.registry import BUILT_IN, Parameter, Registry, searchable

STARTED = clock.now()
INTERACTIONS = (
    "create",
    "read",
    "vread",
    "update",
    "patch",
    "delete",
    "history-instance",
    "history-type",
    "search-type",
)
TOPIC_EXTENSION = (
    "http://hl7.org/fhir/uv/subscriptions-backport/StructureDefinition/capabilitystatement-subscriptiontopic-canonical"
)
OF_SYSTEM = ("transaction", "batch", "history-system", "search-system")


async def capabilities(server: Server, request: Request) -> Answer:
    """200 with the CapabilityStatement, or with the TerminologyCapabilities when `mode` asks for them.

    Raises: BadRequest (400) for a parameter that it does not take"""
    query.check(request, query.METADATA)
    if "mode=" in request.query and dict(parse_qsl(request.query)).get("mode") == "terminology":
        return await terminology_capabilities(server, request, _software())
    async with server.connection() as conn:
        profiles = await guides.profiles(conn)
        registry = await server.registries.current(conn, request.site.number)
        topics = await conn.fetch(SUBSCRIPTIONS["topics"], request.site.number)
    own = _with_parameters(_statement(server.settings.conditional_delete), registry)
    own = _with_topics(own, [row["url"] for row in topics])
    statement = {
        **_with_profiles(own, profiles),
        "implementation": {"description": "Écluse", "url": request.base},
    }
    return Answer(200, json.encode(statement))


@cache
def _statement(conditional_delete: str) -> dict[str, Any]:
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": clock.instant_text(STARTED),
        "kind": "instance",
        "instantiates": ["http://hl7.org/fhir/uv/bulkdata/CapabilityStatement/bulk-data"],
        "software": _software(),
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "json", FHIR_XML, "xml"],
        "patchFormat": list(FORMATS),
        "rest": [
            {
                "mode": "server",
                "resource": [_resource(name, conditional_delete) for name in types.number_of],
                "interaction": [{"code": code} for code in OF_SYSTEM],
                **capabilities_of_search.SYSTEM,
                **_operations(declared("system")),
            }
        ],
    }


def _with_profiles(statement: dict[str, Any], profiles: dict[str, list[str]]) -> dict[str, Any]:
    """The statement with the profiles of installed guides."""
    if not profiles:
        return statement
    (rest,) = statement["rest"]
    told = [
        {**one, "supportedProfile": profiles[one["type"]]} if one["type"] in profiles else one
        for one in rest["resource"]
    ]
    return {**statement, "rest": [{**rest, "resource": told}]}


def _with_topics(statement: dict[str, Any], urls: list[str]) -> dict[str, Any]:
    """The statement with the topics that can be subscribed to.

    Spec: http://hl7.org/fhir/uv/subscriptions-backport/STU1.1/StructureDefinition-capabilitystatement-subscriptiontopic-canonical.html"""
    if not urls:
        return statement
    (rest,) = statement["rest"]
    extension = [{"url": TOPIC_EXTENSION, "valueCanonical": url} for url in urls]
    told = [{**one, "extension": extension} if one["type"] == SUBSCRIPTION else one for one in rest["resource"]]
    return {**statement, "rest": [{**rest, "resource": told}]}


def _with_parameters(statement: dict[str, Any], registry: Registry) -> dict[str, Any]:
    """The statement with the search parameters that the site has beside R4's."""
    if not registry.made:
        return statement
    (rest,) = statement["rest"]
    included = capabilities_of_search.includes(registry)
    told = [
        {**one, "searchParam": _parameters(registry.served(one["type"]).values()), **included[one["type"]]}
        for one in rest["resource"]
    ]
    return {**statement, "rest": [{**rest, "resource": told}]}


@cache
def _includes() -> dict[str, dict[str, Any]]:
    return capabilities_of_search.includes(BUILT_IN)


def _parameters(found: Iterable[Parameter]) -> list[dict[str, str]]:
    return [{"name": one.code, "definition": one.url, "type": one.type} for one in found]


def _software() -> dict[str, str]:
    return {"name": "Écluse", "version": version("ecluse")}


def _resource(resource_type: str, conditional_delete: str) -> dict[str, Any]:
    return {
        "type": resource_type,
        "interaction": [{"code": code} for code in INTERACTIONS],
        "versioning": "versioned-update",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": conditional_delete,
        "referencePolicy": ["literal", "logical", "local"],
        "searchParam": _parameters(searchable(resource_type)),
        **_includes()[resource_type],
        **_operations(_of_type(resource_type)),
    }


def _of_type(resource_type: str) -> Iterable[Operation]:
    """The operations of a type, at whatever level below it."""
    levels: tuple[Level, ...] = ("type", "instance", "version")
    return dict.fromkeys(operation for level in levels for operation in declared(level, resource_type))


def _operations(found: Iterable[Operation]) -> dict[str, Any]:
    """The member `operation`; a list that would be empty is left out.

    Spec: http://hl7.org/fhir/R4/capabilitystatement-definitions.html#CapabilityStatement.rest.resource.operation"""
    told = [{"name": operation.name, "definition": operation.definition} for operation in found]
    return {"operation": told} if told else {}
