"""A query string as a search of several types.

Enters: types and the text after the question mark. Leaves: a SearchQuery for each, in the same order, or the error that
tells what not all of them have. What R4 lets a search over several types use is what all of them have in common.
Spec: http://hl7.org/fhir/R4/http.html#search, http://hl7.org/fhir/R4/search.html#all
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple
from urllib.parse import urlencode

from ecluse.core.errors import BadRequest, Issue
from ecluse.core.fhir.types import number_of
from fhir_server.search.cursor import cursor
from fhir_server.search.parse import PLACES, pairs, parse
from fhir_server.search.query import SearchQuery, Sort
from mappers.search.registry import Registry

Pair = tuple[str, str]
TYPE = "_type"


class Among(NamedTuple):
    """types: whose parameters count, at least one; reach: all that may be found; named: `_type` may name them"""

    types: tuple[str, ...]
    reach: tuple[str, ...]
    named: bool


class Several(NamedTuple):
    """asked: what all have in common, its order without paths; queries: of each type"""

    asked: SearchQuery
    queries: tuple[SearchQuery, ...]


def types_in(text: str) -> tuple[str, ...]:
    """The types that `_type` names, each once; none when all are meant.

    Raises: BadRequest (400)
    Spec: http://hl7.org/fhir/R4/search.html#type"""
    listed = [value for name, value in pairs(text) if name == TYPE]
    if len(listed) > 1:
        raise BadRequest("_type: write it once, like _type=Observation,Condition.")
    names = listed[0].split(",") if listed else []
    for name in names:
        if name not in number_of:
            raise BadRequest(
                "_type: list resource types, like Observation,Condition.", diagnostics=f"found {name[:80]!r}"
            )
    return tuple(dict.fromkeys(names))


def parse_several(text: str, among: Among, *, base: str, lenient: bool, registry: Registry) -> Several:
    """The searches that a query string asks for.

    Raises: BadRequest (400) with an issue for each parameter that cannot be obeyed by all types"""
    given = pairs(text)
    places = [value for name, value in given if name == "_cursor"]
    own = (TYPE, "_cursor") if among.named else ("_cursor",)
    rest = [pair for pair in given if pair[0] not in own]
    read = partial(_of_each, among, base=base, registry=registry)
    queries = read(rest)
    common, ignored = _common(rest, queries)
    if ignored and not lenient:
        raise BadRequest(issues=[Issue(reason, code="not-supported") for reason in ignored])
    if ignored:
        queries = read(common)
    sort = _order(queries)
    place = cursor(_only(places), sort) if places else None
    named = tuple(pair for pair in given if pair[0] == TYPE) if among.named else ()
    understood = (*named, *queries[0].understood)
    asked = replace(queries[0], sort=sort, cursor=place, understood=understood, ignored=tuple(ignored))
    return Several(asked, tuple(replace(query, cursor=place) for query in queries))


def _only(places: Sequence[str]) -> str:
    """Raises: BadRequest (400) when there are several"""
    if len(places) > 1:
        raise BadRequest("_cursor: write it once.")
    return places[0]


def _of_each(among: Among, given: Sequence[Pair], *, base: str, registry: Registry) -> list[SearchQuery]:
    """Raises: BadRequest (400) with all that is wrong, said once"""
    queries: list[SearchQuery] = []
    issues: dict[Issue, None] = {}
    text = urlencode(given)
    for name in among.types:
        try:
            queries.append(parse(name, text, base=base, lenient=True, registry=registry, types=among.reach))
        except BadRequest as error:
            issues |= dict.fromkeys(error.issues)
    if issues:
        raise BadRequest(issues=list(issues))
    return queries


def _common(given: Sequence[Pair], queries: Sequence[SearchQuery]) -> tuple[list[Pair], list[str]]:
    """The parameters that all types have, and why the others cannot be obeyed."""
    if len(queries) == 1:
        return [pair for pair in given if pair in queries[0].understood or pair[0] in PLACES], [*queries[0].ignored]
    lacking = {
        pair: query
        for query in reversed(queries)
        for pair in given
        if pair not in query.understood and pair[0] not in PLACES
    }
    reasons = {
        pair: f"{pair[0][:80]} is not a parameter of all types that are searched: {query.type} does not take it. "
        f"Name those that do in {TYPE}, or leave it out."
        for pair, query in lacking.items()
    }
    return [pair for pair in given if pair not in lacking], list(reasons.values())


def _order(queries: Sequence[SearchQuery]) -> tuple[Sort, ...]:
    """The order that all have in common. Raises: BadRequest (400) when a key is of one kind here, of another there"""
    orders = {tuple(Sort(key.by, key.descending) for key in query.sort): query.type for query in queries}
    if len(orders) > 1:
        listed = " and ".join(list(orders.values())[:2])
        raise BadRequest(f"_sort: {listed} do not have these parameters of one kind; sort by _lastUpdated or _id.")
    return next(iter(orders))
