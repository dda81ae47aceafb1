"""Whether a resource matches a condition that was stored as data, by its index rows and without a database.

Enters: the condition as JSON, and index rows. Leaves: yes or no, the same as the search tables would say.

    {"all": [...]} {"any": [...]} {"not": ...}      of other conditions
    {"missing": [kind, paths, types]}               no row under these paths
    {"rows": [kind, paths, values]}                 a row under these paths has one of the values
    {"joined": [...]}                               clauses that rows of one and the same item match

A value is the name of its class in question.py, then its members; instants and numbers are text. An `Under` that was
stored by an earlier release has no signs.
Spec: http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from mappers.search.rows import OF_TYPE, IndexRows

Json = Any
_ITEM = 1


def matches(condition: Json, resource_id: str, rows: IndexRows) -> bool:
    """Whether the condition holds for the resource that has this id and these rows."""
    ((word, told),) = condition.items()
    match word:
        case "all":
            return all(matches(one, resource_id, rows) for one in told)
        case "any":
            return any(matches(one, resource_id, rows) for one in told)
        case "not":
            return not matches(told, resource_id, rows)
        case "missing":
            kind, paths, types = told
            return not any(not types or _leads_to(types, kind, row) for row in _under(kind, paths, rows))
        case "joined":
            items = [{row[_ITEM] for row in _matching(clause["rows"], rows)} for clause in told]
            return bool(set.intersection(*items))
        case "rows" if told[0] == "_id":
            return any(value[1] == resource_id for value in told[2])
        case "rows":
            return any(True for _ in _matching(told, rows))
    raise ValueError(word)


def _leads_to(types: Sequence[int], kind: str, row: Any) -> bool:
    """Whether a reference leads to one of these types; types: of an identifier in one the marks that stand for them"""
    return bool(row[2] in types if kind == "reference" else row[_ITEM] > 0 or row[_ITEM] in types)


def _under(kind: str, paths: Iterable[int], rows: IndexRows) -> Iterator[Any]:
    listed: Iterable[Any] = getattr(rows, _LISTS[kind])
    wanted = set(paths)
    return (row for row in listed if row[0] in wanted)


def _matching(clause: Json, rows: IndexRows) -> Iterator[Any]:
    kind, paths, values = clause
    return (row for row in _under(kind, paths, rows) if any(_holds(value, row) for value in values))


def _holds(value: Json, row: Any) -> bool:
    name, *told = value
    match name:
        case "Token":
            system, code = told
            return bool((system is None or row[2] == system) and (code is None or row[3] == code))
        case "Identified":
            token, items = told
            return _holds(token, row) and _leads_to(items, "token", row)
        case "Target":
            types, target = told
            return bool(row[3] == target and (row[2] in types if types else row[2] > 0))
        case "Address":
            return bool(row[3] == told[0] and row[2] == 0)
        case "Under":
            text, _, *signs = told
            return bool(row[3] == text or row[3].startswith(tuple(text + sign for sign in (signs or [["/"]])[0])))
        case "Beginning":
            return bool(row[1].startswith(told[0]))
        case "Exact":
            return bool([row[1], row[2]] == told)
        case "Whole":
            return bool(row[1] == told[0])
        case "Ending":
            return bool(row[1].endswith(told[0]))
        case "Containing":
            return told[0] in row[1]
        case "Other":
            values, types = told
            if any(one[0] == "Token" for one in values) and row[_ITEM] == OF_TYPE:
                return False
            return not any(_holds(one, row) for one in values) and (not types or row[2] in types)
        case "Moment":
            prefix, low, high = told
            return _moment(prefix, datetime.fromisoformat(low), datetime.fromisoformat(high), row[2], row[3])
        case "Amount":
            return _amount(told, row)
    raise ValueError(name)


def _moment(prefix: str, low: datetime, high: datetime, begins: datetime, ends: datetime) -> bool:
    """The prefixes on the interval [begins, ends) of a row."""
    return {
        "eq": begins >= low and begins < high and ends <= high,
        "ne": begins < low or ends > high,
        "gt": ends > high,
        "lt": begins < low,
        "ge": begins >= low or ends > high,
        "le": begins < high and (begins < low or ends <= high),
        "sa": begins >= high,
        "eb": begins < low and ends <= low,
        "ap": begins < high and ends > low,
    }[prefix]


def _amount(told: Json, row: Any) -> bool:
    prefix, low, high, exact, unit, text = told
    if unit is not None:
        same = bool(row[2] == unit != 0)
        return same and _number(prefix, Decimal(low), Decimal(high), Decimal(exact), row[7], row[8])
    if text is not None and text not in row[3:5]:
        return False
    return _number(prefix, Decimal(low), Decimal(high), Decimal(exact), row[5], row[6])


def _number(prefix: str, low: Decimal, high: Decimal, exact: Decimal, least: Decimal, most: Decimal) -> bool:
    """The prefixes on the range [least, most] of a row."""
    return {
        "eq": least >= low and least < high and most < high,
        "ne": least < low or most >= high,
        "gt": most > exact,
        "lt": least < exact,
        "ge": most >= exact,
        "le": least <= exact,
        "sa": least > exact,
        "eb": least < exact and most < exact,
        "ap": least < high and most >= low,
    }[prefix]


_LISTS = {
    "token": "tokens",
    "reference": "references",
    "string": "strings",
    "date": "dates",
    "quantity": "quantities",
}
