"""The answer to a search of whatever extent.

Enters: a search. Leaves: a page of it: matches, their total when it is asked for, and what comes with them.
Spec: http://hl7.org/fhir/R4/http.html#search
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

from ecluse.core.errors import BadRequest, Issue, TooSlow
from ecluse.core.fhir.types import name_of, number_of
from ecluse.related import follower
from ecluse.related.follower import Follower, Place, Resource
from fhir_server.http.request import Answer
from fhir_server.search import fetch, fetch_several, total
from fhir_server.search.cursor import after
from fhir_server.search.deadline import bounded
from fhir_server.search.explain import Recorder, Statement, explained
from fhir_server.search.page import Page, Shown, bundle
from fhir_server.search.rest import rest_after
from fhir_server.search.search import Leg, Search
from fhir_server.search.terms import has_terms, resolved
from fhir_server.server import Server
from fhir_server.store import compartment
from fhir_server.terminology import base

ALONE = 1
"""A search of this many legs is one statement of its own."""
MORE_INCLUDED = "There is more to include than this page holds; its `next` link leads to the rest."
TOO_MANY_INCLUDED = (
    f":iterate was followed to {follower.MOST_FOLLOWED} resources, and leads to more; name narrower includes, or ask"
    " for fewer matches a page with _count."
)

Match = tuple[Leg, Resource]


async def answer(server: Server, search: Search) -> Answer:
    """200 with a searchset bundle; `next` leads to the rest.

    Raises: BadRequest (400) when a value set that is named cannot be followed, TooSlow (503) when it takes longer than
    it may
    """
    if search.asked.explain:
        return await _explanation(server, search)
    alone = search.asked.shows_none
    async with server.connection() if alone else server.searching() as conn:
        await _prepare(conn, search)
        async with bounded(server.settings.search_timeout_ms):
            understood = await _resolved(conn, search)
            page = await _page(conn, understood)
            if search.asked.wants_total:
                async with nullcontext(conn) if alone else server.connection() as other:
                    await total.tell(other, understood, page, server.settings.search_total_ms)
    return Answer(200, bundle(search, page))


async def _explanation(server: Server, search: Search) -> Answer:
    """200 with Parameters that tell how the search is run. One that takes longer than it may is told as it is planned.

    Raises: BadRequest (400) where this is closed"""
    settings = server.settings
    if settings.search_explain != "on":
        raise BadRequest("_explain is closed here; ECLUSE_SEARCH_EXPLAIN=on opens it.")
    analyze = search.asked.explain == "analyze"
    async with server.searching() as conn, server.connection() as other:
        await _prepare(conn, search)
        asked: list[Statement] = []
        try:
            async with bounded(settings.search_timeout_ms):
                search = await _resolved(conn, search)
                page = await _page(Recorder(conn, analyze, asked), search)
                if search.asked.wants_total:
                    await total.tell(Recorder(other, analyze, asked), search, page, settings.search_timeout_ms)
        except TooSlow:
            analyze = False
        async with bounded(settings.search_timeout_ms):
            return Answer(200, await explained(search, asked, analyze=analyze))


async def _prepare(conn: Any, search: Search) -> None:
    """Reads R4's own terminology in, once in a store's life; that is no search's time: a slow machine would begin it
    again with every search, and never end it."""
    if any(has_terms(leg.query) for leg in search.legs):
        await base.settle(conn)


async def _resolved(conn: Any, search: Search) -> Search:
    legs = [leg._replace(query=await resolved(conn, leg.site.number, leg.query)) for leg in search.legs]
    return replace(search, legs=tuple(legs))


async def _page(conn: Any, search: Search) -> Page:
    asked = search.asked
    page = Page()
    if asked.shows_none:
        return page
    if asked.rest is not None:
        matches = await _shown_before(conn, search, asked.rest.keys)
        page.cursor = asked.cursor
    else:
        matches = await _matches(conn, search, page)
    if asked.includes and matches:
        await _include(conn, search, matches, page)
    return page


async def _matches(conn: Any, search: Search, page: Page) -> list[Match]:
    legs, asked = search.legs, search.asked
    if len(legs) == ALONE:
        rows = await fetch.page(conn, legs[0].site.number, legs[0].query)
        found = [fetch_several.Match(legs[0], row, row["body"]) for row in rows]
    else:
        found = await fetch_several.page(conn, legs, asked)
    shown = found[: asked.count]
    page.matches = [Shown(leg.base, leg.query.type, row["id"], body) for leg, row, body in shown]
    if len(found) > asked.count:
        page.cursor = after(asked.sort, shown[-1].row)
    if not asked.includes:
        return []
    return [(leg, Resource(number_of[leg.query.type], row["pk"], row["id"])) for leg, row, _ in shown]


async def _shown_before(conn: Any, search: Search, keys: Sequence[int]) -> list[Match]:
    """The matches of an earlier page of which something is left to include."""
    found: list[Match] = []
    for leg in search.legs:
        kind = number_of[leg.query.type]
        rows = await conn.fetch(follower.SQL["keys"], leg.site.number, kind, keys)
        found += [(leg, Resource(kind, row["pk"], row["id"])) for row in rows]
    return found


async def _include(conn: Any, search: Search, matches: Sequence[Match], page: Page) -> None:
    """Adds to the page what the includes lead to, and the place where that ends."""
    asked = search.asked
    begin = asked.rest.place if asked.rest else Place()
    bases: dict[int, str] = {}
    listed: list[Resource] = []
    more = cut = False
    for leg, own in _by_site(matches):
        following = Follower(conn, leg.site.number, leg.base, leg.registry)
        found = await following.related(asked.includes, own, begin)
        bases |= {one.pk: leg.base for one in found.found}
        listed += found.found
        more, cut = more or found.more, cut or found.cut
    columns = [list(column) for column in zip(*sorted(listed)[: follower.MOST], strict=True)]
    rows = await compartment.bodies(conn, columns) if columns else []
    page.included = [Shown(bases[row.pk], name_of[row.type], row.id, row.body) for row in rows]
    if rows and (more or len(listed) > follower.MOST or rows[0].found > len(rows)):
        keys = asked.rest.keys if asked.rest else [one.pk for _, one in matches]
        page.rest = rest_after(keys, rows[-1].place)
        page.remarks.append(Issue(MORE_INCLUDED, code="incomplete", severity="information"))
    if cut:
        page.remarks.append(Issue(TOO_MANY_INCLUDED, code="too-costly", severity="warning"))


def _by_site(matches: Sequence[Match]) -> list[tuple[Leg, list[Resource]]]:
    found: dict[int, tuple[Leg, list[Resource]]] = {}
    for leg, one in matches:
        found.setdefault(leg.site.number, (leg, []))[1].append(one)
    return list(found.values())
