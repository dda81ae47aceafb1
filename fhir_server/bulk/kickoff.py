"""The first answer of the asynchronous pattern.

Spec: http://hl7.org/fhir/R4/async.html
"""

from __future__ import annotations

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from fhir_server.http.negotiation import preferences
from fhir_server.http.request import Answer, Request


def check_prefer(request: Request) -> None:
    """Raises: BadRequest (400) when the client does not say that it will come back for the result"""
    if "respond-async" not in preferences(request.headers):
        prefer = request.headers.get("prefer", "")
        text = "This takes its time: send Prefer: respond-async, and ask for the result at Content-Location."
        raise BadRequest(issues=[Issue(text, diagnostics=f"Prefer was {prefer or 'missing'}"[:200], code="required")])


def accepted(request: Request, job: str, what: str) -> Answer:
    """202 with the address of the job."""
    address = f"{request.base}/$job/{job}"
    text = f"{what} is under way; ask {address} how it stands, or DELETE it."
    body = json.encode(operation_outcome([Issue(text, code="informational", severity="information")]))
    return Answer(202, body, headers=(("Content-Location", address),))
