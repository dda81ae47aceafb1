"""The one place where an exception becomes an answer.

Enters: any exception. Leaves: status and OperationOutcome. What is not ours is a 500 with the request's id and no
detail; the log has the type of the exception, never its text, which may hold patient data."""

from __future__ import annotations

import traceback

from ecluse.core.errors import EcluseError, Issue, MethodNotAllowed
from ecluse.core.fhir import json
from ecluse.core.fhir.outcome import operation_outcome
from ecluse.core.log import Log
from fhir_server.http.request import Answer

log = Log("server")


def failure(error: Exception, request_id: str) -> Answer:
    """The answer to a request that failed."""
    if isinstance(error, EcluseError):
        headers = (("Retry-After", "5"),) if error.retry else ()
        if isinstance(error, MethodNotAllowed):
            headers = (("Allow", ", ".join(error.allowed)),)
        return Answer(error.status, outcome_body(error), error.version, headers=headers)
    log.error("request failed", error=place(error), request_id=request_id)
    issue = Issue(f"The server failed. Its log has the reason under {request_id}.", code="exception", severity="fatal")
    return Answer(500, json.encode(operation_outcome([issue])))


def outcome_body(error: EcluseError) -> bytes:
    """The OperationOutcome of one of our errors."""
    return json.encode(operation_outcome(error.coded))


def place(error: Exception) -> str:
    """Type and place in our code: what a log may say."""
    frames = traceback.extract_tb(error.__traceback__)
    last = frames[-1] if frames else None
    return f"{type(error).__name__} at {last.name}:{last.lineno}" if last else type(error).__name__
