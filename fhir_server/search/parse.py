"""A query string as a search.

Enters: a resource type and the text after the question mark. Leaves: a SearchQuery, or the error that lists all that is
wrong with the text and what would be valid. Nothing is ignored, unless the client prefers so (`handling=lenient`): then
parameters that are unknown or not served are left out and named.
Spec: http://hl7.org/fhir/R4/search.html, http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from ecluse.core import clock
from ecluse.core.errors import BadRequest, Issue
from fhir_server.search.asked import Asked, NotServed
from fhir_server.search.chains import order_along, together
from fhir_server.search.control import CONTROLS, Control
from fhir_server.search.criteria import condition
from fhir_server.search.cursor import cursor
from fhir_server.search.filter import filtered
from fhir_server.search.include import INCLUDES, include
from fhir_server.search.query import Condition, SearchQuery
from mappers.search.includes import Include
from mappers.search.registry import BUILT_IN, Registry

MOST_PARAMETERS = 100
PLACES = ("_cursor", "_included")
"""In links only: where a page begins."""
REPEATED = ("_sort",)
"""Controls of which R4 lets several stand, the first ones first. Spec: http://hl7.org/fhir/R4/search.html#table"""
DEFAULTS = {("_contained", "false")}
"""What is not served otherwise, and asks for no more than what is done anyway."""
_EMPTY = re.compile(r"(?:^|&)[^=&]*=?(?=&|$)")
CONTROL_SIGN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")


def parse(
    resource_type: str,
    text: str,
    *,
    base: str = "",
    lenient: bool = False,
    registry: Registry = BUILT_IN,
    types: Sequence[str] = (),
) -> SearchQuery:
    """The search that a query string asks for.

    text: percent-encoded, without "?"; base: address of this server, under which its own resources may be named;
    registry: the parameters of the site; types: all that are searched, when they are several
    Raises: BadRequest (400) with an issue for each parameter that cannot be obeyed"""
    conditions: list[Condition] = []
    now = clock.now()
    control = Control(resource_type, registry)
    includes: list[Include] = []
    understood: list[tuple[str, str]] = []
    ignored: list[str] = []
    issues: list[Issue] = []
    for name, value in pairs(text):
        try:
            if name.partition(":")[0] in INCLUDES:
                includes.append(include(types or (resource_type,), name, value, registry))
            elif name in CONTROLS:
                if name not in REPEATED:
                    _check_once(name, understood)
                control = CONTROLS[name](control, value)
            elif (name, value) not in DEFAULTS:
                asked = Asked(resource_type, name, name, value, base, now, registry)
                conditions.append(filtered(asked) if name == "_filter" else condition(asked))
            understood.append((name, value))
        except NotServed as error:
            ignored.append(str(error))
        except BadRequest as error:
            issues += error.issues
    if ignored and not lenient:
        issues += [Issue(reason, code="not-supported") for reason in ignored]
    if includes and control.text_only:
        issues.append(Issue("_summary=text takes neither _include nor _revinclude; leave them out.", code="invalid"))
    if issues:
        raise BadRequest(issues=issues)
    conditions = together(conditions, registry)
    sort = control.sort or (() if types else order_along(conditions, registry))
    return SearchQuery(
        type=resource_type,
        conditions=tuple(conditions),
        sort=sort,
        count=control.count,
        cursor=cursor(control.cursor, sort) if control.cursor else None,
        total=control.total,
        count_only=control.count_only,
        includes=tuple(dict.fromkeys(includes)),
        rest=control.rest,
        explain=control.explain,
        understood=tuple(pair for pair in understood if pair[0] not in PLACES),
        ignored=tuple(ignored),
    )


def filled(text: str) -> str:
    """The query string without its empty parameters, which are no error: `name=&gender=male`. A condition of a write
    keeps them, and is refused: without one it would mean more than was meant.

    Spec: http://hl7.org/fhir/R4/search.html#errors"""
    return _EMPTY.sub("", text).removeprefix("&")


def pairs(text: str) -> list[tuple[str, str]]:
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
    if query.includes or query.explain:
        raise BadRequest(
            "A condition takes search parameters, and neither includes nor _explain.", diagnostics=text[:200]
        )
    if not query.conditions:
        raise BadRequest("A condition needs a search parameter, like identifier=system|value.", diagnostics=text[:200])
    return query


def _check_once(name: str, understood: list[tuple[str, str]]) -> None:
    if any(name == earlier for earlier, _ in understood):
        raise BadRequest(f"{name}: write it once.")
