"""A search over several types or sites, put together.

Enters: a request, the types it is about and what narrows it. Leaves: a `Search` with a leg for each type that a site
has.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

from ecluse.core.errors import BadRequest
from ecluse.core.fhir.types import name_of, number_of
from ecluse.related.follower import SQL
from fhir_server.http import negotiation
from fhir_server.http.request import Request
from fhir_server.search.membership import Compartment, members
from fhir_server.search.parse_several import Among, parse_several
from fhir_server.search.search import Leg, Search
from fhir_server.server import Server
from fhir_server.store.resources import Site
from mappers.search.registry import Registry

Read = TypeVar("Read")
PLAIN = "Binary"
"""A type that has no parameters of its own: what it has all types have."""


class Extent(NamedTuple):
    """types: none for all that can be found; named: by `_type`, else by the address; within: a compartment"""

    types: Sequence[str]
    named: bool
    within: Compartment | None = None

    @property
    def reach(self) -> tuple[str, ...]:
        """The types of which anything may be found."""
        return tuple(self.types or (members(self.within.type) if self.within else number_of))


async def over(server: Server, request: Request, extent: Extent) -> Search:
    """The search of this extent.

    Raises: BadRequest (400), NotFound (404) for types that the compartment never holds"""
    if extent.within:
        for kind in extent.types:
            extent.within.check(kind)
    path = [part for part in request.segments if part != "_search"]
    path += ["*"] if len(path) == 2 else []
    found = [await _of_site(server, request, place, extent) for place in request.sites]
    legs = tuple(leg for one in found for leg in one.legs)
    return Search("/".join([request.base, *path]), found[0].asked, legs)


async def _of_site(server: Server, request: Request, place: tuple[Site, str], extent: Extent) -> Search:
    site, base = place
    within = extent.within
    present = extent.types if len(extent.types) == 1 else await _present(server, site)
    wanted = [kind for kind in extent.reach if kind in present]
    among = Among(tuple(extent.types) or (*wanted, PLAIN), extent.reach, extent.named)
    several = await understood(server, request, site, partial(parse_several, request.query, among, base=base))
    registry = server.registries.known(site.number)
    legs = []
    for query in several.queries:
        if query.type in wanted:
            inside = (within.holds(query.type),) if within else ()
            legs.append(Leg(site, base, replace(query, conditions=(*inside, *query.conditions)), registry))
    return Search(base, several.asked, tuple(legs))


async def _present(server: Server, site: Site) -> set[str]:
    """The types of which a site has, or had, resources."""
    async with server.connection() as conn:
        return {name_of[row["type"]] for row in await conn.fetch(SQL["present"], site.number)}


async def understood(server: Server, request: Request, site: Site, read: Callable[..., Read]) -> Read:
    """What a search means by the parameters that the site has now; what lenient handling leaves out was not known after
    another look. read: takes `registry` and `lenient`

    Raises: BadRequest (400)"""
    try:
        return await server.understood(site, request.query, lambda registry: read(registry=registry, lenient=False))
    except BadRequest:
        if not negotiation.is_lenient(request.headers):
            raise
    registry: Registry = server.registries.known(site.number)
    return read(lenient=True, registry=registry)
