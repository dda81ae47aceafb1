"""What may follow the name of a parameter after a colon, and what it makes of it.

Enters: a parameter and a modifier. Leaves: how its values are read, and where the rows stand that they are compared
with.
Spec: http://hl7.org/fhir/R4/search.html#modifiers
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fhir_server.search.query import Kind
from fhir_server.search.values import types_of
from mappers.search import date, identity, number, position, quantity, reference, string, token, uri
from mappers.search.question import Identified, Other, Question, Token, Value, refused

Read = Callable[[str, Question], list[Value]]


@dataclass(frozen=True, slots=True)
class Reading:
    """kind: where the rows stand; read: makes values of one text of the query; negated: what matches is left out"""

    kind: Kind
    read: Read
    negated: bool = False


def _identifier(text: str, question: Question) -> list[Value]:
    """The identifier of what is referred to, where the parameter takes what the reference beside it leads to.

    Raises: BadRequest (400) where no identifier can stand, beside a canonical address"""
    if reference.are_addresses(question.paths):
        raise refused(question, text, "it reads canonical addresses, which have no identifier beside them.")
    found, types = token.asked(text, question), types_of(question.parameter, question.paths)
    return [Identified(one, reference.marks(types)) for one in found if isinstance(one, Token)] if types else found


PLAIN: dict[str, Reading] = {
    "_id": Reading("_id", identity.asked),
    "_lastUpdated": Reading("_lastUpdated", date.asked),
    "token": Reading("token", token.asked),
    "reference": Reading("reference", reference.asked),
    "string": Reading("string", string.asked),
    "date": Reading("date", date.asked),
    "uri": Reading("token", uri.asked),
    "number": Reading("quantity", number.asked),
    "quantity": Reading("quantity", quantity.asked),
    "special": Reading("quantity", position.asked),
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
        "identifier": Reading("token", _identifier),
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


OPERATIONS = "eq ne co sw ew gt lt ge le ap sa eb pr po ss sb in ni re identifier".split()
"""What `_filter` compares with. Spec: http://hl7.org/fhir/R4/search_filter.html#ops"""


def _prefixed(read: Read, prefix: str) -> Read:
    return lambda text, question: read(prefix + text, question)


def _other(read: Read) -> Read:
    return lambda text, question: [Other(tuple(read(text, question)), types_of(question.parameter, question.paths))]


_STRING = {
    "eq": Reading("string", string.asked_whole),
    "ne": Reading("string", _other(string.asked_whole)),
    "co": Reading("string", string.asked_within),
    "sw": Reading("string", string.asked),
    "ew": Reading("string", string.asked_ending),
}
_TOKEN = {
    "eq": Reading("token", token.asked),
    "ne": Reading("token", _other(token.asked)),
    "ss": Reading("token", token.asked_above),
    "sb": Reading("token", token.asked_below),
    "in": Reading("token", token.asked_in),
    "ni": Reading("token", token.asked_in, negated=True),
}
_REFERENCE = {
    "eq": Reading("reference", reference.asked),
    "re": Reading("reference", reference.asked),
    "ne": Reading("reference", _other(reference.asked)),
    "identifier": Reading("token", _identifier),
    "ss": Reading("reference", reference.asked_above),
    "sb": Reading("reference", reference.asked_below),
}
_URI = {
    "eq": Reading("token", uri.asked),
    "ne": Reading("token", _other(uri.asked)),
    "sb": Reading("token", uri.asked_below),
    "ss": Reading("token", uri.asked_above),
}
_DATE = {prefix: _prefixed(date.asked, prefix) for prefix in date.PREFIXES} | {"po": date.asked_overlapping}

COMPARED: dict[str, dict[str, Reading]] = {
    "string": _STRING,
    "token": _TOKEN,
    "reference": _REFERENCE,
    "uri": _URI,
    "date": {operation: Reading("date", read) for operation, read in _DATE.items()},
    "_lastUpdated": {operation: Reading("_lastUpdated", read) for operation, read in _DATE.items()},
    "number": {prefix: Reading("quantity", _prefixed(number.asked, prefix)) for prefix in number.PREFIXES},
    "quantity": {prefix: Reading("quantity", _prefixed(quantity.asked, prefix)) for prefix in number.PREFIXES},
    "_id": {"eq": Reading("_id", identity.asked), "ne": Reading("_id", identity.asked, negated=True)},
}
"""What each operation of `_filter` means, by search type; `pr` is every type's."""
