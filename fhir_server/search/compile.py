"""SQL of searches: the only place that builds any.

Enters: a site and a SearchQuery. Leaves: text with $n, and the arguments. What a client wrote is only ever in the
arguments; numbers of sites, types and paths are our own and stand in the text, where the planner sees them.

One clause leads: of those whose rows come in the order of the resources' keys, the one that is likely to leave the
fewest. The others are probed for each of its resources. When none can lead (dates are ranges), or another order is
asked for, the table of resources leads and the planner begins wherever its estimates say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ecluse.core.fhir.types import number_of
from fhir_server.search import conditions
from fhir_server.search.conditions import Arguments
from fhir_server.search.query import Clause, Order, SearchQuery

Compiled = tuple[str, list[Any]]

TABLES = {"token": "token", "uri": "token", "reference": "reference", "string": "string", "date": "date"}
LEADERS = ("token", "uri", "reference", "string")
MERGED = 8
"""Up to this many values of a leading clause are read as ordered runs and merged; more are collected and sorted."""

_COLUMNS: dict[Order, tuple[str, ...]] = {"pk": ("pk",), "_id": ("id",), "_lastUpdated": ("updated", "pk")}


def page(site: int, query: SearchQuery) -> Compiled:
    """One page: rows of (pk, id, version, updated, body), one more than asked for when there is a next page."""
    statement = _Statement(site, query)
    found = statement.found(f"LIMIT {statement.arguments.add(query.count + 1)}")
    return (
        f"SELECT r.pk, r.id, r.version, r.updated, v.body\nFROM (\n{found}\n) m\n"
        f"JOIN fhir.resource r ON {statement.resources} AND r.pk = m.pk\n"
        f"JOIN fhir.version v ON v.pk = r.pk AND v.version = r.version\n{statement.order}"
    ), statement.arguments.values


def count(site: int, query: SearchQuery) -> Compiled:
    """How many resources match: one row, one number."""
    statement = _Statement(site, replace(query, cursor=None))
    counted = "count(*)" if statement.lead is None else "count(DISTINCT m.pk)"
    return f"SELECT {counted}\n{statement.source()}", statement.arguments.values


def matches(site: int, query: SearchQuery) -> Compiled:
    """Up to two rows of (pk, id, version): enough to tell none, one and several apart."""
    statement = _Statement(site, query)
    return (
        f"SELECT r.pk, r.id, r.version\nFROM (\n{statement.found('LIMIT 2')}\n) m\n"
        f"JOIN fhir.resource r ON {statement.resources} AND r.pk = m.pk"
    ), statement.arguments.values


class _Statement:
    """One statement while it is built."""

    def __init__(self, site: int, query: SearchQuery) -> None:
        self.query = query
        self.site = site
        self.arguments = Arguments()
        self.resources = f"r.site = {site} AND r.type = {number_of[query.type]}"
        self.lead = _lead(query)
        direction = " DESC" if query.sort.descending else ""
        self.order = "ORDER BY " + ", ".join(f"r.{column}{direction}" for column in _COLUMNS[query.sort.by])

    def found(self, limit: str) -> str:
        """Keys of matching resources, in the order that is asked for."""
        if self.lead is None:
            return f"SELECT r.pk\n{self.source()}\n{self.order} {limit}"
        return f"SELECT DISTINCT m.pk\n{self.source()}\nORDER BY m.pk {limit}"

    def source(self) -> str:
        """FROM and WHERE of the resources that match, from the cursor on."""
        if self.lead is None:
            clauses = [self.on_resource(clause) for clause in self.query.clauses]
            return f"FROM fhir.resource r\nWHERE {_all([self.resources, 'NOT r.deleted', *self.beyond('r'), *clauses])}"
        table = f"fhir.{TABLES[self.lead.kind]}"
        runs = self.runs(self.lead)
        probes = [self.probe(clause, "m.pk") for clause in self.query.clauses if clause is not self.lead]
        if len(runs) == 1:
            return f"FROM {table} m\nWHERE {_all([*runs, *probes])}"
        merged = "\nUNION ALL ".join(f"SELECT m.pk FROM {table} m WHERE {run}" for run in runs)  # noqa: S608
        return f"FROM (\n{merged}\n) m" + (f"\nWHERE {_all(probes)}" if probes else "")

    def runs(self, clause: Clause) -> list[str]:
        """The conditions of a leading clause, each of which one walk through its index answers."""
        apart = len(clause.values) * len(clause.paths) <= MERGED
        found = conditions.of_rows(clause, "m", self.arguments, apart=apart)
        beyond = self.beyond("m")
        return [
            " AND ".join([f"m.site = {self.site}", f"m.path = {path}", condition, *beyond])
            for path in clause.paths
            for condition in found
        ]

    def probe(self, clause: Clause, pk: str) -> str:
        """Whether a clause holds for the resource of this key."""
        if clause.kind in ("_id", "_lastUpdated"):
            where = [self.resources, f"r.pk = {pk}", self.on_resource(clause)]
            return f"EXISTS (SELECT FROM fhir.resource r WHERE {' AND '.join(where)})"
        found = conditions.any_of(conditions.of_rows(clause, "t", self.arguments, apart=False))
        paths = f"IN ({', '.join(map(str, clause.paths))})" if clause.paths[1:] else f"= {clause.paths[0]}"
        where = [f"t.pk = {pk}", f"t.site = {self.site}", f"t.path {paths}", found]
        return f"EXISTS (SELECT FROM fhir.{TABLES[clause.kind]} t WHERE {' AND '.join(where)})"

    def on_resource(self, clause: Clause) -> str:
        """Whether a clause holds for the row r of the table of resources."""
        if clause.kind in ("_id", "_lastUpdated"):
            return conditions.any_of(conditions.of_resource(clause, "r", self.arguments))
        return self.probe(clause, "r.pk")

    def beyond(self, alias: str) -> list[str]:
        """The place in the order after which this page begins."""
        cursor, sort = self.query.cursor, self.query.sort
        if cursor is None:
            return []
        values = {"pk": cursor.pk, "id": cursor.id, "updated": cursor.updated}
        columns = _COLUMNS[sort.by]
        marks = ", ".join(self.arguments.add(values[column]) for column in columns)
        names = ", ".join(f"{alias}.{column}" for column in columns)
        return [f"({names}) {'<' if sort.descending else '>'} ({marks})"]


def _lead(query: SearchQuery) -> Clause | None:
    """The clause that leads, None when the table of resources does."""
    leaders = [clause for clause in query.clauses if clause.kind in LEADERS]
    if query.sort.by != "pk" or not leaders or any(clause.kind == "_id" for clause in query.clauses):
        return None
    return min(leaders, key=lambda clause: clause.selective)


def _all(conditions: Iterable[str]) -> str:
    return "\n  AND ".join(conditions)
