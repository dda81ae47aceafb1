"""Where a search begins: decided by counting, not by guessing.

Enters: a query. Leaves: what to count, and, with the counts, a plan. PostgreSQL knows how often a path occurs and how
often a code does, but not how often both do together, and its guesses are wrong by factors of thousands. So the rows of
each group of conditions are counted in their index, up to a bound that costs less than a millisecond. A group that
stays below it leads: its resources are collected, tried on the other conditions and sorted. When none does, results are
dense, and the resources are walked in the order that is asked for until a page is full, if an index has that order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from fhir_server.search.conditions import Arguments
from fhir_server.search.query import Clause, Condition, Linked, Linking, SearchQuery
from fhir_server.search.tree import Tree, groups, likely
from mappers.search.question import Address, Target, Token, Value

MOST = 2000
"""Rows of a leading group that are collected and sorted."""
FEW = 1
"""A group this likely to leave few (`likely`) leads without being counted: ids and identifiers."""

Way = Literal["collect", "walk"]


class Plan(NamedTuple):
    """lead: the place of the leading group among those of the query, None for the table of resources; way: `collect`
    the lead's resources and sort them, or `walk` in the order that is asked for."""

    lead: int | None
    way: Way


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


WORTH = 98
"""Groups less likely than this to leave few can only be asked of a resource at hand."""


def counts(site: int, query: SearchQuery) -> tuple[str, list[Any]]:
    """How many rows each group that can lead has, up to one more than are collected; one row."""
    tree = Tree(site, Arguments(), probed=True)
    columns = [_count(tree, group, query.type, str(MOST + 1)) for group in groups(query.conditions)]
    return "SELECT " + ",\n".join(columns), tree.arguments.values


def _count(tree: Tree, group: Sequence[Condition], kind: str, most: str) -> str:
    """The number of rows; of a reverse chain, of the resources that refer, since few of them make few matches."""
    first = group[0]
    if likely(group) > WORTH:
        return "NULL"
    if isinstance(first, Linking):
        sources = [f"FROM ({tree.keys(first.type, first.conditions)}) c"]
    elif isinstance(first, Linked):
        limited = tree.ids(first, most=f" LIMIT {most}")
        where = f"{tree.at('c', first.paths)} AND c.target_id = ANY(ARRAY({limited}))"
        sources = [f"FROM fhir.reference c\nWHERE {where}"]
    else:
        sources = tree.sources(group, kind, "c")
    counted = "\nUNION ALL\n".join(f"SELECT {source}" for source in sources)
    return f"(SELECT count(*) FROM ({counted}\nLIMIT {most}) n)" if sources else "NULL"


def decided(query: SearchQuery, counted: Sequence[int | None]) -> Plan:
    """The plan that follows from the counts."""
    known = [(number, place) for place, number in enumerate(counted) if number is not None]
    least, best = min(known, default=(MOST + 1, 0))
    if least <= MOST:
        return Plan(best, "collect")
    if query.sort:
        return Plan(best if known else None, "walk" if is_walkable(query) else "collect")
    found = groups(query.conditions)
    ordered = [place for _, place in known if is_ordered(found[place])]
    return Plan(min(ordered, key=lambda place: likely(found[place]), default=None), "walk")


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
