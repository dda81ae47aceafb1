"""A query string as a search.

Enters: a resource type and the text after the question mark. Leaves: a SearchQuery, or the error that lists all that is
wrong with the text and what would be valid. Nothing is ignored, unless the client prefers so (`handling=lenient`): then
parameters that are unknown or not served are left out and named.
Spec: http://hl7.org/fhir/R4/search.html, http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import cast
from urllib.parse import parse_qsl

from ecluse.core import clock
from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir.definitions.indexed import ends_of
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, Parameter
from fhir_server.search.control import CONTROLS, Control
from fhir_server.search.query import Clause, Kind, SearchQuery, cursor
from mappers.search import date, identity, reference, string, token, uri
from mappers.search.question import Question, Token, Value, parts
from mappers.search.registry import BUILT_IN, Registry

LONGEST_LIST = 1000
MOST_PARAMETERS = 100
CONTROL_SIGN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")

READERS: dict[str, Callable[[str, Question], list[Value]]] = {
    "_id": identity.asked,
    "_lastUpdated": date.asked,
    "token": token.asked,
    "reference": reference.asked,
    "string": string.asked,
    "date": date.asked,
    "uri": uri.asked,
}
"""What reads the values of each kind of parameter."""

MODIFIERS: dict[str, tuple[str, ...]] = {}
"""The modifiers that are served, by search type."""


class _NotServed(Exception):
    """A parameter that lenient handling leaves out."""


def parse(
    resource_type: str, text: str, *, base: str = "", lenient: bool = False, registry: Registry = BUILT_IN
) -> SearchQuery:
    """The search that a query string asks for.

    text: percent-encoded, without "?"; base: address of this server, under which its own resources may be named;
    registry: the parameters of the site
    Raises: BadRequest (400) with an issue for each parameter that cannot be obeyed"""
    clauses: list[Clause] = []
    control = Control(resource_type, registry)
    understood: list[tuple[str, str]] = []
    ignored: list[str] = []
    issues: list[Issue] = []
    for name, value in _pairs(text):
        try:
            if name in CONTROLS:
                _check_once(name, understood)
                control = CONTROLS[name](control, value)
            else:
                clauses.append(_clause(resource_type, name, value, base, registry))
            understood.append((name, value))
        except _NotServed as error:
            ignored.append(str(error))
        except BadRequest as error:
            issues += error.issues
    if ignored and not lenient:
        issues += [Issue(reason, code="not-supported") for reason in ignored]
    if issues:
        raise BadRequest(issues=issues)
    return SearchQuery(
        type=resource_type,
        clauses=tuple(clauses),
        sort=control.sort,
        count=control.count,
        cursor=cursor(control.cursor, control.sort) if control.cursor else None,
        total=control.total,
        count_only=control.count_only,
        understood=tuple(pair for pair in understood if pair[0] != "_cursor"),
        ignored=tuple(ignored),
    )


def _pairs(text: str) -> list[tuple[str, str]]:
    """Names and texts of the parameters. Raises: BadRequest when there are too many, or signs that no value has"""
    try:
        found = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise BadRequest(f"A search takes at most {MOST_PARAMETERS} parameters.") from None
    if any(CONTROL_SIGN.search(part) for pair in found for part in pair):
        raise BadRequest("A search takes no control characters.")
    return found


def parse_criteria(resource_type: str, text: str, registry: Registry = BUILT_IN) -> SearchQuery:
    """The search of a conditional create or of a conditional reference: `identifier=system|value&…`.

    Raises: BadRequest (400) when it cannot be read or has no condition
    Spec: http://hl7.org/fhir/R4/http.html#ccreate"""
    query = parse(resource_type, text, registry=registry)
    if not query.clauses:
        raise BadRequest("A condition needs a search parameter, like identifier=system|value.", diagnostics=text[:200])
    return query


def _check_once(name: str, understood: list[tuple[str, str]]) -> None:
    if any(name == earlier for earlier, _ in understood):
        raise BadRequest(f"{name}: write it once.")


def _clause(resource_type: str, name: str, text: str, base: str, registry: Registry) -> Clause:
    """One `name=value,value`. Raises: _NotServed, BadRequest"""
    code, colon, modifier = name.partition(":")
    parameter = registry.served(resource_type).get(code)
    if parameter is None:
        raise _NotServed(_unknown(resource_type, code, registry))
    if colon:
        raise BadRequest(_modifier(parameter, modifier), diagnostics=f"{name}={text}"[:200])
    kind = cast(Kind, code if code in ("_id", "_lastUpdated") else parameter.type)
    read = tuple(map(registry.path, parameter.paths))
    question = Question(parameter, read, base, clock.now())
    listed = parts(text, ",")
    if len(listed) > LONGEST_LIST:
        raise BadRequest(f"{code}: at most {LONGEST_LIST} values in one list.")
    values = [value for part in listed for value in READERS[kind](part, question)]
    selective, single = _selective(kind, read, values), _is_single(kind, read)
    return Clause(code, kind, parameter.paths, tuple(dict.fromkeys(values)), selective, single)


def _selective(kind: Kind, read: tuple[IndexedPath, ...], values: list[Value]) -> int:
    """How few resources one value is likely to leave, 0 the fewest."""
    if kind != "token":
        return {"_id": 0, "reference": 2, "uri": 5, "string": 3, "date": 6, "_lastUpdated": 8}[kind]
    if any(isinstance(value, Token) and value.code is None for value in values):
        return 7
    if read[0].text.endswith((".meta.tag", ".meta.security")):
        return 7
    kinds = {end.kind for path in read for end in ends_of(path)}
    return 1 if kinds & {"Identifier", "ContactPoint"} else 4 if kinds & {"CodeableConcept", "Coding"} else 7


def _is_single(kind: Kind, read: tuple[IndexedPath, ...]) -> bool:
    """Whether a resource has at most one row under these paths: of a date, a period or a timing there is one for each
    value, of other data types there may be more."""
    return kind == "date" and len(read) == 1 and not any(end.many for end in ends_of(read[0]))


def _unknown(resource_type: str, code: str, registry: Registry) -> str:
    """Why a parameter cannot be obeyed, with the valid names, the nearest first."""
    if reason := registry.reason_against(resource_type, code):
        return f"{code} is not served: {reason}."
    if "." in code:
        return f"{code[:80]} is not served: chains are not served yet."
    shown = code[:80]
    known = [*registry.served(resource_type), *CONTROLS]
    valid = sorted(known, key=lambda name: -SequenceMatcher(None, shown, name).ratio())
    return f"{resource_type} has no search parameter {shown}; valid, nearest first: {', '.join(valid)}."


def _modifier(parameter: Parameter, modifier: str) -> str:
    valid = ", ".join(MODIFIERS.get(parameter.type, ())) or "none, leave it out"
    return f"{parameter.code}:{modifier[:80]} is not served; modifiers of {parameter.type} parameters served: {valid}."
