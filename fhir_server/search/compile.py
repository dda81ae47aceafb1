"""SQL of searches: the statements, made of the conditions of `tree.py` along a `plan.py`.

Enters: a site, a SearchQuery and a Plan. Leaves: text with $n, and the arguments. How many resources a page has stands
in the text: a planner that does not know it prefers to sort everything. A page has one leg or two: the
resources that have a value of what is sorted by, then those that have none; the second is run when the first has not
filled the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ecluse.core.fhir.types import number_of
from fhir_server.search import conditions
from fhir_server.search.conditions import Arguments
from fhir_server.search.order import Keys, beyond, first_of_its_resource
from fhir_server.search.place import Place
from fhir_server.search.plan import Plan, is_along, settled, walked
from fhir_server.search.query import AllOf, AnyOf, Clause, Condition, Joined, Linked, SearchQuery, Sort
from fhir_server.search.tree import Tree, groups, is_of_resource, is_ordered, likely

Compiled = tuple[str, list[Any]]

FIRST = {"": "0", " DESC": str(2**63 - 1)}
"""What no key comes before, in either direction."""
MERGED = 32
"""Up to this many values of a leading clause have a walk of their own, in the order of the keys; more are collected and
sorted."""


def legs(site: int, query: SearchQuery, plan: Plan, *, bodies: bool = True) -> list[Compiled]:
    """A page: rows of (pk, id, version, updated, body, k0, k1 …), one more than asked for when there is a next page.
    What the first statement leaves of the page is the second's. bodies: whether there are any"""
    return [_page(_Statement(site, part, plan, probed=True), leg, bodies) for part, leg in _parts(query, plan)]


def _parts(query: SearchQuery, plan: Plan) -> list[tuple[SearchQuery, str]]:
    if plan.way != "walk" or not query.sort or not query.sort[0].paths:
        return [(query, "")]
    if plan.lead is not None and is_along(query, groups(query.conditions)[plan.lead]):
        return [(query, "targets")]
    begun = query.cursor is not None and query.cursor.keys[0] is None
    rest = replace(query, cursor=query.cursor if begun else None)
    return [(rest, "missing")] if begun else [(query, "valued"), (rest, "missing")]


def _page(statement: _Statement, leg: str, bodies: bool) -> Compiled:
    found = statement.found(f"LIMIT {statement.query.count + 1}", leg)
    shown = "".join(f", m.{name}" for name in statement.keys.names)
    joined = "JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version\n" if bodies else ""
    return (
        f"SELECT r.pk, r.id, r.version, r.updated{', v.body' if bodies else ''}{shown}\nFROM (\n{found}\n) m\n"
        f"JOIN fhir.resource r ON {statement.resources} AND r.pk = m.pk\n{joined}ORDER BY {statement.keys.order('m')}"
    ), statement.arguments.values


def count(site: int, query: SearchQuery) -> Compiled:
    """How many resources match: one row, one number."""
    statement = _Statement(site, replace(query, cursor=None, sort=()), None)
    group = statement.lead
    if group is None:
        return f"SELECT count(*)\n{statement.walked()}", statement.arguments.values
    if len(statement.groups) > 1:
        return f"SELECT count(*)\n{statement.collected()}", statement.arguments.values
    return f"SELECT count(DISTINCT m.pk)\n{statement.source(group)}", statement.arguments.values


def keys(site: int, query: SearchQuery) -> Compiled:
    """The keys of all matches, each once, in no order."""
    statement = _Statement(site, replace(query, cursor=None, sort=()), None)
    return f"SELECT {statement.key}\n{statement.all()}", statement.arguments.values


def matches(site: int, query: SearchQuery, most: int = 2) -> Compiled:
    """Up to so many rows of (pk, id, version); two are enough to tell none, one and several apart."""
    statement = _Statement(site, replace(query, cursor=None, sort=()), None, probed=True)
    found = f"SELECT {statement.key}\n{statement.all()}\nLIMIT {most}"
    return (
        f"SELECT r.pk, r.id, r.version\nFROM (\n{found}\n) m\n"
        f"JOIN fhir.resource r ON {statement.resources} AND r.pk = m.pk"
    ), statement.arguments.values


def narrowed(site: int, statement: Compiled, queries: Sequence[SearchQuery]) -> Compiled:
    """The statement, one on resources `r` that ends in a condition, with the condition that one of the queries of their
    type matches; without any, the statement as it is."""
    sql, given = statement
    if not queries:
        return statement
    arguments = Arguments(given)
    matching = [_Statement(site, replace(query, sort=()), None, arguments) for query in queries]
    keys = "\nUNION ALL\n".join(f"SELECT {each.key}\n{each.all()}" for each in matching)
    return f"{sql}\n  AND r.pk IN (\n{keys}\n)", arguments.values


class _Statement:
    """One statement while it is built. plan: None for the one that is likely to be best, all matches being wanted;
    probed: whether PostgreSQL has to follow it"""

    def __init__(
        self,
        site: int,
        query: SearchQuery,
        plan: Plan | None,
        arguments: Arguments | None = None,
        *,
        probed: bool = False,
    ) -> None:
        self.query = query
        self.arguments = arguments or Arguments()
        self.tree = Tree(site, self.arguments, probed=probed)
        self.resources = self.tree.resources("r", query.type)
        self.groups = groups(query.conditions)
        self.plan = plan or _for_all(query)
        self.keys = Keys(query.sort, query.type, self.tree)

    @property
    def lead(self) -> list[Condition] | None:
        """The group that leads."""
        if self.plan.lead is None:
            return None
        group = self.groups[self.plan.lead]
        if self.plan.turned and isinstance(joined := group[0], Joined):
            first, second, *rest = joined.clauses
            return [joined._replace(clauses=(second, first, *rest))]
        return group

    @property
    def key(self) -> str:
        """The key of a match, in what `all` gives."""
        return "r.pk" if self.lead is None else "f.pk"

    @property
    def bound(self) -> str:
        """Where a walk is given up."""
        return f"LIMIT {walked(self.query, self.plan)}"

    def all(self) -> str:
        """FROM and WHERE of all matches, in no order."""
        return self.walked() if self.lead is None else self.collected()

    def found(self, limit: str, leg: str) -> str:
        """Keys of the page's resources, in the order that is asked for."""
        if self.plan.way == "walk":
            if leg == "valued":
                return self.by_value(limit)
            if leg == "missing":
                return self.without_value(limit)
            if leg == "targets":
                return self.by_target(limit)
            if self.lead is not None and not self.query.sort:
                return self.by_lead(limit)
        return self.sorted(limit)

    def sorted(self, limit: str) -> str:
        """All matches, sorted; in the order of a column of the resource, walked as its index has them."""
        names = "".join(f", {text}" for text in self.keys.of(self.key, "r" if self.lead is None else ""))
        if self.lead is None and not any(key.paths for key in self.query.sort):
            past = beyond(self.query, "r", self.arguments, self.keys.columns)
            order = f"ORDER BY {self.keys.order('r', columns=True)}"
            return f"SELECT r.pk{names}\n{self.walked(past, order)}\n{order} {limit}"
        source = self.all()
        past = beyond(self.query, "s", self.arguments)
        where = f"\nWHERE {past[0]}" if past else ""
        found = f"SELECT {self.key}{names}\n{source}"
        return f"SELECT s.*\nFROM (\n{found}\n) s{where}\nORDER BY {self.keys.order('s')} {limit}"

    def walked(self, past: Sequence[str] = (), order: str = "") -> str:
        """FROM and WHERE over the table of resources, from the cursor on."""
        own = [self.resources, "NOT r.deleted"]
        at = Place(self.query.type, "r.pk", "r")
        if self.plan.instead is None:
            return f"FROM fhir.resource r\nWHERE {_all([*own, *self.probes(at), *past])}"
        columns = [group for group in self.groups if self.query.sort and is_of_resource(group)]
        own += [self.tree.group_holds(group, at) for group in columns]
        probes = [self._probe(place, at) for place, group in enumerate(self.groups) if group not in columns]
        first = f"SELECT r.*\nFROM fhir.resource r\nWHERE {_all([*own, *past])}\n{order} {self.bound}"
        return f"FROM (\n{first}\n) r" + (f"\nWHERE {_all(probes)}" if probes else "")

    def collected(self) -> str:
        """FROM and WHERE over the resources of the lead, each once."""
        assert self.lead is not None
        rows = f"SELECT DISTINCT m.pk\n{self._joined(self.source(self.lead))}"
        probes = self.probes(Place(self.query.type, "f.pk"))
        return f"FROM (\n{rows}\n) f" + (f"\nWHERE {_all(probes)}" if probes else "")

    def _joined(self, source: str) -> str:
        """A source of keys, narrowed by the groups that are walked for all of them at once."""
        for place in self.plan.joined:
            keys = f"SELECT m.pk\n{source}"
            source = f"{self.source(self.groups[place])} AND m.pk = ANY(ARRAY(\n{keys}\n))"
        return source

    def source(self, group: Sequence[Condition]) -> str:
        """FROM and WHERE of the resources of a group, whose keys are in m.pk."""
        found = self.tree.sources(group, self.query.type, "m")
        if len(found) == 1:
            return found[0]
        rows = "\nUNION ALL\n".join(f"SELECT m.pk\n{source}" for source in found)
        return f"FROM (\n{rows}\n) m"

    def probes(self, at: Place) -> list[str]:
        """The conditions of the groups that are neither the lead's nor walked with it."""
        read = {self.plan.lead, *self.plan.joined}
        return [self._probe(place, at) for place in range(len(self.groups)) if place not in read]

    def _probe(self, place: int, at: Place) -> str:
        group = self.groups[place]
        if place in self.plan.gathered:
            return self.tree.gathered_holds(group[0], at)
        return self.tree.group_holds(group, at)

    def by_lead(self, limit: str) -> str:
        """A walk through the index of the lead, which has resources in the order of their keys; each part of it ends as
        early as the whole does."""
        walks = [f"SELECT DISTINCT m.pk\n{walk}\nORDER BY m.pk {limit}" for walk in self.walks(limit)]
        if len(walks) == 1:
            return walks[0]
        merged = "\n) UNION (\n".join(walks)
        return f"(\n{merged}\n)\nORDER BY pk {limit}"

    def walks(self, limit: str) -> list[str]:
        """FROM and WHERE of the lead: walks through its index, each with the probes of the other groups."""
        assert self.lead is not None
        return self._walks(self.lead[0], limit)

    def _walks(self, lead: Condition, limit: str, also: Sequence[str] = ()) -> list[str]:
        if isinstance(lead, AnyOf):
            return [walk for one in lead.conditions for walk in self._walks(one, limit)]
        at = Place(self.query.type, "m.pk")
        if isinstance(lead, AllOf):
            parts = groups(lead.conditions)
            first = min(filter(is_ordered, parts), key=likely)
            others = [self.tree.group_holds(group, at) for group in parts if group is not first]
            return self._walks(first[0], limit, [*others, *self.tree.all_hold(first[1:], at)])
        past = beyond(self.query, "m", self.arguments)
        probes = [*also, *self.probes(at)]
        columns = "m.pk"
        if isinstance(lead, Joined):
            lead, *rest = lead.clauses
            columns, probes = "m.pk, m.item", [*self.tree.of_item(rest, "m"), *probes]
        if isinstance(lead, Linked):
            own = [self.tree.at("m", lead.paths), "m.target_id = g.id", f"m.target_type = {number_of[lead.type]}"]
            each = f"SELECT m.pk FROM fhir.reference m\nWHERE {_all([*own, *past, *probes])}\nORDER BY m.pk {limit}"
            return [f"FROM unnest(ARRAY({self.tree.ids(lead)})) g (id)\nCROSS JOIN LATERAL (\n{each}\n) m"]
        assert isinstance(lead, Clause)
        apart = len(lead.values) * len(lead.paths) <= MERGED
        rows = conditions.of_rows(lead, "m", self.arguments, self.tree.site, apart=apart)
        walks = [[self.tree.at("m", (path,)), condition, *past] for path in lead.paths for condition in rows]
        if self.plan.instead is None:
            return [f"FROM fhir.{lead.kind} m\nWHERE {_all([*each, *probes])}" for each in walks]
        bound = f"ORDER BY m.pk {self.bound}"
        return [
            f"FROM (\nSELECT {columns}\nFROM fhir.{lead.kind} m\nWHERE {_all(each)}\n{bound}\n) m\nWHERE {_all(probes)}"
            for each in walks
        ]

    def by_target(self, limit: str) -> str:
        """A walk along what a chain leads to: one target after another, each with what refers to it."""
        assert self.lead is not None
        (linked,) = self.lead
        assert isinstance(linked, Linked)
        sign, descending = ("<", " DESC") if self.query.descending else (">", "")
        own = f"{self.tree.at('m', linked.paths)} AND m.target_type = {number_of[linked.type]} AND m.target_id = g.id"
        begin = ""
        if self.query.cursor is not None:
            target, pk = self.arguments.add(self.query.cursor.keys[0]), self.arguments.add(self.query.cursor.pk)
            begin = f" {sign}= {target}"
            own += f" AND m.pk {sign} CASE WHEN g.id = {target} THEN {pk} ELSE {FIRST[descending]} END"
        each = _all([self._joined(f"FROM fhir.reference m\nWHERE {own}"), *self.probes(Place(self.query.type, "m.pk"))])
        targets = self._targets(linked, begin, descending)
        referring = f"SELECT DISTINCT m.pk\n{each}\nORDER BY m.pk{descending} {limit}"
        return (
            f"SELECT d.pk, g.id AS k0\nFROM (\n{targets}\n) g\nCROSS JOIN LATERAL (\n{referring}\n) d\n"
            f"ORDER BY g.id{descending}, d.pk{descending} {limit}"
        )

    def _targets(self, linked: Linked, begin: str, order: str) -> str:
        """What a chain leads to, in the order of the ids. begin: a condition on the first; order: DESC or nothing"""
        if self.plan.asked:
            return self.tree.asked_ids(linked, begin and f"\nWHERE i.target_id{begin}", order, self.bound)
        where = begin and f"\nWHERE i.id{begin}"
        return f"SELECT DISTINCT i.id FROM ({self.tree.ids(linked)}) i (id){where}\nORDER BY i.id{order}"

    def by_value(self, limit: str) -> str:
        """A walk through the index of what is sorted by."""
        (key,) = self.query.sort
        (column,) = self.keys.columns
        source = f"fhir.{key.by} d"
        where = [self.tree.at("d", key.paths, key.types), *beyond(self.query, "d", self.arguments, (column,))]
        order = f"ORDER BY {self.keys.order('d', columns=True)}"
        probes = first_of_its_resource(key, self.tree)
        for place, group in enumerate(self.groups):
            own = _on_same_row(group, key)
            where += self.tree.of_rows(own, "d")
            probes += [] if own else [self._probe(place, Place(self.query.type, "d.pk"))]
        if self.plan.instead is not None:
            columns = f"d.pk, d.{column}{', d.ctid' if key.many else ''}"
            source = f"(\nSELECT {columns}\nFROM {source}\nWHERE {_all(where)}\n{order} {self.bound}\n) d"
            where = []
        filtered = f"\nWHERE {_all([*where, *probes])}" if where or probes else ""
        return f"SELECT d.pk, d.{column} AS k0\nFROM {source}{filtered}\n{order} {limit}"

    def without_value(self, limit: str) -> str:
        """The resources that have no value of what is sorted by, in the order of their keys."""
        (key,) = self.query.sort
        own = f"d.pk = s.pk AND {self.tree.at('d', key.paths, key.types)}"
        none = f"NOT EXISTS (SELECT FROM fhir.{key.by} d WHERE {own})"
        where = _all([none, *beyond(self.query, "s", self.arguments, ())])
        direction = " DESC" if self.query.descending else ""
        found = f"SELECT {self.key}\n{self.all()}"
        columns = f"s.pk, {self.keys.nothing} AS k0"
        return f"SELECT {columns}\nFROM (\n{found}\n) s\nWHERE {where}\nORDER BY s.pk{direction} {limit}"


def _on_same_row(group: Sequence[Condition], key: Sort) -> list[Clause]:
    """The clauses of a group, when the row that is sorted by is the one that they are about."""
    clauses = [one for one in group if isinstance(one, Clause)]
    same = [one.single and not key.many and (one.kind, one.paths) == (key.by, key.paths) for one in clauses]
    return clauses if clauses and all(same) else []


def _for_all(query: SearchQuery) -> Plan:
    """The plan when every match is wanted, in no order: the group that is likely to leave the fewest leads."""
    plan = settled(query)
    if plan is None or plan.lead is not None:
        found = groups(query.conditions)
        return Plan(min(range(len(found)), key=lambda place: likely(found[place])), "collect")
    return plan


def _all(conditions: Iterable[str]) -> str:
    return "\n  AND ".join(conditions)
