"""SQL of value sets: the only place of the terminology that builds any.

Enters: a composition. Leaves: text with $n, and the arguments. What a client or an author wrote is only ever in the
arguments; keys of code systems and positions are our own numbers and stand in the text, where the planner sees them.
A value set is a condition on one concept; listing it is a walk through each of its code systems in order, under that
condition, so that a page costs what it skips and not what the set holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from ecluse.core.fhir import json
from fhir_server.search.conditions import Arguments
from fhir_server.terminology.composition import (
    Above,
    At,
    Beside,
    Composed,
    Condition,
    Flag,
    Part,
    Property,
    Rows,
    System,
    Text,
    Under,
)
from fhir_server.terminology.concepts import lower

COLUMNS = "k.display, k.inactive, k.abstract, k.designation"
PROPERTY_VALUE = (
    "coalesce(p->>'valueCode', p->>'valueString', p->>'valueInteger', p->>'valueBoolean', p->>'valueDecimal',"
    " p->>'valueDateTime', p->'valueCoding'->>'code')"
)
NOWHERE = -1
"""The key of no code system."""


class Wish(NamedTuple):
    """What a request adds to a value set. words: beginnings of words; codes: only these"""

    words: tuple[str, ...] = ()
    active_only: bool = False
    codes: tuple[str, ...] | None = None


Compiled = tuple[str, list[Any]]
_MARK = re.compile(r"\$(\d+)")


def counts(composed: Composed, sources: Sequence[Rows], wish: Wish) -> Compiled:
    """How many concepts each source gives, in their order."""
    arguments = Arguments()
    each = [_count(composed, rows, wish, number, arguments) for number, rows in enumerate(sources)]
    return _finished("\nUNION ALL\n".join(each) + "\nORDER BY source", arguments)


def _count(composed: Composed, rows: Rows, wish: Wish, number: int, arguments: Arguments) -> str:
    where = _where(composed, rows, wish, arguments)
    if rows.known is not None and not rows.is_list and where == _whole(rows.known.pk):
        return f"SELECT {number} AS source, {rows.known.size}::bigint AS concepts"
    return f"SELECT {number} AS source, count(*) AS concepts\nFROM {_from(rows, arguments)}\nWHERE {where}"


def _whole(pk: int) -> str:
    return f"k.system = {pk}"


def page(composed: Composed, rows: Rows, wish: Wish, offset: int, limit: int) -> Compiled:
    """Concepts of one source, in their order."""
    text, arguments = members(composed, rows, wish)
    order = "l.position" if rows.is_list else "k.position"
    return f"{text}\nORDER BY {order} LIMIT {limit} OFFSET {offset}", arguments


def members(composed: Composed, rows: Rows, wish: Wish) -> Compiled:
    """All concepts of one source, in any order; an unknown limit would have the planner walk in order."""
    arguments = Arguments()
    text = f"SELECT {_code(rows)} AS code, {COLUMNS}\nFROM {_from(rows, arguments)}\n"
    return _finished(f"{text}WHERE {_where(composed, rows, wish, arguments)}", arguments)


def _finished(text: str, arguments: Arguments) -> Compiled:
    """The statement with the arguments that stand in it; those of parts that others made needless are left out."""
    used = list(dict.fromkeys(map(int, _MARK.findall(text))))
    number = {old: new for new, old in enumerate(used, 1)}
    return _MARK.sub(lambda mark: f"${number[int(mark[1])]}", text), [arguments.values[old - 1] for old in used]


def _code(rows: Rows) -> str:
    return "l.code" if rows.is_list else "k.code"


def _from(rows: Rows, arguments: Arguments) -> str:
    pk = rows.known.pk if rows.known else NOWHERE
    if not rows.is_list:
        return "terminology.concept k"
    codes = arguments.add([one.code for one in rows.named])
    join = "JOIN" if rows.known and rows.known.complete else "LEFT JOIN"
    return (
        f"unnest({codes}::text[]) WITH ORDINALITY AS l (code, position)\n{join} "
        f'terminology.concept k ON k.system = {pk} AND lower(k.code) = lower(l.code COLLATE "C") AND k.code = l.code'
    )


def _where(composed: Composed, rows: Rows, wish: Wish, arguments: Arguments) -> str:
    found = [] if rows.is_list else [_whole(rows.known.pk if rows.known else NOWHERE)]
    found.append(_included(composed, rows, arguments))
    if wish.words and rows.known:
        found.append(_has_words(rows.known, arguments.add(tsquery(wish.words))))
    if wish.active_only:
        found.append("k.inactive IS NOT TRUE")
    if wish.codes is not None:
        found.append(_one_of(_code(rows), wish.codes, rows.known, arguments))
    return "\n  AND ".join(one for one in found if one != "TRUE") or "TRUE"


def _has_words(known: System, words: str) -> str:
    """Whether the code system, or one of its supplements, has these words of a concept."""
    own = f"k.words @@ {words}::text::tsquery"
    if not known.supplements:
        return own
    of_system = f"s.system = ANY ('{{{','.join(map(str, known.supplements))}}}'::int[])"
    same = f"lower(s.code) = lower(k.code) AND s.code = k.code AND s.words @@ {words}::text::tsquery"
    return f"({own} OR EXISTS (SELECT FROM terminology.concept s WHERE {of_system} AND {same}))"


def tsquery(words: Iterable[str]) -> str:
    """A query for texts that have, for each of these, a word that begins with it."""
    quoted = (word.replace("\\", "\\\\").replace("'", "''") for word in words)
    return " & ".join(f"'{word}':*" for word in quoted)


def _included(composed: Composed, rows: Rows, arguments: Arguments) -> str:
    """Whether the value set has the concept of a row."""
    parts = [_part(part, rows, arguments) for part in composed.includes]
    found = [_any(parts)]
    excluded = [_part(part, rows, arguments) for part in composed.excludes]
    if any(one != "FALSE" for one in excluded):
        found.append(f"{_any(excluded)} IS NOT TRUE")
    if composed.active_only:
        found.append("k.inactive IS NOT TRUE")
    return " AND ".join(one for one in found if one != "TRUE") or "TRUE"


def _any(parts: Sequence[str]) -> str:
    if "TRUE" in parts:
        return "TRUE"
    left = [part for part in parts if part != "FALSE"]
    return f"({' OR '.join(left)})" if left else "FALSE"


def _part(part: Part, rows: Rows, arguments: Arguments) -> str:
    if part.untold or (part.system and part.system != rows.system):
        return "FALSE"
    found = [_included(other, rows, arguments) for other in part.within]
    if part.listed is not None:
        found.append(_one_of(_code(rows), tuple(one.code for one in part.listed), part.known, arguments))
    elif part.system:
        found.append(_own(part, rows, arguments))
    found = [one for one in found if one != "TRUE"]
    return " AND ".join(found) or "TRUE"


def _own(part: Part, rows: Rows, arguments: Arguments) -> str:
    """Whether a part's code system has the row's concept, and its conditions hold there."""
    if part.known == rows.known and not rows.is_list:
        return " AND ".join(_condition(one, "k", arguments) for one in part.conditions) or "TRUE"
    pk = part.known.pk if part.known else NOWHERE
    held = [_condition(one, "o", arguments) for one in part.conditions]
    code = _code(rows)
    same = [f"o.system = {pk}", f'lower(o.code) = lower({code} COLLATE "C")', f"o.code = {code}", *held]
    return f"EXISTS (SELECT FROM terminology.concept o WHERE {' AND '.join(same)})"


def _one_of(code: str, codes: Sequence[str], known: System | None, arguments: Arguments) -> str:
    if known is not None and not known.case_sensitive:
        return f'lower({code} COLLATE "C") = ANY ({arguments.add([lower(one) for one in codes])}::text[])'
    within = f"{code} = ANY ({arguments.add(list(codes))}::text[])"
    if code == "k.code":
        return f"lower(k.code) = ANY ({arguments.add([lower(one) for one in codes])}::text[]) AND {within}"
    return within


def _condition(condition: Condition, k: str, arguments: Arguments) -> str:
    """Whether a filter holds for the concept of alias k."""
    match condition:
        case Under(intervals, outside):
            return _under(intervals, outside, k)
        case Above(position):
            return f"{k}.under @> {position}"
        case Beside(parents):
            return f"{k}.parents && {arguments.add(list(parents))}::int[]"
        case At(positions):
            return f"{k}.position = ANY ({arguments.add(list(positions))}::int[])"
        case Flag(column, value):
            return f"{k}.{column} = {value}"
        case Text(column, op, values):
            return _compared(f"{k}.{column}", op, values, arguments)
        case Property():
            return _property(condition, k, arguments)


def _under(intervals: Sequence[tuple[int, int]], outside: bool, k: str) -> str:
    if not intervals:
        return "TRUE" if outside else "FALSE"
    ranges = ",".join(f"[{low},{high}]" for low, high in intervals)
    within = f"{k}.position <@ '{{{ranges}}}'::int4multirange"
    if outside:
        return f"NOT {within}"
    extent = f"{k}.position BETWEEN {intervals[0][0]} AND {intervals[-1][1]}"
    return extent if len(intervals) == 1 else f"{extent} AND {within}"


def _compared(value: str, op: str, values: Sequence[str], arguments: Arguments) -> str:
    match op:
        case "regex":
            return f"{value} ~ {arguments.add(f'^(?:{values[0]})$')}"
        case "exists":
            return f"{value} IS {'NOT ' if values[0] == 'true' else ''}NULL"
        case "not-in":
            return f"coalesce({value} <> ALL ({arguments.add(list(values))}::text[]), TRUE)"
    return f"{value} = ANY ({arguments.add(list(values))}::text[])"


def _property(condition: Property, k: str, arguments: Arguments) -> str:
    match condition.op:
        case "=" | "in":
            return "(" + " OR ".join(_contains(condition, k, arguments)) + ")"
        case "not-in":
            return "(" + " OR ".join(_contains(condition, k, arguments)) + ") IS NOT TRUE"
        case "exists":
            mark = arguments.add(json.encode([{"code": condition.code}]).decode())
            return f"({k}.property @> {mark}::text::jsonb) IS {'' if condition.values[0] == 'true' else 'NOT '}TRUE"
    matching = _compared(PROPERTY_VALUE, condition.op, condition.values, arguments)
    named = f"p->>'code' = {arguments.add(condition.code)}"
    return f"EXISTS (SELECT FROM jsonb_array_elements({k}.property) p WHERE {named} AND {matching})"


def _contains(condition: Property, k: str, arguments: Arguments) -> Iterable[str]:
    """Whether the properties have one of the values, in one of the types; the index answers."""
    for value in condition.values:
        for kind in condition.types:
            item = [{"code": condition.code, kind: _typed(kind, value)}]
            yield f"{k}.property @> {arguments.add(json.encode(item).decode())}::text::jsonb"


def _typed(kind: str, value: str) -> Any:
    match kind:
        case "valueBoolean":
            return value == "true"
        case "valueInteger" | "valueDecimal":
            return json.decode(value.encode())
        case "valueCoding":
            return {"code": value}
    return value
