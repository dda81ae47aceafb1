"""Why a line was not taken, as an OperationOutcome that names the file and the line.

Spec: http://hl7.org/fhir/R4/extension-operationoutcome-issue-source.html
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ecluse.core.errors import EcluseError
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome

EXTENSION = "http://hl7.org/fhir/StructureDefinition/operationoutcome-issue-"


class Place(NamedTuple):
    """A line of a file, the first is 1; 0 is the file as a whole."""

    file: str
    line: int


def refusal(error: EcluseError, place: Place) -> bytes:
    """The OperationOutcome, in one line of JSON."""
    outcome = operation_outcome(error.issues, error.code)
    where: list[dict[str, Any]] = [{"url": f"{EXTENSION}source", "valueString": place.file}]
    if place.line:
        where.append({"url": f"{EXTENSION}line", "valueInteger": place.line})
    for issue in outcome["issue"]:
        issue["extension"] = where
    return json.encode(outcome)
