"""$validate: everything that is wrong with a resource, without storing it.

Enters: a resource as body or as the parameter `resource`; without one, what is stored. Leaves: 200 with an
OperationOutcome, whatever is found.
Spec: http://hl7.org/fhir/R4/resource-operation-validate.html
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from ecluse.core.errors import BadRequest, EcluseError, Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from ecluse.core.fhir.validation.profiles.validate import RANK
from ecluse.core.fhir.validation.report import report
from ecluse.core.fhir.validation.wishes import without
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.profiles.loading import profile_report
from fhir_server.server import Server
from fhir_server.store import resources

MODES = ("create", "update", "delete", "profile")
R4 = "http://hl7.org/fhir/StructureDefinition/"
PROFILES_LATER = Issue.information("Profiles are checked when the structure is right: mend that first.")
NOTHING_WRONG = Issue.information("Nothing is wrong with this resource.")


async def validate(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with what was found; one information when that is nothing.

    Raises: BadRequest (400) for a mode that does not exist or fits not, or when there is nothing to validate; NotFound
    (404), Gone (410) for an address without resource"""
    if any(issue.severity != "warning" for issue in request.noted):
        return Answer(200, json.encode(operation_outcome(request.noted)))
    resource_type, *rest = request.segments[:-1]
    resource_id = rest[0] if rest else None
    mode = _mode(parameters, resource_id)
    if mode == "delete":
        issues = await _deletion(server, request, resource_type, resource_id or "")
    else:
        data, place = await _resource(server, request, parameters, resource_id)
        issues, resource = report(resource_type, data, place)
        issues += request.noted
        if mode == "update":
            issues += _other_id(data, f"{place or resource_type}.id", resource_id or "")
        if resource is not None:
            asked = [url for url in parameters.texts("profile") if url.partition("|")[0] != f"{R4}{resource_type}"]
            told = await profile_report(server, request.site, resource, asked, place)
            issues = without(issues, told) + told
        elif parameters.all("profile"):
            issues.append(replace(PROFILES_LATER, expression=resource_type))
    ranked = sorted(issues, key=lambda issue: RANK[issue.severity])
    return Answer(200, json.encode(operation_outcome(ranked or [replace(NOTHING_WRONG, expression=resource_type)])))


def _mode(parameters: Parameters, resource_id: str | None) -> str | None:
    mode = parameters.text("mode")
    if mode is None:
        return None
    if mode not in MODES:
        raise _refused(f"mode is one of {', '.join(MODES)}.", parameters, "mode")
    if mode in ("update", "delete") and resource_id is None:
        raise _refused(f"POST to the address of the resource to validate its {mode}.", parameters, "mode")
    if mode == "profile" and not parameters.all("profile"):
        raise _refused("Say in the parameter profile which one.", parameters, "mode")
    return mode


async def _resource(
    server: Server, request: Request, parameters: Parameters, resource_id: str | None
) -> tuple[msgspec.Raw, str]:
    """The resource to validate, and its place in the request; at an address without a body, what is stored there."""
    given = parameters.one("resource")
    if given is not None and given.resource is not None:
        return given.resource, f"{given.expression}.resource" if given.expression else ""
    if resource_id is None:
        raise BadRequest("Send the resource to validate: as the body, or in Parameters as `resource`.")
    async with server.connection() as conn:
        stored = await resources.current(conn, request.site.number, request.segments[0], resource_id)
    return msgspec.Raw(stored.body or b""), ""


async def _deletion(server: Server, request: Request, resource_type: str, resource_id: str) -> list[Issue]:
    """Whether the resource could be deleted."""
    try:
        async with server.connection() as conn:
            await resources.current(conn, request.site.number, resource_type, resource_id)
    except EcluseError as error:
        return [replace(issue, expression=resource_type) for issue in error.coded]
    return []


def _other_id(data: msgspec.Raw, place: str, wanted: str) -> list[Issue]:
    try:
        given = json.decode(data).get("id")
    except (ValueError, AttributeError, RecursionError):
        return []  # the report has told that this is no resource
    if given == wanted:
        return []
    text = f"Put the id of the address into the resource: {wanted}."
    return [Issue(text, place, f"found {given!r}" if given is not None else "the resource has no id", "value")]


def _refused(text: str, parameters: Parameters, name: str) -> BadRequest:
    one = parameters.one(name)
    place = one.expression if one else ""
    return BadRequest(issues=[Issue(text, place, f"found {one.value!r}" if one else "", "value")])


OPERATIONS = (
    Operation(
        name="validate",
        function=validate,
        definition="http://hl7.org/fhir/OperationDefinition/Resource-validate",
        levels=("type", "instance"),
        parameters=("resource", "mode", "profile"),
        body="resource",
    ),
)
