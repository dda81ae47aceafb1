"""Which interaction a method and an address mean, as a word for figures and traces.

Enters: method and path. Leaves: one of few words, whatever was asked: an address that means nothing is `other`. None of
them is an id or a value.
Spec: http://hl7.org/fhir/R4/http.html#summary, http://hl7.org/fhir/R4/valueset-type-restful-interaction.html
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from starlette.types import Scope

from ecluse.core.errors import EcluseError, NotFound
from ecluse.core.fhir import types
from fhir_server.http import address, routes
from fhir_server.operations.registry import operations

OTHER = "other"


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
    if segments and segments[-1].startswith("$"):
        return segments[-1] if segments[-1] in _operations() else OTHER
    try:
        methods = routes.ADDRESSES[routes.address_of(segments)]
    except NotFound:
        return OTHER
    route = methods.get("GET" if method == "HEAD" else method)
    return OTHER if route is None else route.code


@cache
def _operations() -> frozenset[str]:
    return frozenset(f"${operation.name}" for operation in operations())
