"""The shape of the FHIR addresses as OpenAPI, made from what is routed.

Enters: nothing. Leaves: path items below the base, with their parameters, bodies and answers. What a resource looks
like is FHIR's own matter: a schema here says only that it names its type.
Spec: https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from inspect import getdoc
from typing import Any

from ecluse.core.fhir import types
from ecluse.core.fhir.patch.registry import FORMATS as PATCHES
from fhir_server.http import routes
from fhir_server.http.formats import FHIR_XML
from fhir_server.http.request import FHIR_JSON
from fhir_server.http.routes import Route
from fhir_server.operations.operation import Operation
from fhir_server.operations.registry import operations
from fhir_server.search.membership import COMPARTMENTS

ADDRESSES = {address: methods for address, methods in routes.ADDRESSES.items() if "$job" not in address}
"""All but those of bulk jobs, which whoever starts one is told."""

LEVELS = {"system": "", "type": "/{type}", "instance": "/{type}/{id}", "version": "/{type}/{id}/_history/{version}"}
FORMS = ("application/x-www-form-urlencoded",)
FORMATS = (FHIR_JSON, FHIR_XML)
STATUSES = {
    "200": "The resource, the bundle, or an OperationOutcome.",
    "201": "A first version was written; Location names it.",
    "204": "Done, nothing to say.",
    "4XX": "Refused: an OperationOutcome that names each problem, its place and the fix.",
    "503": "The database is away; try again.",
}


def paths(base: str) -> dict[str, Any]:
    """Path items of all FHIR addresses. base: put before each, "/fhir"

    Spec: http://hl7.org/fhir/R4/http.html#summary"""
    found = {base + address: _item(address, methods) for address, methods in ADDRESSES.items()}
    for level, address in LEVELS.items():
        for operation in _standing(level):
            found[f"{base}{address}/${operation.name}"] = _operation(address, operation)
    return found


def components() -> dict[str, Any]:
    """Schemas and parameters that the paths refer to."""
    named = {"type": "object", "required": ["resourceType"], "properties": {"resourceType": {"type": "string"}}}
    return {
        "schemas": {"Resource": named},
        "parameters": {
            "type": _in_path("type", {"type": "string", "enum": list(types.number_of)}, "Type of the resource."),
            "id": _in_path("id", {"type": "string", "pattern": "^[A-Za-z0-9.-]{1,64}$"}, "Logical id."),
            "compartment": _in_path(
                "compartment", {"type": "string", "enum": list(COMPARTMENTS)}, "Whose compartment."
            ),
            "member": _in_path("member", {"type": "string", "enum": [*types.number_of, "*"]}, "Type, or * for all."),
            "version": _in_path("version", {"type": "string", "pattern": "^[1-9][0-9]{0,8}$"}, "Version."),
        },
    }


def _standing(level: str) -> Iterable[Operation]:
    """The operations of a level; two of one name, for different types, have one address."""
    return {operation.name: operation for operation in operations() if level in operation.levels}.values()


def _item(address: str, methods: Mapping[str, Route]) -> dict[str, Any]:
    item: dict[str, Any] = {"parameters": _parameters(address)}
    for method, route in methods.items():
        item[method.lower()] = _call(method, _first_line(route.serve), _bodies(address, method))
    return item


def _operation(address: str, operation: Operation) -> dict[str, Any]:
    text = f"{_first_line(operation.function)} {operation.definition}"
    item: dict[str, Any] = {"parameters": _parameters(address)}
    for method in operation.methods:
        item[method.lower()] = _call(method, text, FORMATS if method == "POST" else ())
    return item


def _call(method: str, text: str, bodies: Iterable[str]) -> dict[str, Any]:
    answers = {status: {"description": told} for status, told in STATUSES.items()}
    for status in ("200", "201", "4XX"):
        answers[status]["content"] = _content(FORMATS)  # type: ignore[assignment]
    call: dict[str, Any] = {"summary": text, "responses": answers}
    if content := _content(bodies):
        call["requestBody"] = {"content": content}
    return call


def _content(media: Iterable[str]) -> dict[str, Any]:
    schema = {"schema": {"$ref": "#/components/schemas/Resource"}}
    return {one: schema if one == FHIR_JSON else {} for one in media}


def _bodies(address: str, method: str) -> tuple[str, ...]:
    if address.endswith("_search"):
        return FORMS
    return {"POST": FORMATS, "PUT": FORMATS, "PATCH": tuple(PATCHES)}.get(method, ())


def _parameters(address: str) -> list[dict[str, str]]:
    names = [part.strip("{}") for part in address.split("/") if part.startswith("{")]
    return [{"$ref": f"#/components/parameters/{name}"} for name in names]


def _in_path(name: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema, "description": text}


def _first_line(function: Callable[..., Any]) -> str:
    while isinstance(function, partial):
        function = function.func
    return (getdoc(function) or "").partition("\n")[0]
