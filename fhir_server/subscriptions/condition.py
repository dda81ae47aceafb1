"""The criteria of a Subscription as data that consumers evaluate (mappers/search/matches.py).

Enters: a criteria string. Leaves: the resource type and the condition as JSON; or why it cannot be evaluated on one
resource alone.
Spec: http://hl7.org/fhir/R4/subscription-definitions.html#Subscription.criteria
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from ecluse.core.errors import BadRequest, Unprocessable
from ecluse.core.fhir import types
from fhir_server.search.query import AllOf, AnyOf, Clause, Condition, Joined, Missing, Not
from mappers.search import reference
from mappers.search.question import Branch, Circle, InSet, Listed, Subsumed, Token

PLACE = "Subscription.criteria"
ELSEWHERE = (Branch, Circle, InSet, Listed, Subsumed)
"""Values that depend on other resources or on terminology, or on arithmetic of the database."""


def condition(criteria: str, place: str = PLACE) -> tuple[str, dict[str, Any]]:
    """The type that a Subscription is about and the condition on it.

    place: where the criteria stand, for errors
    Raises: Unprocessable (422) when it cannot be read, or looks beyond the resource
    """
    # The parser knows the requests, and requests the door through which Subscriptions are written.
    from fhir_server.search.parse import parse

    resource_type, _, text = criteria.partition("?")
    if resource_type not in types.number_of:
        raise _refused(
            f"Begin with a resource type: Observation?code=…; {resource_type[:40]!r} is none.", criteria, place
        )
    try:
        query = parse(resource_type, text)
    except BadRequest as error:
        raise _refused(" ".join(issue.text for issue in error.issues), criteria, place) from None
    if query.includes or query.explain or query.sort or query.cursor:
        raise _refused(
            "Criteria take search parameters, and neither includes nor _sort, _explain or pages.", criteria, place
        )
    return resource_type, {"all": [_told(one, criteria, place) for one in query.conditions]}


def _told(one: Condition, criteria: str, place: str) -> dict[str, Any]:
    match one:
        case AllOf(_, conditions):
            return {"all": [_told(each, criteria, place) for each in conditions]}
        case AnyOf(_, conditions):
            return {"any": [_told(each, criteria, place) for each in conditions]}
        case Not(_, inner):
            return {"not": _told(inner, criteria, place)}
        case Missing(_, kind, paths, targets) if not kind.startswith("_"):
            return _missing(kind, paths, targets)
        case Joined(_, clauses):
            return {"joined": [_told(each, criteria, place) for each in clauses]}
        case Clause(code, kind, paths, values) if kind != "_lastUpdated":
            if any(_elsewhere(value) for value in values):
                raise _refused(f"{code}: its value needs more than the resource to be evaluated.", criteria, place)
            return {"rows": [kind, paths, [_value(value) for value in values]]}
    text = f"{one.code}: criteria are evaluated on one resource alone: leave out chains, _has and _lastUpdated."
    raise _refused(text, criteria, place)


def _missing(kind: str, paths: tuple[int, ...], targets: tuple[int, ...]) -> dict[str, Any]:
    """No row of its kind, nor of those that stand beside it."""
    from fhir_server.search.tree import BESIDE

    beside = [{"missing": [other, paths, reference.marks(targets)]} for other in BESIDE.get(kind, ())]
    return {"all": [{"missing": [kind, paths, targets if kind == "reference" else []]}, *beside]}


def _elsewhere(value: Any) -> bool:
    inner = getattr(value, "values", ())
    return isinstance(value, ELSEWHERE) or (isinstance(inner, tuple) and any(map(_elsewhere, inner)))


def _value(value: Any) -> list[Any]:
    members = value[:2] if isinstance(value, Token) else value  # case counts: no code system is asked
    return [type(value).__name__, *map(_plain, members)]


def _plain(member: Any) -> Any:
    if isinstance(member, datetime):
        return member.isoformat()
    if isinstance(member, Decimal):
        return str(member)
    if hasattr(member, "_fields"):
        return _value(member)
    if isinstance(member, tuple):
        return [_plain(each) for each in member]
    return member


def _refused(text: str, criteria: str, place: str) -> Unprocessable:
    return Unprocessable(text, expression=place, diagnostics=criteria[:200])
