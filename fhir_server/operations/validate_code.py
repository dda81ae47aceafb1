"""$validate-code: whether a code is in a code system, and whether it is in a value set.

Spec: http://hl7.org/fhir/R4/codesystem-operation-validate-code.html,
http://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from ecluse.core.db.pool import Connection
from ecluse.core.fhir.code_systems import canonical
from fhir_server.http.request import Answer, Request
from fhir_server.operations.operation import Operation
from fhir_server.operations.parameters import Parameters
from fhir_server.server import Server
from fhir_server.terminology import asking
from fhir_server.terminology.answering import codings_of, missing, verdict_answer
from fhir_server.terminology.composition import System
from fhir_server.terminology.membership import Coding, told
from fhir_server.terminology.planning import Planner
from fhir_server.terminology.validating import Manner, Verdict, by_grammar, in_system, in_value_set, together

SHARED = ("code", "display", "coding", "codeableConcept", "date", "abstract", "displayLanguage")


def _manner(request: Request, parameters: Parameters) -> Manner:
    return Manner(parameters.boolean("abstract", True), asking.language_of(request, parameters))


async def in_code_system(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with result, message and display.

    Raises: NotFound (404) when the code system is not here"""
    asking.check_date(parameters)
    url = parameters.text("url") or ""
    codings = codings_of(parameters, url)
    own = next((one.system for one in codings if one.system), "")
    by_form = by_grammar(url or own, codings[0]) if len(codings) == 1 else None
    if by_form is not None:
        return verdict_answer(by_form)
    async with asking.connected(server, parameters, "codeSystem") as conn:
        system = await asking.code_system(conn, request, parameters)
        if system is None:
            if not own:
                raise missing("Name the code system: by its instance, by url, or in codeSystem.")
            system = await asking.system_at(conn, request.site.number, own, parameters.text("version") or "")
        verdicts = [await _in_system(conn, system, one, _manner(request, parameters)) for one in codings]
    return verdict_answer(together(verdicts))


async def _in_system(conn: Connection, system: System, coding: Coding, manner: Manner) -> Verdict:
    if coding.system and system.url and canonical(coding.system) != canonical(system.url):
        return Verdict(False, f"{told(coding)} is of another code system than {system.url}.")
    return await in_system(conn, system, coding, manner)


async def in_set(server: Server, request: Request, parameters: Parameters) -> Answer:
    """200 with result, message and display.

    Raises: NotFound (404) when the value set is not here"""
    asking.check_date(parameters)
    codings = codings_of(parameters, parameters.text("system") or "", parameters.text("systemVersion") or "")
    async with asking.connected(server, parameters) as conn:
        planner = Planner(conn, request.site.number, lenient=True)
        composed = await asking.value_set(planner, request, parameters)
        verdicts = await in_value_set(planner, composed, codings, _manner(request, parameters))
    return verdict_answer(together(verdicts))


OPERATIONS = (
    Operation(
        "validate-code",
        in_code_system,
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code",
        ("type", "instance"),
        ("CodeSystem",),
        ("url", "codeSystem", "version", *SHARED),
    ),
    Operation(
        "validate-code",
        in_set,
        "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code",
        ("type", "instance"),
        ("ValueSet",),
        ("url", "context", "valueSet", "valueSetVersion", "system", "systemVersion", *SHARED),
    ),
)
