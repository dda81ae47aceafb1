"""ConceptMap $translate: what a code is in another code system, or which codes become it.

Spec: http://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.core.db.pool import Connection
from ecluse.core.fhir import json
from ecluse.core.fhir.acceptance import accept
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.terminology import asking, base, definitions, translating
from fhir_server.terminology.answering import answer, codings_of, missing, of_structure, text
from fhir_server.terminology.composition import Json
from fhir_server.terminology.definitions import Definition
from fhir_server.terminology.membership import Coding
from fhir_server.terminology.translating import Asked, Match, Wish
from mappers.terminology.concept_map import NO_MATCH

PARAMETERS = (
    *("url", "conceptMap", "conceptMapVersion", "code", "system", "version", "source", "coding", "codeableConcept"),
    *("target", "targetsystem", "dependency", "reverse"),
)


async def translate(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with result and matches; no match is an answer too.

    Raises: NotFound (404) when the map is not here, BadRequest (400) without a code and its system"""
    codings = codings_of(parameters, parameters.text("system") or "", parameters.text("version") or "")
    if any(not coding.system for coding in codings):
        raise missing("Give the system of the code.")
    wish = Wish(
        parameters.text("source") or "",
        parameters.text("target") or "",
        parameters.text("targetsystem") or "",
        parameters.boolean("reverse"),
    )
    dependencies = _dependencies(parameters)
    async with server.connection() as conn:
        await base.settle(conn)
        given = await _maps(conn, request, parameters, wish)
        found: list[Match] = []
        for coding in codings:
            asked = Asked(coding, wish, dependencies)
            found += await translating.matches(conn, request.site.number, given, asked)
    return _answer(found, codings, given)


async def _maps(conn: Connection, request: Request, parameters: Parameters, wish: Wish) -> list[Definition]:
    """The map that the request names, or all that fit when it names none."""
    brought, url = parameters.one("conceptMap"), parameters.text("url")
    instance = asking.instance_of(request)
    if sum(bool(one) for one in (brought, url, instance)) > 1:
        raise missing("Name one concept map: by its instance, by url, or in conceptMap.")
    if brought is not None:
        resource = accept("ConceptMap", brought.resource or b"", brought.expression)
        return [Definition(0, 0, resource.get("url", ""), resource.get("version", ""), "", 0, json.encode(resource))]
    site = request.site.number
    if instance:
        return [await definitions.of_id(conn, site, "ConceptMap", instance)]
    if not url:
        return await translating.maps(conn, site, wish)
    version = parameters.text("conceptMapVersion") or ""
    candidates = await definitions.candidates(conn, site, "ConceptMap", url.partition("|")[0])
    found = definitions.chosen(candidates, version or url.partition("|")[2])
    if found is None:
        raise definitions.unknown("ConceptMap", url, version, candidates)
    return [found]


def _dependencies(parameters: Parameters) -> dict[str, tuple[tuple[str, str], ...]]:
    """Element → what it has."""
    told: dict[str, tuple[tuple[str, str], ...]] = {}
    for one in parameters.all("dependency"):
        parts = {part.get("name"): part for part in one.part}
        element = parts.get("element", {}).get("valueUri")
        concept = parts.get("concept", {}).get("valueCodeableConcept")
        if not element or concept is None:
            raise missing("A dependency has the parts element (valueUri) and concept (valueCodeableConcept).")
        codings = [of_structure(coding) for coding in concept.get("coding", ())]
        told[element] = tuple((coding.system, coding.code) for coding in codings)
    return told


def _answer(found: Sequence[Match], codings: Sequence[Coding], given: Sequence[Definition]) -> Answer:
    result = any(match.target.equivalence not in NO_MATCH for match in found)
    message = "" if result else _message(found, codings, given)
    return answer({"name": "result", "valueBoolean": result}, text("message", message), *map(_match, found))


def _message(found: Sequence[Match], codings: Sequence[Coding], given: Sequence[Definition]) -> str:
    asked = ", ".join(f"{coding.system}|{coding.code}" for coding in codings)
    comments = " ".join(match.target.comment for match in found if match.target.comment)
    if found:
        return f"The map says that {asked} has no match. {comments}".strip()
    if not given:
        return "No concept map here fits; POST a ConceptMap, or load one with `ecluse terminology load`."
    return f"No concept map has {asked}."


def _match(match: Match) -> Json:
    target = match.target
    parts: list[Json] = [{"name": "equivalence", "valueCode": target.equivalence}]
    if target.code:
        told = {
            "system": target.system,
            "version": target.version,
            "code": target.code,
            "display": target.display,
        }
        parts.append({"name": "concept", "valueCoding": {name: value for name, value in told.items() if value}})
    parts += target.products
    if match.source:
        parts.append({"name": "source", "valueUri": match.source})
    return {"name": "match", "part": parts}


OPERATIONS = (
    Operation(
        "translate",
        translate,
        "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate",
        ("type", "instance"),
        ("ConceptMap",),
        PARAMETERS,
    ),
)
