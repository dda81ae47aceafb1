"""Conditions of SQL on one row, for each kind of value that a query asks for.

Enters: a clause and the alias of a table. Leaves: text, and arguments added to the statement's.
Spec: http://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from ecluse.core.fhir.types import name_of, number_of
from fhir_server.search.query import Clause
from mappers.search.position import EARTH_M
from mappers.search.question import (
    Address,
    Amount,
    Beginning,
    Branch,
    Circle,
    Containing,
    Ending,
    Exact,
    Id,
    Identified,
    Listed,
    Moment,
    Other,
    Target,
    Token,
    Under,
    Value,
    Whole,
)
from mappers.search.reference import part_of
from mappers.search.rows import OF_TYPE

LAST = "\U0010ffff"
PATIENT = number_of["Patient"]

DATES = {
    "eq": "{d}.low >= {low} AND {d}.low < {high} AND {d}.high <= {high}",
    "ne": "({d}.low < {low} OR {d}.high > {high})",
    "gt": "{d}.high > {high}",
    "lt": "{d}.low < {low}",
    "ge": "({d}.low >= {low} OR {d}.high > {high}) IS TRUE",
    "le": "{d}.low < {high} AND ({d}.low < {low} OR {d}.high <= {high})",
    "sa": "{d}.low >= {high}",
    "eb": "{d}.low < {low} AND {d}.high <= {low}",
    "ap": "{d}.low < {high} AND {d}.high > {low}",
}
"""The prefixes on an interval [d.low, d.high), against the interval [low, high) of the query. Some name a bound of
d.low that follows from the rest, so that a walk through the index ends there; IS TRUE keeps PostgreSQL from walking for
each side of an OR."""

QUANTITIES = {
    "eq": "{low_of} >= {low} AND {low_of} < {high} AND {high_of} < {high}",
    "ne": "({low_of} < {low} OR {high_of} >= {high})",
    "gt": "{high_of} > {exact}",
    "lt": "{low_of} < {exact}",
    "ge": "{high_of} >= {exact}",
    "le": "{low_of} <= {exact}",
    "sa": "{low_of} > {exact}",
    "eb": "{low_of} < {exact} AND {high_of} < {exact}",
    "ap": "{low_of} < {high} AND {high_of} >= {low}",
}
"""The prefixes on a range [low_of, high_of] with both ends, against the number of the query: an interval [low, high),
or the exact one."""

INSTANTS = {
    "eq": "{d} >= {low} AND {d} < {high}",
    "ne": "({d} < {low} OR {d} >= {high})",
    "gt": "{d} >= {high}",
    "lt": "{d} < {low}",
    "ge": "{d} >= {low}",
    "le": "{d} < {high}",
    "sa": "{d} >= {high}",
    "eb": "{d} < {low}",
    "ap": "{d} >= {low} AND {d} < {high}",
}
"""The same on an instant."""


class Arguments:
    """The arguments of a statement. values: those that it has already"""

    def __init__(self, values: Sequence[Any] = ()) -> None:
        self.values: list[Any] = [*values]

    def add(self, value: Any) -> str:
        """The mark, `$n`, that stands for this value in the statement."""
        self.values.append(value)
        return f"${len(self.values)}"


def of_rows(clause: Clause, alias: str, arguments: Arguments, site: int, *, apart: bool) -> list[str]:
    """Conditions on an index row, one of which must hold. apart: one for each value, else as few as possible."""
    groups = [(value,) for value in clause.values] if apart else _grouped(clause.values)
    found: list[str] = []
    for group in groups:
        targets = [value for value in group if isinstance(value, Target)]
        if targets and PATIENT in targets[0].types:
            rest = _of_types(f"{alias}.target_type", targets[0].types)
            ids = _of_patients([target.id for target in targets], arguments, site, apart=apart)
            found += [f"{alias}.target_id = {one} AND {rest}" for one in ids]
        else:
            found.append(_condition(group, alias, arguments, site))
    return found


def _of_patients(ids: Sequence[str], arguments: Arguments, site: int, *, apart: bool) -> list[str]:
    """What the id of a target is compared with when it may be a Patient: what refers to one who was merged is the
    survivor's too. apart: by a walk of its own, which for most ends at once; else by one list of ids."""
    mark = arguments.add(ids[0] if apart else list(ids))
    survivor = f"survivor = {mark}" if apart else f"survivor = ANY({mark})"
    merged = f"ARRAY(SELECT source FROM fhir.merged WHERE site = {site} AND {survivor} AND source <> survivor)"  # noqa: S608
    return [mark, f"ANY({merged})"] if apart else [f"ANY({mark}::text[] || {merged})"]


def of_resource(clause: Clause, alias: str, arguments: Arguments) -> list[str]:
    """Conditions on a row of the table of resources, one of which must hold."""
    if clause.kind == "_id":
        return [_equal(f"{alias}.id", [value.id for value in clause.values if isinstance(value, Id)], arguments)]
    moments = [value for value in clause.values if isinstance(value, Moment)]
    return [_compared(INSTANTS, moment, f"{alias}.updated", arguments) for moment in moments]


def any_of(conditions: Sequence[str]) -> str:
    """One condition that holds when one of these does."""
    return conditions[0] if len(conditions) == 1 else f"({' OR '.join(conditions)})"


def _grouped(values: Iterable[Value]) -> list[tuple[Value, ...]]:
    """Values that one condition can hold for, together."""
    groups: dict[Any, list[Value]] = {}
    for value in values:
        groups.setdefault(_likeness(value), []).append(value)
    return [tuple(group) for group in groups.values()]


def _likeness(value: Value) -> Any:
    match value:
        case Token(system, code):
            return system, code is None
        case Target(types):
            return types
        case Address():
            return Address
    return value


def _condition(group: tuple[Value, ...], alias: str, arguments: Arguments, site: int) -> str:
    """The condition for values that differ only in what is compared for equality."""
    match group[0]:
        case Token(system, code):
            codes = [value.code for value in group if isinstance(value, Token)]
            found = [] if code is None else [_equal(f"{alias}.code", codes, arguments)]
            if system is not None:
                found.append(f"{alias}.system = {arguments.add(system) if system else 0}")
            return " AND ".join(found)
        case Identified(token, items):
            return f"{_condition((token,), alias, arguments, site)} AND {of_items(alias, items)}"
        case Target(types):
            ids = [value.id for value in group if isinstance(value, Target)]
            return f"{_equal(f'{alias}.target_id', ids, arguments)} AND {_of_types(f'{alias}.target_type', types)}"
        case Listed(systems, codes):
            pairs = f"unnest({arguments.add(list(codes))}::text[], {arguments.add(list(systems))}::bigint[])"
            return f"({alias}.code, {alias}.system) IN (SELECT l.code, l.system FROM {pairs} l (code, system))"  # noqa: S608
        case Branch(above, kind, own):
            names = _branch(above, kind, own, site, arguments)
            return f"{alias}.target_type = {kind} AND {alias}.target_id = ANY(ARRAY({names}))"
        case Address():
            texts = [value.text for value in group if isinstance(value, Address)]
            return f"{_equal(f'{alias}.code', texts, arguments)} AND {alias}.system = 0"
        case Under(text, column, signs):
            name = f"{alias}.{column}"
            own = f"{name} = {arguments.add(text)}"
            return any_of([own, *(_begins(name, text + sign, arguments) for sign in signs)])
        case Beginning(folded):
            return _begins(f"{alias}.folded", folded, arguments)
        case Exact(folded, exact):
            return f"{alias}.folded = {arguments.add(folded)} AND {alias}.exact = {arguments.add(exact)}"
        case Whole(folded):
            return f"{alias}.folded = {arguments.add(folded)}"
        case Ending(folded):
            return f"right({alias}.folded, {len(folded)}) = {arguments.add(folded)}"
        case Other(values, types):
            inner = [_condition((value,), alias, arguments, site) for value in values]
            own = f" AND {_of_types(f'{alias}.target_type', types)}" if types else ""
            if any(isinstance(value, Token) for value in values):
                own = f" AND {alias}.item > {OF_TYPE}"
            return f"NOT ({any_of(inner)}){own}"
        case Containing(folded):
            return f"position({arguments.add(folded)} IN {alias}.folded) > 0"
        case Moment() as moment:
            return _compared(DATES, moment, alias, arguments)
        case Amount() as amount:
            return _of_amount(amount, alias, arguments)
        case Circle() as circle:
            return _within(circle, alias, arguments)
    raise TypeError(group)


def _of_amount(amount: Amount, alias: str, arguments: Arguments) -> str:
    """Of a number, of a number in a canonical unit, or of one in a unit by its code or text."""
    canonical = "canonical_" if amount.unit is not None else ""
    template = QUANTITIES[amount.prefix]
    numbers = {name: getattr(amount, name) for name in ("low", "high", "exact") if f"{{{name}}}" in template}
    marks = {name: arguments.add(number) for name, number in numbers.items()}
    found = template.format(low_of=f"{alias}.{canonical}low", high_of=f"{alias}.{canonical}high", **marks)
    if amount.unit is not None:
        return f"{alias}.unit = {arguments.add(amount.unit)} AND {alias}.unit <> 0 AND {found}"
    if amount.text is not None:
        mark = arguments.add(amount.text)
        return f"({alias}.code = {mark} OR {alias}.text = {mark}) AND {found}"
    return found


def _within(circle: Circle, alias: str, arguments: Arguments) -> str:
    """The box first, by the index; then the great circle, by the haversine formula."""
    south, north = (arguments.add(Decimal(str(end))) for end in circle.latitudes)
    spans = [tuple(arguments.add(Decimal(str(end))) for end in span) for span in circle.longitudes]
    boxes = any_of([f"{alias}.canonical_low BETWEEN {west} AND {east}" for west, east in spans])
    latitude, longitude, metres = map(arguments.add, (circle.latitude, circle.longitude, circle.metres))
    there = f"{alias}.low::float8"
    squared = (
        f"sind(({there} - {latitude}) / 2) ^ 2 + cosd({latitude}) * cosd({there})"
        f" * sind(({alias}.canonical_low::float8 - {longitude}) / 2) ^ 2"
    )
    exact = f"2 * {EARTH_M} * asin(least(1, sqrt({squared}))) <= {metres}"
    return f"{alias}.low BETWEEN {south} AND {north} AND {boxes} AND {exact}"


def _branch(above: bool, kind: int, own: str, site: int, arguments: Arguments) -> str:
    """What selects the ids of a resource and of those above or below it."""
    path = part_of(name_of[kind])
    begin = f'WITH RECURSIVE b (id) AS (SELECT {arguments.add(own)}::text COLLATE "C" UNION SELECT'
    where = f"p.site = {site} AND p.path = {path} AND p.target_type = {kind}"
    node = f"fhir.resource x ON x.site = {site} AND x.type = {kind}"
    if above:
        step = f"p.target_id FROM b JOIN {node} AND x.id = b.id JOIN fhir.reference p ON p.pk = x.pk AND {where}"
    else:
        step = f"x.id FROM b JOIN fhir.reference p ON {where} AND p.target_id = b.id JOIN {node} AND x.pk = p.pk"
    return f"{begin} {step}) SELECT id FROM b"  # noqa: S608


def _begins(column: str, text: str, arguments: Arguments) -> str:
    return f"{column} >= {arguments.add(text)} AND {column} < {arguments.add(_next(text))}"


def _equal(column: str, values: Sequence[Any], arguments: Arguments) -> str:
    if len(values) == 1:
        return f"{column} = {arguments.add(values[0])}"
    return f"{column} = ANY({arguments.add(list(values))})"


def of_items(alias: str, items: Sequence[int]) -> str:
    """Whether an identifier's mark is one of these; a row of a numbered item has none."""
    return f"({alias}.item > 0 OR {alias}.item IN ({', '.join(map(str, items))}))"


def _of_types(column: str, types: tuple[int, ...]) -> str:
    if not types:
        return f"{column} > 0"
    return f"{column} = {types[0]}" if len(types) == 1 else f"{column} IN ({', '.join(map(str, types))})"


def _compared(table: dict[str, str], moment: Moment, name: str, arguments: Arguments) -> str:
    text = table[moment.prefix]
    low = arguments.add(moment.low) if "{low}" in text else ""
    high = arguments.add(moment.high) if "{high}" in text else ""
    return text.format(d=name, low=low, high=high)


def _next(text: str) -> str:
    """The least text above all that begin with this one, in the order of code points."""
    kept = text.rstrip(LAST)
    following = ord(kept[-1]) + 1 if kept else ord(LAST)
    return kept[:-1] + chr(0xE000 if 0xD800 <= following <= 0xDFFF else following)
