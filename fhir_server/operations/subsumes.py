"""CodeSystem $subsumes: how two codes stand to each other.

Spec: http://hl7.org/fhir/R4/codesystem-operation-subsumes.html
"""

from __future__ import annotations

from ecluse.core.db.pool import Connection
from ecluse.core.errors import NotFound
from ecluse.core.fhir.code_systems import canonical
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.terminology import asking, concepts
from fhir_server.terminology.answering import answer, invalid, missing, of_structure
from fhir_server.terminology.composition import System
from fhir_server.terminology.concepts import Found
from fhir_server.terminology.membership import Coding


async def subsumes(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with equivalent, subsumes, subsumed-by or not-subsumed.

    Raises: NotFound (404) for an unknown code system or code, BadRequest (400) unless two codes of it are given"""
    asked = (_coding(parameters, "A"), _coding(parameters, "B"))
    named = {canonical(one.system) for one in asked if one.system}
    if len(named) > 1:
        raise invalid("Both codes must be of one code system.", " and ".join(sorted(named)))
    async with server.connection() as conn:
        system = await asking.code_system(conn, request, parameters, "system")
        if system is None:
            if not named:
                raise missing("Give the system of the codes.")
            system = await asking.system_at(conn, request.site.number, named.pop(), parameters.text("version") or "")
        elif named and named != {canonical(system.url)}:
            raise invalid(f"The codes must be of {system.url}.", named.pop())
        a, b = [await _found(conn, system, one) for one in asked]
    return answer({"name": "outcome", "valueCode": outcome(a, b)})


def outcome(a: Found, b: Found) -> str:
    """The relationship, in FHIR's words."""
    if a.position == b.position:
        return "equivalent"
    if _within(b, a):
        return "subsumes"
    return "subsumed-by" if _within(a, b) else "not-subsumed"


def _within(below: Found, above: Found) -> bool:
    return any(low <= below.position <= high for low, high in above.under)


def _coding(parameters: Parameters, which: str) -> Coding:
    code, coding = parameters.text(f"code{which}"), parameters.structure(f"coding{which}")
    if (code is None) == (coding is None):
        raise missing(f"Give either code{which} or coding{which}.")
    return of_structure(coding) if coding is not None else Coding(code or "", parameters.text("system") or "")


async def _found(conn: Connection, system: System, coding: Coding) -> Found:
    found = await concepts.lookup(conn, system, coding.code)
    if found is None:
        raise NotFound(f"{coding.code!r} is no code of {system.canonical}.", diagnostics=coding.code)
    return found


OPERATIONS = (
    Operation(
        "subsumes",
        subsumes,
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes",
        ("type", "instance"),
        ("CodeSystem",),
        ("codeA", "codeB", "system", "version", "codingA", "codingB"),
    ),
)
