"""Where a search begins: decided by counting, not by guessing.

Enters: a query. Leaves: what to count, and, with the counts, a plan. PostgreSQL knows how often a path occurs and how
often a code does, but not how often both do together, and its guesses are wrong by factors of thousands. So the rows of
each group of conditions are counted in their index, up to a bound that costs less than a millisecond. A group that
stays below it leads: its resources are collected, tried on the other conditions and sorted. When none does, results are
likely to be dense, and the resources are walked in the order that is asked for until a page is full. A walk that has
not filled it after some thousand rows is given up: then the matches are collected after all.

An index that ends in the key of the resource is walked for many keys at once at a tenth of what as many probes cost. So
groups of whole values, equal to what stands in an index, are not probed but joined to the lead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from fhir_server.search.conditions import Arguments
from fhir_server.search.query import AnyOf, Clause, Condition, Linked, Linking, SearchQuery
from fhir_server.search.tree import Tree, groups, likely
from mappers.search.question import Address, Target, Token, Value

MOST = 10_000
"""Rows of a leading group of references that are collected and sorted, forwards as what a patient has or backwards."""
MOST_VALUES = 2000
"""The same for values, which may occur in any number."""
ENOUGH = 500
"""When the group that is likely to leave the fewest has no more rows than this, the others are not counted."""
FEW = 1
"""A group this likely to leave few (`likely`) leads without being counted: ids and identifiers."""
WORTH = 98
"""Groups less likely than this to leave few can only be asked of a resource at hand."""
WALKED = 5000
"""Rows after which a walk that has not filled its page is given up."""
WALKED_OF_LEAD = 1000
"""The same of a lead's rows, when the other groups are to be asked of each."""
WALKED_BACKWARDS = 100
"""The same when each is asked for what refers to it, which may be much."""
Way = Literal["collect", "walk"]


class Plan(NamedTuple):
    """lead: the place of the leading group among those of the query, None for the table of resources; way: `collect`
    the lead's resources and sort them, or `walk` in the order that is asked for; joined: places of groups that are
    walked for the lead's keys at once; instead: what is done when a walk has not filled its page, None to go on"""

    lead: int | None
    way: Way
    joined: tuple[int, ...] = ()
    instead: Plan | None = None


def settled(query: SearchQuery) -> Plan | None:
    """The plan of a query that needs no counting, None of another."""
    found = groups(query.conditions)
    order = sorted(range(len(found)), key=lambda place: likely(found[place]))
    best = order[0] if order else None
    if [key.by for key in query.sort] == ["_lastUpdated"] and all(map(_is_updated, found)):
        return Plan(None, "walk")
    if best is None or likely(found[best]) > WORTH:
        return Plan(None, "walk" if is_walkable(query) else "collect")
    if likely(found[best]) <= FEW:
        return Plan(best, "collect")
    if len(found) == 1 and not query.sort and is_ordered(found[best]):
        return Plan(best, "walk")
    return None


def _is_updated(group: Sequence[Condition]) -> bool:
    """Whether a group is on the instant of the last change: the index that has this order has no other rows between."""
    return isinstance(group[0], Clause) and group[0].kind == "_lastUpdated"


def counts(site: int, query: SearchQuery) -> tuple[str, list[Any]]:
    """How many rows each group that can lead has, up to one more than are collected; one row. The likeliest is counted
    first, the others when that is not settled by it."""
    tree = Tree(site, Arguments(), probed=True)
    found = groups(query.conditions)
    first = min(range(len(found)), key=lambda place: likely(found[place]))
    columns = [_count(tree, group, query.type) for group in found]
    begun = f"(SELECT {columns[first]} AS n OFFSET 0) a"
    shown = [
        "a.n" if place == first else "NULL" if column == "NULL" else f"CASE WHEN a.n > {ENOUGH} THEN {column} END"
        for place, column in enumerate(columns)
    ]
    return f"SELECT {', '.join(shown)}\nFROM {begun}", tree.arguments.values


def _count(tree: Tree, group: Sequence[Condition], kind: str) -> str:
    """The number of rows; of a reverse chain, of the resources that refer, since few of them make few matches."""
    first, limit = group[0], f"LIMIT {_most(group) + 1}"
    if likely(group) > WORTH:
        return "NULL"
    if isinstance(first, Linking):
        sources = [f"FROM ({tree.keys(first.type, first.conditions)}) c"]
    elif isinstance(first, Linked):
        limited = tree.ids(first, most=f" {limit}")
        where = f"{tree.at('c', first.paths)} AND c.target_id = ANY(ARRAY({limited}))"
        sources = [f"FROM fhir.reference c\nWHERE {where}"]
    else:
        sources = tree.sources(group, kind, "c")
    counted = "\nUNION ALL\n".join(f"SELECT {source}" for source in sources)
    return f"(SELECT count(*) FROM ({counted}\n{limit}) n)" if sources else "NULL"


def _most(group: Sequence[Condition]) -> int:
    """Rows up to which a group is collected."""
    first = group[0]
    if isinstance(first, AnyOf):
        return min((_most([one]) for one in first.conditions), default=MOST_VALUES)
    refers = isinstance(first, Linked | Linking) or (isinstance(first, Clause) and first.kind == "reference")
    return MOST if refers else MOST_VALUES


def walked(query: SearchQuery, plan: Plan) -> int:
    """Rows after which a walk is given up."""
    if any(isinstance(group[0], Linking) for group in groups(query.conditions)):
        return WALKED_BACKWARDS
    return WALKED_OF_LEAD if plan.lead is not None and not query.sort else WALKED


def decided(query: SearchQuery, counted: Sequence[int | None]) -> Plan:
    """The plan that follows from the counts."""
    found = groups(query.conditions)
    known = {place: number for place, number in enumerate(counted) if number is not None}
    small = [place for place, number in known.items() if number <= _most(found[place])]
    if small:
        least = min(small, key=lambda place: known[place])
        return Plan(least, "collect", _joined(found, least, known))
    if not known:
        return Plan(None, "walk" if is_walkable(query) else "collect")
    best = min(known, key=lambda place: likely(found[place]))
    instead = Plan(best, "collect", _joined(found, best, {}))
    if not query.sort:
        ordered = [place for place in known if is_ordered(found[place])]
        lead = min(ordered, key=lambda place: likely(found[place]), default=None)
        given_up = lead is None or (len(found) > 1 and is_one_walk(found[lead]))
        return Plan(lead, "walk", (), instead if given_up else None)
    if not is_walkable(query) or _is_past_values(query):
        return instead
    return Plan(best if query.sort[0].paths else None, "walk", (), instead)


def _joined(found: Sequence[Sequence[Condition]], lead: int, known: dict[int, int]) -> tuple[int, ...]:
    """The groups that can be walked for the lead's keys; chains as far as they are known to lead to few, or nothing is
    known."""
    few = {place for place, number in known.items() if number <= MOST}
    return tuple(
        place
        for place, group in enumerate(found)
        if place != lead
        and is_ordered(group)
        and (isinstance(group[0], Clause) or (isinstance(group[0], Linked) and (not known or place in few)))
    )


def _is_past_values(query: SearchQuery) -> bool:
    """Whether the page begins among the resources that have no value of what is sorted by."""
    return query.cursor is not None and bool(query.sort[0].paths) and query.cursor.keys[0] is None


def is_ordered(group: Sequence[Condition]) -> bool:
    """Whether the rows of a group can be walked in the order of the resources' keys: those of whole values can."""
    first = group[0]
    if isinstance(first, AnyOf):
        return bool(first.conditions) and all(is_ordered([one]) for one in first.conditions)
    if isinstance(first, Clause):
        return first.kind in ("token", "reference") and all(map(_is_whole, first.values))
    return isinstance(first, Linked)


def is_one_walk(group: Sequence[Condition]) -> bool:
    """Whether the rows of a group that is ordered stand together in its index."""
    first = group[0]
    return isinstance(first, Clause) and first.kind == "token" and len(first.paths) == len(first.values) == 1


def _is_whole(value: Value) -> bool:
    match value:
        case Token(_, code):
            return code is not None
        case Target() | Address():
            return True
    return False


def is_walkable(query: SearchQuery) -> bool:
    """Whether an index has the resources in the order that is asked for."""
    if len(query.sort) != 1:
        return not query.sort
    (key,) = query.sort
    return key.by != "quantity" and len(key.paths) <= 1
