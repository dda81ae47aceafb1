"""SQL of searches: the only place that builds any.

Enters: a site and a SearchQuery. Leaves: text with $n, and the arguments. What a client wrote is only ever in the
arguments; numbers of sites, types and paths are our own and stand in the text, where the planner sees them.

One clause leads: of those whose rows come in the order of the resources' keys, the one that is likely to leave the
fewest. The others are probed for each of its resources. When none can lead (dates are ranges), or another order is
asked for, the table of resources leads and the planner begins wherever its estimates say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from ecluse.core.fhir.dates import EARLIEST, LATEST
from ecluse.core.fhir.types import number_of
from fhir_server.search import conditions
from fhir_server.search.conditions import Arguments
from fhir_server.search.query import Clause, Order, SearchQuery

Compiled = tuple[str, list[Any]]

TABLES = {"token": "token", "uri": "token", "reference": "reference", "string": "string", "date": "date"}
LEADERS = ("token", "uri", "reference", "string")
MERGED = 8
"""Up to this many values of a leading clause have a walk of their own, in the order of the keys; more are collected and
sorted."""

_COLUMNS: dict[Order, tuple[str, ...]] = {
    "pk": ("pk",),
    "_id": ("id",),
    "_lastUpdated": ("updated", "pk"),
    "date": ("moment", "pk"),
}


def page(site: int, query: SearchQuery) -> Compiled:
    """One page: rows of (pk, id, version, updated, body), one more than asked for when there is a next page."""
    statement = _Statement(site, query)
    found = statement.found(f"LIMIT {statement.arguments.add(query.count + 1)}")
    moment = ", m.moment" if query.sort.by == "date" else ""
    return (
        f"SELECT r.pk, r.id, r.version, r.updated, v.body{moment}\nFROM (\n{found}\n) m\n"
        f"JOIN fhir.resource r ON {statement.resources} AND r.pk = m.pk\n"
        f"JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version\n{statement.order}"
    ), statement.arguments.values


def count(site: int, query: SearchQuery) -> Compiled:
    """How many resources match: one row, one number."""
    statement = _Statement(site, replace(query, cursor=None))
    counted = "count(*)" if statement.lead is None else "count(DISTINCT m.pk)"
    return f"SELECT {counted}\n{statement.source()}", statement.arguments.values


def keys(site: int, query: SearchQuery) -> Compiled:
    """The keys of all matches, each once, in no order."""
    statement = _Statement(site, replace(query, cursor=None))
    return (
        f"SELECT DISTINCT {'r' if statement.lead is None else 'm'}.pk\n{statement.source()}",
        statement.arguments.values,
    )


def matches(site: int, query: SearchQuery, most: int = 2) -> Compiled:
    """Up to so many rows of (pk, id, version); two are enough to tell none, one and several apart."""
    statement = _Statement(site, query)
    found = statement.found(f"LIMIT {most}")
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
    matching = [_Statement(site, query, arguments) for query in queries]
    found = [f"SELECT {'r' if each.lead is None else 'm'}.pk\n{each.source()}" for each in matching]
    keys = "\nUNION ALL\n".join(found)
    return f"{sql}\n  AND r.pk IN (\n{keys}\n)", arguments.values


class _Statement:
    """One statement while it is built."""

    def __init__(self, site: int, query: SearchQuery, arguments: Arguments | None = None) -> None:
        self.query = query
        self.site = site
        self.arguments = arguments or Arguments()
        self.resources = f"r.site = {site} AND r.type = {number_of[query.type]}"
        self.lead = _lead(query)
        direction = " DESC" if query.sort.descending else ""
        names = (f"{'m' if column == 'moment' else 'r'}.{column}" for column in _COLUMNS[query.sort.by])
        self.order = "ORDER BY " + ", ".join(f"{name}{direction}" for name in names)

    def found(self, limit: str) -> str:
        """Keys of matching resources, in the order that is asked for; each walk of a leading clause ends as early as
        the whole does."""
        if self.query.sort.by == "date":
            return self.by_date(limit)
        if self.lead is None:
            return f"SELECT r.pk\n{self.source()}\n{self.order} {limit}"
        walks = [f"SELECT DISTINCT m.pk\n{walk}\nORDER BY m.pk {limit}" for walk in self.walks(self.lead)]
        if len(walks) == 1:
            return walks[0]
        merged = "\n) UNION (\n".join(walks)
        return f"(\n{merged}\n)\nORDER BY pk {limit}"

    def by_date(self, limit: str) -> str:
        """Keys of matching resources with their earliest instant under the paths that are sorted by; one without any
        stands last, in either direction."""
        sort, direction = self.query.sort, " DESC" if self.query.sort.descending else ""
        rows = f"d.pk = r.pk AND d.site = {self.site} AND d.path IN ({', '.join(map(str, sort.paths))})"
        earliest = f"(SELECT min(d.low) FROM fhir.date d WHERE {rows})"
        last = self.arguments.add(EARLIEST if sort.descending else LATEST)
        dated = f"SELECT r.pk, coalesce({earliest}, {last}) AS moment"
        beyond = f"\nWHERE {_all(self.beyond('s'))}" if self.query.cursor else ""
        return (
            f"SELECT s.pk, s.moment\nFROM (\n{dated}\n{self.source()}\n) s{beyond}\n"
            f"ORDER BY s.moment{direction}, s.pk{direction} {limit}"
        )

    def source(self) -> str:
        """FROM and WHERE of the resources that match, from the cursor on."""
        if self.lead is None:
            beyond = [] if self.query.sort.by == "date" else self.beyond("r")
            clauses = [self.on_resource(group) for group in _groups(self.query.clauses)]
            return f"FROM fhir.resource r\nWHERE {_all([self.resources, 'NOT r.deleted', *beyond, *clauses])}"
        walks = self.walks(self.lead)
        if len(walks) == 1:
            return walks[0]
        merged = "\nUNION ALL\n".join(f"SELECT m.pk\n{walk}" for walk in walks)
        return f"FROM (\n{merged}\n) m"

    def walks(self, clause: Clause) -> list[str]:
        """FROM and WHERE of a leading clause: walks through its index, each with the probes of the other clauses."""
        apart = len(clause.values) * len(clause.paths) <= MERGED
        found = conditions.of_rows(clause, "m", self.arguments, self.site, apart=apart)
        beyond = self.beyond("m")
        others = _groups(each for each in self.query.clauses if each is not clause)
        probes = [self.probe(group, "m.pk") for group in others]
        return [
            f"FROM fhir.{TABLES[clause.kind]} m\nWHERE "
            + _all([" AND ".join([f"m.site = {self.site}", f"m.path = {path}", condition, *beyond]), *probes])
            for path in clause.paths
            for condition in found
        ]

    def probe(self, group: Sequence[Clause], pk: str) -> str:
        """Whether clauses hold for the resource of this key; several read the same row."""
        clause = group[0]
        if clause.kind in ("_id", "_lastUpdated"):
            where = [self.resources, f"r.pk = {pk}", self.on_resource(group)]
            return f"EXISTS (SELECT FROM fhir.resource r WHERE {' AND '.join(where)})"
        found = [
            conditions.any_of(conditions.of_rows(each, "t", self.arguments, self.site, apart=False)) for each in group
        ]
        paths = f"IN ({', '.join(map(str, clause.paths))})" if clause.paths[1:] else f"= {clause.paths[0]}"
        where = [f"t.pk = {pk}", f"t.site = {self.site}", f"t.path {paths}", *found]
        return f"EXISTS (SELECT FROM fhir.{TABLES[clause.kind]} t WHERE {' AND '.join(where)})"

    def on_resource(self, group: Sequence[Clause]) -> str:
        """Whether clauses hold for the row r of the table of resources."""
        if group[0].kind in ("_id", "_lastUpdated"):
            found = [conditions.of_resource(clause, "r", self.arguments) for clause in group]
            return " AND ".join(map(conditions.any_of, found))
        return self.probe(group, "r.pk")

    def beyond(self, alias: str) -> list[str]:
        """The place in the order after which this page begins."""
        cursor, sort = self.query.cursor, self.query.sort
        if cursor is None:
            return []
        values = {"pk": cursor.pk, "id": cursor.id, "updated": cursor.updated, "moment": cursor.updated}
        columns = _COLUMNS[sort.by]
        sign = "<" if sort.descending else ">"
        names = [f"{alias}.{column}" for column in columns]
        marks = [self.arguments.add(values[column]) for column in columns]
        if len(columns) == 1:
            return [f"{names[0]} {sign} {marks[0]}"]
        return [f"({', '.join(names)}) {sign} ({', '.join(marks)})"]


def _lead(query: SearchQuery) -> Clause | None:
    """The clause that leads, None when the table of resources does."""
    leaders = [clause for clause in query.clauses if clause.kind in LEADERS]
    if query.sort.by != "pk" or not leaders or any(clause.kind == "_id" for clause in query.clauses):
        return None
    return min(leaders, key=lambda clause: clause.selective)


def _groups(clauses: Iterable[Clause]) -> list[list[Clause]]:
    """Clauses that one probe answers: those on the same value of a resource, as the two ends of a window are."""
    groups: dict[tuple[str, int], list[Clause]] = {}
    for number, clause in enumerate(clauses):
        groups.setdefault((clause.code, 0 if clause.single else number), []).append(clause)
    return list(groups.values())


def _all(conditions: Iterable[str]) -> str:
    return "\n  AND ".join(conditions)
