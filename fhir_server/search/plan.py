"""Where a search begins: decided by counting, not by guessing.

Enters: a query. Leaves: what to count, and, with the counts, a plan. PostgreSQL knows how often a path occurs and how
often a code does, but not how often both do together, and its guesses are wrong by factors of thousands. So the rows of
each group of conditions are counted in their index, up to a bound that costs less than a millisecond. A group that
stays below it leads: its resources are collected, tried on the other conditions and sorted. When none does, results are
likely to be dense, and the resources are walked in the order that is asked for until a page is full. A walk that has
not filled it after some thousand rows is given up: then the matches are collected after all.

A row that is read in the order of its index costs a thirtieth of a probe. So groups that are as large as what they
would be asked of are not probed but read as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from fhir_server.search.conditions import Arguments
from fhir_server.search.query import Clause, Condition, Linked, Linking, SearchQuery
from fhir_server.search.tree import Tree, groups, likely
from mappers.search.question import Address, Target, Token, Value

MOST = 10_000
"""Rows of a leading group of references that are collected and sorted: what a patient has."""
MOST_VALUES = 2000
"""The same for values, which may occur in any number."""
ENOUGH = 200
"""When the group that is likely to leave the fewest has no more rows than this, the others are not counted."""
FEW = 1
"""A group this likely to leave few (`likely`) leads without being counted: ids and identifiers."""
WORTH = 98
"""Groups less likely than this to leave few can only be asked of a resource at hand."""
WALKED = 5000
"""Rows after which a walk that has not filled its page is given up."""
SELECTIVE = 5
"""Groups less likely than this to leave few have too many rows to be read as a whole: a status, a date."""
TIMES = 25
"""So many rows of an index are read in the time of a probe."""

Way = Literal["collect", "walk"]


class Plan(NamedTuple):
    """lead: the place of the leading group among those of the query, None for the table of resources; way: `collect`
    the lead's resources and sort them, or `walk` in the order that is asked for; joined: places of groups that are read
    as a whole beside the lead; instead: what is done when a walk has not filled its page, None when it goes on"""

    lead: int | None
    way: Way
    joined: tuple[int, ...] = ()
    instead: Plan | None = None


def settled(query: SearchQuery) -> Plan | None:
    """The plan of a query that needs no counting, None of another."""
    found = groups(query.conditions)
    order = sorted(range(len(found)), key=lambda place: likely(found[place]))
    best = order[0] if order else None
    if best is None or likely(found[best]) > WORTH:
        return Plan(None, "walk" if is_walkable(query) else "collect")
    if likely(found[best]) <= FEW:
        return Plan(best, "collect")
    if len(found) == 1 and not query.sort and is_ordered(found[best]):
        return Plan(best, "walk")
    return None


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
    refers = isinstance(first, Linked) or (isinstance(first, Clause) and first.kind == "reference")
    return MOST if refers else MOST_VALUES


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
    instead = Plan(best, "collect", tuple(place for place in known if place != best and _is_joinable(found[place])))
    if not query.sort:
        ordered = [place for place in known if is_ordered(found[place])]
        lead = min(ordered, key=lambda place: likely(found[place]), default=None)
        return Plan(lead, "walk", (), instead if lead is None else None)
    if not is_walkable(query) or _is_past_values(query):
        return instead
    return Plan(best if query.sort[0].paths else None, "walk", (), instead)


def _joined(found: Sequence[Sequence[Condition]], lead: int, known: dict[int, int]) -> tuple[int, ...]:
    """Groups that are cheaper to read as a whole than to ask of each of the lead's resources. One that was counted up
    to its bound may have any number of rows."""
    return tuple(
        place
        for place, number in known.items()
        if place != lead
        and _is_joinable(found[place])
        and (number <= TIMES * known[lead] if number <= _most(found[place]) else known[lead] > MOST_VALUES)
    )


def _is_joinable(group: Sequence[Condition]) -> bool:
    return isinstance(group[0], Clause | Linked) and likely(group) <= SELECTIVE


def _is_past_values(query: SearchQuery) -> bool:
    """Whether the page begins among the resources that have no value of what is sorted by."""
    return query.cursor is not None and bool(query.sort[0].paths) and query.cursor.keys[0] is None


def is_ordered(group: Sequence[Condition]) -> bool:
    """Whether the rows of a group can be walked in the order of the resources' keys: those of whole values can."""
    first = group[0]
    if isinstance(first, Clause):
        return first.kind in ("token", "reference") and all(map(_is_whole, first.values))
    return isinstance(first, Linked)


def _is_whole(value: Value) -> bool:
    match value:
        case Token(_, code):
            return code is not None
        case Target() | Address():
            return True
    return False


def is_walkable(query: SearchQuery) -> bool:
    """Whether an index has the resources in the order that is asked for."""
    return not query.sort or (len(query.sort) == 1 and (not query.sort[0].paths or len(query.sort[0].paths) == 1))
