"""What every interaction works with: settings, connections, keys, sites.

Enters: settings and opened databases. Leaves: a `Server`, one a process; nothing in it is truth, all of it can be read
again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from ecluse.core import tracing
from ecluse.core.db.databases import Databases
from ecluse.core.db.pool import Connection, commit, translated, undone
from ecluse.core.errors import BadRequest, NotFound
from ecluse.core.fhir.validation.policy import Depth, Rule, read_policy, read_required, read_rule
from ecluse.core.settings import Settings
from ecluse.related.registries import Registries
from fhir_server.http.address import EVERY_SITE
from fhir_server.profiles.guides import Guides
from fhir_server.profiles.validation import NO_PROFILES, Validation
from fhir_server.store import resources
from fhir_server.store.keys import Keys
from fhir_server.store.resources import Site
from mappers.search.registry import Registry

Read = TypeVar("Read")
BEGIN = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan"
"""One round trip. Writing statements touch the rows of their keys whatever the arguments; planning each anew cost as
much as running it."""


async def _nobody_to_wait_for(_: Mapping[str, str]) -> None:
    """Raises: BadRequest (400)"""
    raise BadRequest("This server knows no consumers to wait for; leave X-Ecluse-Wait out.")


@dataclass(slots=True)
class Server:
    """The state of one server process. A server `within` a transaction reads what that transaction wrote.

    committed: called after each commit, to wake the readers of the outbox; awaited: returns when the consumers that a
    request's headers name have caught up; kicked_off: set when this process has added
    a bulk job
    """

    settings: Settings
    databases: Databases
    committed: Callable[[], None]
    awaited: Callable[[Mapping[str, str]], Awaitable[None]] = _nobody_to_wait_for
    keys: Keys = field(default_factory=Keys)
    guides: Guides = field(default_factory=Guides)
    registries: Registries = field(default_factory=Registries)
    kicked_off: asyncio.Event = field(default_factory=asyncio.Event)
    _sites: dict[str, Site] = field(default_factory=dict)
    _conn: Connection | None = None

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection to the store."""
        if self._conn is not None:
            yield self._conn
            return
        with translated():
            async with self.databases.store.acquire() as conn:
                yield conn

    @asynccontextmanager
    async def searching(self) -> AsyncIterator[Connection]:
        """A connection to the store for statements that leave the planner no choice."""
        if self._conn is not None:
            yield self._conn
            return
        with translated():
            async with self.databases.search.acquire() as conn:
                yield conn

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A connection in a transaction that is committed at the end, READ COMMITTED; `within` a transaction it is that
        one, and others commit it.

        Raises: Undone (503) when the database undid it, Uncertain (503) when the answer to the commit was lost
        """
        if self._conn is not None:
            yield self._conn
            return
        async with self.connection() as conn:
            with tracing.span("transaction"):
                with undone():
                    await conn.execute(BEGIN)
                    try:
                        yield conn
                    except BaseException:
                        if not conn.is_closed():
                            await conn.execute("ROLLBACK")
                        raise
                await commit(conn)
        self.committed()

    async def validation(self, site: str, asked: str | None) -> Validation | None:
        """What resources of a request are validated by, None when structure is enough.

        asked: what the request itself asks for
        Raises: BadRequest (400) when that cannot be read
        """
        try:
            rule = read_rule(asked) if asked is not None else None
        except ValueError as error:
            raise BadRequest(f"X-Ecluse-Validation: {error}.") from error
        policy = read_policy(self.settings.validation)
        deepest = policy.deepest() if rule is None else rule.depth
        if deepest is Depth.STRUCTURE:
            return None
        if deepest is Depth.PROFILES:
            return await self.profile_validation(site, rule)
        return Validation(site, policy, NO_PROFILES, {}, rule)

    async def profile_validation(self, site: str, asked: Rule | None = None) -> Validation:
        """The profiles that are installed now, and the rules for a site."""
        async with self.connection() as conn:
            profiles = await self.guides.current(conn)
        policy, required = read_policy(self.settings.validation), read_required(self.settings.profiles)
        return Validation(site, policy, profiles, required, asked)

    async def understood(self, site: Site, text: str, read: Callable[[Registry], Read]) -> Read:
        """What a search means by the parameters that its site has now.

        text: of the search, as it stands in the address; read: makes sense of it
        Raises: what reading raises
        """
        registry = self.registries.known(site.number)
        if not registry.may_be_named_in(text):
            with suppress(BadRequest):
                return read(registry)
        async with self.connection() as conn:
            return await self.registries.understood(conn, site.number, text, read)

    def within(self, conn: Connection) -> Server:
        """The same server, on this connection."""
        return replace(self, _conn=conn)

    def known_site(self, name: str) -> Site | None:
        """The site of this name, when a request has named it before."""
        return self._sites.get(name)

    async def site(self, name: str) -> Site:
        """The site of this name.

        Raises: NotFound (404) when nobody registered it
        """
        if name not in self._sites:
            async with self.connection() as conn:
                self._sites.update({site.name: site for site in await resources.sites(conn, self.registries)})
        if name not in self._sites:
            raise resources.no_site(name, self._sites)
        return self._sites[name]

    async def several_sites(self, names: str) -> tuple[Site, ...]:
        """The sites of these names, `*` for all.

        Raises: NotFound (404) for a name that nobody registered, and for all of them while searches keep to one site
        """
        if self.settings.search_across_sites != "on":
            raise NotFound("Searches keep to one site here; ECLUSE_SEARCH_ACROSS_SITES=on lets them go over several.")
        if names != EVERY_SITE:
            return tuple([await self.site(name) for name in dict.fromkeys(names.split(","))])
        async with self.connection() as conn:
            self._sites.update({site.name: site for site in await resources.sites(conn, self.registries)})
        return tuple(sorted(self._sites.values(), key=lambda site: site.number))

    def no_site(self, name: str) -> Site:
        """What stands for the site of a request that is about several: none has its number."""
        return Site(0, name, "UTC", self.registries)
