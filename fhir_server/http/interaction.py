"""Which interaction a method and an address mean, as a word for figures and traces.

Enters: method and path. Leaves: one of few words, whatever was asked: an address that means nothing is `other`. None of
them is an id or a value.
Spec: http://hl7.org/fhir/R4/http.html#summary, http://hl7.org/fhir/R4/valueset-type-restful-interaction.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from starlette.types import Scope

from ecluse.core.errors import EcluseError
from ecluse.core.fhir import types
from fhir_server.http import address
from fhir_server.operations.registry import operations

OTHER = "other"
JOB = "$job"
BASE = {"GET": "search-system", "POST": "batch/transaction"}
TYPE = {"GET": "search-type", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
INSTANCE = {"GET": "read", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
BY_FORM = {"POST": "search-type"}
COMPARTMENT = {"GET": "search-compartment"}


def asked_for(scope: Scope) -> tuple[str, ...]:
    """The interaction that a request means, and the resource type when it is about one."""
    try:
        _, segments = address.place(scope)
    except EcluseError:
        return (OTHER,)
    kinds = segments[:1] if segments and segments[0] in types.number_of else ()
    return (interaction(scope["method"], segments), *kinds)


def interaction(method: str, segments: Sequence[str]) -> str:
    """The code of R4 for it, `$name` for an operation, `options`."""
    if method == "OPTIONS":
        return "options"
    if segments and segments[-1] in _operations():
        return segments[-1]
    return _methods(segments).get("GET" if method == "HEAD" else method, OTHER)


@cache
def _operations() -> frozenset[str]:
    return frozenset(f"${operation.name}" for operation in operations())


def _methods(segments: Sequence[str]) -> Mapping[str, str]:
    match segments:
        case ():
            return BASE
        case ("metadata",):
            return {"GET": "capabilities"}
        case ("_history",):
            return {"GET": "history-system"}
        case ("_search",):
            return {"POST": "search-system"}
        case ("$job", *_):
            return {"GET": JOB, "DELETE": JOB}
        case (kind, *below) if kind in types.number_of:
            return _of_type(below)
    return {}


def _of_type(below: Sequence[str]) -> Mapping[str, str]:
    match below:
        case ():
            return TYPE
        case ("_search",):
            return BY_FORM
        case ("_history",):
            return {"GET": "history-type"}
        case (name,):
            return {} if name.startswith("$") else INSTANCE
        case (_, "_history"):
            return {"GET": "history-instance"}
        case (_, "_history", _):
            return {"GET": "vread"}
        case (_, kind) if kind == "*" or kind in types.number_of:
            return COMPARTMENT
        case (_, "_search") | (_, _, "_search"):
            return {"POST": "search-compartment"}
    return {}
