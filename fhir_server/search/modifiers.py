"""What may follow the name of a parameter after a colon, and what it makes of it.

Enters: a parameter and a modifier. Leaves: how its values are read, and where the rows stand that they are compared
with.
Spec: http://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fhir_server.search.query import Kind
from mappers.search import date, identity, reference, string, token, uri
from mappers.search.question import Question, Value

Read = Callable[[str, Question], list[Value]]


@dataclass(frozen=True, slots=True)
class Reading:
    """kind: where the rows stand; read: makes values of one text of the query; negated: what matches is left out"""

    kind: Kind
    read: Read
    negated: bool = False


PLAIN: dict[str, Reading] = {
    "_id": Reading("_id", identity.asked),
    "_lastUpdated": Reading("_lastUpdated", date.asked),
    "token": Reading("token", token.asked),
    "reference": Reading("reference", reference.asked),
    "string": Reading("string", string.asked),
    "date": Reading("date", date.asked),
    "uri": Reading("token", uri.asked),
}
"""Without a modifier, by search type; `_id` and `_lastUpdated` are columns of the resource."""

MODIFIED: dict[str, dict[str, Reading]] = {
    "string": {
        "exact": Reading("string", string.asked_exactly),
        "contains": Reading("string", string.asked_within),
    },
    "token": {
        "not": Reading("token", token.asked, negated=True),
        "text": Reading("string", string.asked),
        "of-type": Reading("token", token.asked_of_type),
        "in": Reading("token", token.asked_in),
        "not-in": Reading("token", token.asked_in, negated=True),
        "above": Reading("token", token.asked_above),
        "below": Reading("token", token.asked_below),
    },
    "reference": {
        "identifier": Reading("token", token.asked),
        "above": Reading("reference", reference.asked_above),
        "below": Reading("reference", reference.asked_below),
    },
    "uri": {
        "above": Reading("token", uri.asked_above),
        "below": Reading("token", uri.asked_below),
    },
    "_id": {"not": Reading("_id", identity.asked, negated=True)},
}
"""With one, by search type. `:missing` is every type's; `:[type]` and chains are references'."""
