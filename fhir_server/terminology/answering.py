"""Parameters as the operations of a terminology server answer them, and as they read them.

Enters: names and values; the parameters of a request. Leaves: a Parameters resource; codings.
Spec: http://hl7.org/fhir/R4/parameters.html
"""

from __future__ import annotations

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json
from fhir_server.http.request import Answer
from fhir_server.operations.parameters import Parameters
from fhir_server.terminology.composition import Json
from fhir_server.terminology.membership import Coding
from fhir_server.terminology.validating import Verdict


def answer(*parameters: Json) -> Answer:
    """200 with these parameters; those without a value are left out."""
    told = [one for one in parameters if len(one) > 1]
    return Answer(200, json.encode({"resourceType": "Parameters", "parameter": told}))


def text(name: str, value: str, kind: str = "valueString") -> Json:
    """A parameter with a text; without one it is not told."""
    return {"name": name, kind: value} if value else {"name": name}


def verdict_answer(verdict: Verdict) -> Answer:
    """result, message, display."""
    result = {"name": "result", "valueBoolean": verdict.result}
    return answer(result, text("message", verdict.message), text("display", verdict.display))


def codings_of(parameters: Parameters, system: str = "", version: str = "", *, concepts: bool = True) -> list[Coding]:
    """The one coding, or those of a codeableConcept, to be judged.

    system, version: of a code that stands by itself; concepts: whether the operation takes a codeableConcept
    Raises: BadRequest (400) unless exactly one of code, coding and codeableConcept is given, with a code"""
    code, coding = parameters.text("code"), parameters.structure("coding")
    concept = parameters.structure("codeableConcept")
    if sum(one is not None for one in (code, coding, concept)) != 1:
        raise missing(f"Give exactly one of {'code, coding and codeableConcept' if concepts else 'code and coding'}.")
    if concept is not None:
        return [of_structure(one) for one in concept.get("coding", ())]
    if coding is not None:
        return [of_structure(coding)]
    return [Coding(code or "", system, parameters.text("display") or "", version)]


def of_structure(coding: Json) -> Coding:
    """A Coding in memory.

    Raises: BadRequest (400) without a code"""
    if not coding.get("code"):
        raise missing("A coding needs its code.")
    return Coding(coding["code"], coding.get("system", ""), coding.get("display", ""), coding.get("version", ""))


def missing(text: str) -> BadRequest:
    """The error for parameters that do not say what is asked."""
    return BadRequest(issues=[Issue(text, "Parameters", code="required")])


def invalid(text: str, found: str = "") -> BadRequest:
    """The error for parameters that contradict each other, or that are not served."""
    return BadRequest(issues=[Issue(text, "Parameters", found, "invalid")])
