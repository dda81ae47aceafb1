"""ValueSet $expand: the concepts of a value set, a page at a time.

Spec: http://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from ecluse.core.fhir import json
from ecluse.core.fhir.code_systems import canonical
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Form, Given, Parameters
from fhir_server.server import Server
from fhir_server.terminology import asking
from fhir_server.terminology.composition import Json
from fhir_server.terminology.expanding import MOST, Asked, expansion
from fhir_server.terminology.planning import Planner

WITHOUT_DEFINITION = frozenset({"compose", "text", "contained", "expansion"})
TYPED = {"offset": "valueInteger", "count": "valueInteger", "displayLanguage": "valueCode", "filter": "valueString"}
BOOLEANS = ("includeDesignations", "includeDefinition", "activeOnly", "excludeNested", "excludeNotForUI")
TOLD = (*BOOLEANS, *TYPED, "excludePostCoordinated", "designation", "exclude-system", "system-version")
VERSIONED = ("check-system-version", "force-system-version")
FORMS: dict[str, Form] = {
    "url": Parameters.text,
    "valueSetVersion": Parameters.text,
    "date": Parameters.interval,
    **dict.fromkeys((*BOOLEANS, "excludePostCoordinated"), Parameters.boolean),
    **dict.fromkeys(("offset", "count"), Parameters.whole),
    **dict.fromkeys(("displayLanguage", "filter"), Parameters.text),
    **dict.fromkeys(("designation", "exclude-system", "system-version"), Parameters.texts),
}
PARAMETERS = ("url", "valueSet", "valueSetVersion", "context", "contextDirection", "date", *TOLD, *VERSIONED)


async def expand(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with the value set and its expansion.

    Raises: NotFound (404), Unprocessable (422) when it cannot be followed or is too costly"""
    asking.check_date(parameters)
    asked = _asked(request, parameters)
    async with asking.connected(server, parameters) as conn:
        planner = Planner(conn, request.site.number, asking.versions_of(parameters))
        composed = await asking.value_set(planner, request, parameters)
        found = await expansion(
            conn, composed, asked, [_told(one) for one in parameters.given if one.name in TOLD + VERSIONED]
        )
    left_out = frozenset({"text", "expansion"} if parameters.boolean("includeDefinition") else WITHOUT_DEFINITION)
    kept = {name: value for name, value in composed.resource.items() if name not in left_out}
    return Answer(
        200,
        json.encode({**kept, "resourceType": "ValueSet", "status": kept.get("status", "active"), "expansion": found}),
    )


def _asked(request: Request, parameters: Parameters) -> Asked:
    named = tuple(parameters.texts("designation"))
    everything = parameters.boolean("includeDesignations") and not named
    left_out = [one.partition("|") for one in parameters.texts("exclude-system")]
    return Asked(
        filter=parameters.text("filter") or "",
        offset=parameters.whole("offset") or 0,
        count=parameters.whole("count", most=MOST),
        active_only=parameters.boolean("activeOnly"),
        designations=None if everything else named,
        language=asking.language_of(request, parameters),
        without_systems=tuple((canonical(system), version) for system, _, version in left_out),
    )


def _told(one: Given) -> Json:
    """A parameter of the request as the expansion records it."""
    if one.name in TYPED or one.name in BOOLEANS or one.name == "excludePostCoordinated":
        kind = TYPED.get(one.name, "valueBoolean")
        value = json.decode(str(one.value).encode()) if kind in ("valueBoolean", "valueInteger") else one.value
        return {"name": one.name, kind: value}
    return {"name": one.name, "valueString" if one.name == "designation" else "valueUri": one.value}


OPERATIONS = (
    Operation(
        "expand",
        expand,
        "http://hl7.org/fhir/OperationDefinition/ValueSet-expand",
        ("type", "instance"),
        ("ValueSet",),
        PARAMETERS,
        body="valueSet",
        forms=FORMS,
    ),
)
