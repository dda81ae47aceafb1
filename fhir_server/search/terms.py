"""Value sets and hierarchies of codes in a search, as lists of codes; codes in every case where case does not count.

Enters: a connection and a query as it was parsed. Leaves: the same query, in which `:in`, `:not-in`, `:above` and
`:below` of codes have become the codes themselves, read anew each time: who changes a value set changes its searches.
Spec: http://hl7.org/fhir/R4/search.html#token
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from ecluse.core.db import queries
from ecluse.core.errors import BadRequest, Gone, NotFound, Unprocessable
from ecluse.core.fhir.code_systems import spellings
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
    Missing,
    Not,
    SearchQuery,
)
from fhir_server.search.spellings import may_differ, spelled
from fhir_server.terminology import compile as sql
from fhir_server.terminology import definitions
from fhir_server.terminology.compile import Wish
from fhir_server.terminology.composition import Composed, parts_of, rows_of
from fhir_server.terminology.planning import Planner
from mappers.search.question import InSet, Listed, Subsumed, Value
from mappers.search.token import normalise, system_key

SQL = queries.load(__package__, "terms.sql")
MOST = 50_000
"""Codes of one value set or hierarchy."""


async def resolved(conn: Any, site: int, query: SearchQuery) -> SearchQuery:
    """The search that can be compiled.

    Raises: BadRequest (400) when a value set or code cannot be followed, or has too many codes"""
    if not has_terms(query) and not any(_any(may_differ, one) for one in query.conditions):
        return query
    return replace(query, conditions=await _all(Planner(conn, site), query.conditions))


def has_terms(query: SearchQuery) -> bool:
    """Whether it asks for a value set or a hierarchy of codes."""
    return any(_any(_names_some, one) for one in query.conditions)


def _names_some(clause: Clause) -> bool:
    return any(isinstance(value, InSet | Subsumed) for value in clause.values)


def _any(test: Callable[[Clause], bool], condition: Condition) -> bool:
    """Whether one of the clauses of a condition is such a one."""
    match condition:
        case Clause():
            return test(condition)
        case Joined(_, inner) | AllOf(_, inner) | AnyOf(_, inner):
            return any(_any(test, one) for one in inner)
        case Linked() | Linking() | Addressed() | Addressing():
            return any(_any(test, one) for one in condition.conditions)
        case Not(_, one):
            return _any(test, one)
        case Missing():
            return False


async def _all(planner: Planner, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
    return tuple([await _one(planner, condition) for condition in conditions])


async def _one(planner: Planner, condition: Condition) -> Condition:
    match condition:
        case Clause():
            return await _clause(planner, condition)
        case Joined(code, clauses):
            return Joined(code, tuple([await _clause(planner, clause) for clause in clauses]))
        case Linked() | Linking() | Addressed() | Addressing() | AllOf() | AnyOf():
            return condition._replace(conditions=await _all(planner, condition.conditions))
        case Not(code, one):
            return Not(code, await _one(planner, one))
        case Missing():
            return condition


async def _clause(planner: Planner, clause: Clause) -> Clause:
    clause = await spelled(planner.conn, planner.site, clause)
    values: list[Value] = []
    for value in clause.values:
        try:
            match value:
                case InSet(address, implied):
                    values.append(_listed(clause.code, implied, await _codes_in(planner, address)))
                case Subsumed(_, _, _, implied):
                    values.append(_listed(clause.code, implied, await _related(planner, value)))
                case _:
                    values.append(value)
        except (NotFound, Gone, Unprocessable) as error:
            raise BadRequest(f"{clause.code}: {error}") from error
    return clause._replace(values=tuple(values))


def _listed(code: str, implied: Sequence[str], found: Iterable[tuple[str, str]]) -> Listed:
    """Pairs of system and code as the index has them; a plain code, whose system is that of its value set, has none."""
    pairs: list[tuple[int, str]] = []
    for system, one in found:
        keys = [system_key(spelling) for spelling in spellings(system)] + [0] * (system in implied)
        pairs += [(key, normalise(one)) for key in keys]
    if len(pairs) > MOST:
        raise BadRequest(f"{code}: more than {MOST} codes are meant; name a narrower value set or code.")
    return Listed(tuple(system for system, _ in pairs), tuple(code for _, code in pairs))


async def _codes_in(planner: Planner, address: str) -> list[tuple[str, str]]:
    composed = await _value_set(planner, address)
    if untold := [part.untold for part in parts_of(composed) if part.untold]:
        raise Unprocessable(untold[0])
    found: list[tuple[str, str]] = []
    for rows in rows_of(composed):
        text, arguments = sql.members(composed, rows, Wish())
        members = await planner.conn.fetch(f"{text}\nLIMIT {MOST + 1}", *arguments)
        found += [(rows.system, row["code"]) for row in members]
    return found


async def _value_set(planner: Planner, address: str) -> Composed:
    kind, slash, own = address.partition("/")
    if kind == "ValueSet" and slash and "/" not in own:
        definition = await definitions.of_id(planner.conn, planner.site, kind, own)
        return await planner.composed(definition.resource)
    return await planner.value_set(address)


async def _related(planner: Planner, asked: Subsumed) -> list[tuple[str, str]]:
    system = await planner.system(asked.system)
    if system is None:
        raise NotFound(f"No code system {asked.system} is here; load it, or ask for the codes one by one.")
    statement = SQL["above" if asked.above else "below"]
    rows = await planner.conn.fetch(statement, system.pk, asked.code, MOST + 1)
    if not rows:
        raise NotFound(f"Code system {system.canonical} has no code {asked.code}.")
    return [(asked.system, row["code"]) for row in rows]
