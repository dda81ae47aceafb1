"""CodeSystem $lookup: what a code system says of a code.

Spec: http://hl7.org/fhir/R4/codesystem-operation-lookup.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ecluse.core.db.pool import Connection
from ecluse.core.errors import NotFound
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.terminology import asking, concepts
from fhir_server.terminology.answering import answer, codings_of, invalid, missing, text
from fhir_server.terminology.composition import Json, System
from fhir_server.terminology.concepts import Found
from fhir_server.terminology.expanding import display_of, language_of

DEFAULT = ("definition", "designation", "parent", "child", "inactive")
"""What is told when the client names no property, beside the code's own properties."""
NAMED_APART = frozenset({"url", "name", "version", "display", "definition", "designation", "parent", "child"})


async def lookup(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with the concept.

    Raises: NotFound (404) for an unknown code system or code"""
    asking.check_date(parameters)
    named, version = parameters.text("system") or "", parameters.text("version") or ""
    (coding,) = codings_of(parameters, named, version, concepts=False)
    if not coding.system:
        raise missing("Give the system of the code.")
    if parameters.text("system") and parameters.one("coding"):
        raise invalid("Give system with code, or a coding that has its own.")
    async with server.connection() as conn:
        system = await asking.system_at(conn, request.site.number, coding.system, coding.version)
        found = await concepts.lookup(conn, system, coding.code)
        if found is None:
            raise NotFound(await _unknown(conn, system, coding.code), diagnostics=coding.code)
        wanted = parameters.texts("property")
        told = [one async for one in _properties(conn, system, found, wanted)]
    language = asking.language_of(request, parameters)
    display = display_of(found.display, found.designations, language, language_of(system))
    return answer(
        {"name": "name", "valueString": system.name},
        text("version", system.version),
        {"name": "display", "valueString": display or found.code},
        *_designations(found.designations, wanted),
        *told,
    )


async def _unknown(conn: Connection, system: System, code: str) -> str:
    near = await concepts.resembling(conn, system, code)
    return f"{code!r} is no code of {system.canonical}" + (f"; did you mean {' or '.join(near)}?" if near else ".")


def _designations(designations: Sequence[Json], wanted: Sequence[str]) -> Iterator[Json]:
    languages = {one.removeprefix("lang.") for one in wanted if one.startswith("lang.")}
    for one in designations:
        if not wanted or "designation" in wanted or one.get("language") in languages:
            parts = [
                {"name": name, kind: one[name]}
                for name, kind in (("language", "valueCode"), ("use", "valueCoding"), ("value", "valueString"))
                if name in one
            ]
            yield {"name": "designation", "part": parts}


async def _properties(conn: Connection, system: System, found: Found, wanted: Sequence[str]) -> Any:
    asked = set(wanted or DEFAULT)
    if "definition" in asked and found.definition:
        yield _property("definition", "valueString", found.definition)
    if "inactive" in asked and found.inactive:
        yield _property("inactive", "valueBoolean", True)
    if "parent" in asked:
        for code, display in await concepts.named(conn, system, found.parents):
            yield _property("parent", "valueCode", code, display)
    if "child" in asked:
        for code, display in await concepts.children(conn, system, found):
            yield _property("child", "valueCode", code, display)
    for one in found.properties:
        kind = next((name for name in one if name.startswith("value")), "")
        if kind and one["code"] not in NAMED_APART | {"inactive"} and (not wanted or one["code"] in asked):
            yield _property(one["code"], kind, one[kind])


def _property(code: str, kind: str, value: Any, description: str = "") -> Json:
    parts: list[Json] = [{"name": "code", "valueCode": code}, {"name": "value", kind: value}]
    if description:
        parts.append({"name": "description", "valueString": description})
    return {"name": "property", "part": parts}


OPERATIONS = (
    Operation(
        "lookup",
        lookup,
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup",
        ("type",),
        ("CodeSystem",),
        ("code", "system", "version", "coding", "date", "displayLanguage", "property"),
    ),
)
