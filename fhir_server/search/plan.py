"""Where a search begins: decided by counting, not by guessing.

Enters: a query. Leaves: what to count, and, with the counts, a plan. PostgreSQL knows how often a path occurs and how
often a code does, but not how often both do together, and its guesses are wrong by factors of thousands. So the rows of
each group of conditions are counted in their index, up to a bound that costs less than a millisecond. A group that
stays below it leads: its resources are collected, tried on the other conditions and sorted. When none does, results are
likely to be dense, and the resources are walked in the order that is asked for until a page is full. A walk that has
not filled it after some thousand rows is given up: then the matches are collected after all.

An index that ends in the key of the resource is walked for many keys at once at a tenth of what as many probes cost. So
groups of whole values, equal to what stands in an index, are not probed but joined to the lead.

A chain is asked of one resource after another at the price of a whole search each. When it leads to no more than some
hundred resources, these are gathered once, and each resource walked is looked up among them; so are the resources
that a reverse chain comes from, unless an index gives those of one resource together (`is_read_together`). When the
order is that of what a chain leads to, as it is when no other is asked for (`chains.py`), what matches is walked along
its targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from ecluse.core.fhir.types import number_of
from fhir_server.search import canonicals
from fhir_server.search.conditions import Arguments
from fhir_server.search.query import (
    Addressed,
    Addressing,
    AllOf,
    AnyOf,
    Clause,
    Condition,
    Joined,
    Linked,
    Linking,
    SearchQuery,
)
from fhir_server.search.tree import WORTH, Tree, groups, is_ordered, is_read_together, likely

MOST = 10_000
"""Rows of a leading group of references that are collected and sorted, forwards as what a patient has or backwards."""
MOST_VALUES = 2000
"""The same for values, which may occur in any number."""
MOST_BACKWARDS = 250
"""The same for what refers, when it can be read together for one resource after another."""
COUNTED_BACKWARDS = 5000
"""Up to so many of these are counted: they tell how long a walk is worth more than collecting them."""
MOST_GATHERED = 500
"""Resources a chain leads to that are gathered before a walk; gathering many costs more than asking some."""
ENOUGH = 500
"""When the group that is likely to leave the fewest has no more rows than this, the others are not counted."""
ENOUGH_TARGETS = 5
"""The same of what a chain leads to, each with all that refers to it."""
ENOUGH_BESIDE = 50
"""The same when it is a chain's targets that would be counted: so many rows of a lead, each asked for its target, cost
as much as reading what refers to one target."""
FEW = 1
"""A group this likely to leave few (`likely`) leads without being counted: ids and identifiers."""
FEW_TARGETS = 5
"""A chain this likely to lead to few is walked along without being counted: to names, but not to genders."""
WALKED = 5000
"""Rows after which a walk that has not filled its page is given up."""
WALKED_OF_LEAD = 1000
"""The same of a lead's rows, when the other groups are to be asked of each."""
WALKED_BACKWARDS = 100
"""The same when each is asked for what refers to it, which may be much."""
WALKED_TARGETS = 1000
"""The same of resources that are asked whether a chain leads to them."""
WALKED_TOGETHER = 200
"""The same when what refers to it is read together, or looked up among what was gathered, and it is not known how much
refers."""
COLLECTED_MEANWHILE = 5
"""Of what refers so many are collected in the time that one resource is asked for what refers to it."""
Way = Literal["collect", "walk"]


class Plan(NamedTuple):
    """lead: the place of the leading group among those of the query, None for the table of resources; way: `collect`
    the lead's resources and sort them, or `walk` in the order that is asked for; joined: places of groups that are
    walked for the lead's keys at once; instead: what is done when a walk has not filled its page, None to go on;
    gathered: places of chains that lead to or come from few enough to gather them; referring: what a reverse chain
    comes from, as far as it was counted; turned: whether the second part of the lead, values of one item, leads; asked:
    whether the targets of the lead, a chain, are asked one after another, in place of gathering those that match"""

    lead: int | None
    way: Way
    joined: tuple[int, ...] = ()
    instead: Plan | None = None
    gathered: tuple[int, ...] = ()
    referring: int = 0
    turned: bool = False
    asked: bool = False


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
    along = is_along(query, found[best]) and likely(found[best]) <= FEW_TARGETS
    if len(found) == 1 and (along or (not query.sort and _is_of_whole_values(found[best]))):
        return Plan(best, "walk")
    return None


def _is_updated(group: Sequence[Condition]) -> bool:
    """Whether a group is on the instant of the last change: the index that has this order has no other rows between."""
    return isinstance(group[0], Clause) and group[0].kind == "_lastUpdated"


def counts(site: int, query: SearchQuery) -> tuple[str, list[Any]]:
    """How many rows each group that can lead has, up to one more than are collected, and how many resources each chain
    leads to; one row. The likeliest is counted first, the others when that is not settled by it."""
    tree = Tree(site, Arguments(), probed=True)
    found = groups(query.conditions)
    chains = {place: tree.ids(one, most=f" LIMIT {MOST + 1}") for place, one in _chains(query, found).items()}
    gathered = ", ".join(f"g{place} (id) AS MATERIALIZED ({ids})" for place, ids in chains.items())
    first = min(range(len(found)), key=lambda place: likely(found[place]))
    columns = [
        _count_targets(tree, group) if is_along(query, group) else _count(tree, group, query.type, f"g{place}")
        for place, group in enumerate(found)
    ]
    begun = f"(SELECT {columns[first]} AS n OFFSET 0) a"
    enough = f"a.n > {ENOUGH_TARGETS if is_along(query, found[first]) else ENOUGH}"
    beside = f"a.n > {ENOUGH_BESIDE}"
    shown = [
        _when(beside if is_along(query, group) else enough, column)
        for group, column in zip(found, columns, strict=True)
    ]
    shown[first] = "a.n"
    shown += [_when(enough, f"(SELECT count(*) FROM g{place})") for place in chains]
    shown += [_when(enough, _count(tree, [second], query.type, "")) for second in _seconds(found).values()]
    begin = f"WITH {gathered}\n" if chains else ""
    return f"{begin}SELECT {', '.join(shown)}\nFROM {begun}", tree.arguments.values


def _when(condition: str, count: str) -> str:
    """A count that is made only when the first one was not enough."""
    return count if count == "NULL" else f"CASE WHEN {condition} THEN {count} END"


def _chains(query: SearchQuery, found: Sequence[Sequence[Condition]]) -> dict[int, Linked]:
    """The chains that could lead, but for the one along which is walked."""
    return {
        place: group[0]
        for place, group in enumerate(found)
        if isinstance(group[0], Linked) and likely(group) <= WORTH and not is_along(query, group)
    }


def _seconds(found: Sequence[Sequence[Condition]]) -> dict[int, Clause]:
    """The second parts of values of one item: of amounts few may match where many have the code."""
    return {place: group[0].clauses[1] for place, group in enumerate(found) if isinstance(group[0], Joined)}


def _count_targets(tree: Tree, group: Sequence[Condition]) -> str:
    """How many resources a chain leads to, when it is known before where these stand; what refers to them is walked as
    far as a page needs."""
    linked = group[0]
    if not isinstance(linked, Linked) or likely(group) > WORTH:
        return "NULL"
    return f"(SELECT count(*) FROM ({tree.keys(linked.type, linked.conditions)}\nLIMIT {MOST_GATHERED + 1}) n)"


def _count(tree: Tree, group: Sequence[Condition], kind: str, gathered: str) -> str:
    """The number of rows; of a reverse chain, of the resources that refer, since few of them make few matches; of
    values of one item, of the first part. gathered: the name of what a chain leads to"""
    first = group[0]
    limit = f"LIMIT {(COUNTED_BACKWARDS if is_read_together(first) else _most(group)) + 1}"
    if likely(group) > WORTH:
        return "NULL"
    if isinstance(first, Linking | Addressing):
        sources = [f"FROM ({tree.keys(first.type, first.conditions)}) c"]
    elif isinstance(first, Addressed):
        sources = [canonicals.naming(tree, first, "c")]
    elif isinstance(first, Linked):
        where = f"{tree.at('c', first.paths)} AND c.target_id = ANY(ARRAY(SELECT id FROM {gathered}))"
        sources = [f"FROM fhir.reference c\nWHERE {where}"]
    else:
        sources = _rows_of(tree, group, kind)
    counted = "\nUNION ALL\n".join(f"SELECT {source}" for source in sources)
    return f"(SELECT count(*) FROM ({counted}\n{limit}) n)" if sources else "NULL"


def _rows_of(tree: Tree, group: Sequence[Condition], kind: str) -> list[str]:
    first = group[0]
    if isinstance(first, Joined):
        return tree.sources(first.clauses[:1], kind, "c")
    if isinstance(first, AllOf):
        return _rows_of(tree, min(groups(first.conditions), key=likely), kind)
    if isinstance(first, AnyOf):
        found = [_rows_of(tree, [one], kind) for one in first.conditions]
        return [source for own in found for source in own] if all(found) else []
    return tree.sources(group, kind, "c")


def _most(group: Sequence[Condition]) -> int:
    """Rows up to which a group is collected."""
    first = group[0]
    if is_read_together(first):
        return MOST_BACKWARDS
    if isinstance(first, AnyOf):
        return min((_most([one]) for one in first.conditions), default=MOST_VALUES)
    refers = isinstance(first, Linked | Linking | Addressing) or (
        isinstance(first, Clause) and first.kind == "reference"
    )
    return MOST if refers else MOST_VALUES


def walked(query: SearchQuery, plan: Plan) -> int:
    """Rows after which a walk is given up; of a walk along what a chain might lead to, targets."""
    found = groups(query.conditions)
    if plan.lead is not None and is_along(query, found[plan.lead]):
        return WALKED_TARGETS
    dear = [place for place in range(len(found)) if place not in plan.gathered]
    if any(_is_asked_apart(found[place][0]) for place in dear):
        return WALKED_BACKWARDS
    if any(isinstance(group[0], Linking) for group in found):
        return plan.referring // COLLECTED_MEANWHILE or WALKED_TOGETHER
    is_cheap = set(dear) <= {plan.lead}
    if plan.lead is not None and isinstance(found[plan.lead][0], Joined):
        return WALKED
    return WALKED if plan.lead is None or query.sort or (plan.gathered and is_cheap) else WALKED_OF_LEAD


def _is_asked_apart(condition: Condition) -> bool:
    """Whether each of what refers to a resource is asked by itself."""
    return isinstance(condition, Addressing) or (isinstance(condition, Linking) and not is_read_together(condition))


class _Counted(NamedTuple):
    """What was counted. rows: of groups that can lead, by their place, of values of one item those of the rarer part;
    turned: places of these whose second part it is; targets: of chains along which could be walked, by their place;
    gathered: places of other chains that lead to few"""

    rows: dict[int, int]
    turned: set[int]
    targets: dict[int, int]
    gathered: tuple[int, ...]


def _read(query: SearchQuery, found: Sequence[Sequence[Condition]], counted: Sequence[int | None]) -> _Counted:
    """The row of `counts`."""
    chains, after = _chains(query, found), len(found)
    rows = {place: number for place, number in _known(range(after), counted).items() if _can_lead(found[place], number)}
    leads_to = _known(chains, counted[after:])
    seconds = _known(_seconds(found), counted[after + len(chains) :])
    turned = {place for place, number in seconds.items() if number < rows.get(place, 0)}
    rows |= {place: seconds[place] for place in turned}
    targets = {place: rows.pop(place) for place in list(rows) if is_along(query, found[place])}
    gathered = tuple(place for place, number in leads_to.items() if number <= MOST_GATHERED)
    return _Counted(rows, turned, targets, gathered)


def _can_lead(group: Sequence[Condition], number: int) -> bool:
    """Whether a group with so many rows is worth collecting: there are few resources with canonical addresses, so that
    to ask each costs no more than to collect much that leads to them by these."""
    return not isinstance(group[0], Addressing) or number <= MOST


def _known(places: Iterable[int], counted: Sequence[int | None]) -> dict[int, int]:
    return {place: number for place, number in zip(places, counted, strict=False) if number is not None}


def decided(query: SearchQuery, counted: Sequence[int | None]) -> Plan:
    """The plan that follows from the counts."""
    found = groups(query.conditions)
    read = _read(query, found, counted)
    rows = read.rows
    walks = set() if query.sort else {place for place in read.turned if rows[place] > ENOUGH}
    small = [place for place, number in rows.items() if number <= _most(found[place]) and place not in walks]
    gathered = read.gathered + tuple(place for place in small if isinstance(found[place][0], Linking))
    if small:
        least = min(small, key=lambda place: rows[place])
        if any(number * ENOUGH_BESIDE <= rows[least] for number in read.targets.values()):
            return _walk_along(found, read, None)
        looked_up = tuple(place for place, number in read.targets.items() if number <= MOST_GATHERED)
        collect = Plan(least, "collect", _joined(found, least, rows), None, looked_up, turned=least in read.turned)
        backwards = isinstance(found[least][0], Linking) and rows[least] > MOST_BACKWARDS
        return _walk(query, least, collect, gathered, rows[least]) if backwards else collect
    best = min(rows, key=lambda place: likely(found[place]), default=None)
    instead = None if best is None else Plan(best, "collect", _joined(found, best, {}), turned=best in read.turned)
    if read.targets:
        return _walk_along(found, read, instead)
    if best is None or instead is None:
        return Plan(None, "walk" if is_walkable(query) else "collect")
    referring = max((number for place, number in rows.items() if isinstance(found[place][0], Linking)), default=0)
    if not query.sort:
        ordered = [place for place in rows if is_ordered(found[place])]
        lead = min(ordered, key=lambda place: likely(found[place]), default=None)
        ends = lead == best and not instead.joined  # to collect would be to walk to the end
        probed = lead is not None and len(found) > 1 and is_one_walk(found[lead])
        given_up = lead is None or lead in read.turned or (probed and not ends)
        return Plan(lead, "walk", (), instead if given_up else None, gathered, referring)
    return _walk(query, best, instead, gathered, referring)


def _walk_along(found: Sequence[Sequence[Condition]], read: _Counted, instead: Plan | None) -> Plan:
    """A walk along what a chain leads to, or, when that is much, along what it might lead to."""
    lead, targets = next(iter(read.targets.items()))
    joined = tuple(place for place in _joined(found, lead, {}) if not isinstance(found[place][0], Linked))
    if targets > MOST_GATHERED:
        return Plan(lead, "walk", joined, instead or Plan(lead, "walk", joined), read.gathered, asked=True)
    return Plan(lead, "walk", joined, None, read.gathered)


def _walk(query: SearchQuery, best: int, instead: Plan, gathered: tuple[int, ...], referring: int) -> Plan:
    """A walk in the order that is asked for, if there is one."""
    if not is_walkable(query) or _is_past_values(query):
        return instead
    lead = best if query.sort and query.sort[0].paths else None
    return Plan(lead, "walk", (), instead, gathered, referring)


def _joined(found: Sequence[Sequence[Condition]], lead: int, known: dict[int, int]) -> tuple[int, ...]:
    """The groups that can be walked for the lead's keys; chains as far as they are known to lead to few, or nothing is
    known."""
    few = {place for place, number in known.items() if number <= MOST}
    return tuple(
        place
        for place, group in enumerate(found)
        if place != lead
        and is_ordered(group)
        and (isinstance(group[0], Clause | Joined) or (isinstance(group[0], Linked) and (not known or place in few)))
    )


def _is_past_values(query: SearchQuery) -> bool:
    """Whether the page begins among the resources that have no value of what is sorted by."""
    return query.cursor is not None and bool(query.sort and query.sort[0].paths) and query.cursor.keys[0] is None


def is_along(query: SearchQuery, group: Sequence[Condition]) -> bool:
    """Whether the order that is asked for is that of what a chain leads to, which each match refers to once."""
    first = group[0]
    if not isinstance(first, Linked) or len(query.sort) != 1:
        return False
    (key,) = query.sort
    same = (key.by, key.paths) == ("reference", first.paths) and not key.many
    return same and (not key.types or key.types == (number_of[first.type],))


def _is_of_whole_values(group: Sequence[Condition]) -> bool:
    """Whether a walk through an index finds a match with each row: what has several parts is asked for the others."""
    first = group[0]
    if isinstance(first, AnyOf):
        return all(_is_of_whole_values([one]) for one in first.conditions) and is_ordered(group)
    return is_ordered(group) and not isinstance(first, AllOf | Joined)


def is_one_walk(group: Sequence[Condition]) -> bool:
    """Whether the rows of a group that is ordered stand together in its index."""
    first = group[0].clauses[0] if isinstance(group[0], Joined) else group[0]
    return isinstance(first, Clause) and first.kind == "token" and len(first.paths) == len(first.values) == 1


def is_walkable(query: SearchQuery) -> bool:
    """Whether an index has the resources in the order that is asked for."""
    if len(query.sort) != 1:
        return not query.sort
    (key,) = query.sort
    return key.by != "quantity" and len(key.paths) <= 1
