"""The search parameters of each site, as this process knows them.

Enters: a connection. Leaves: registries. Nothing here is truth: the database counts the changes, and a process that
has read another number forgets all and begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

from ecluse.core.db import queries
from ecluse.core.db.pool import Connection
from ecluse.core.errors import BadRequest
from ecluse.core.fhir import json, types
from ecluse.core.fhir.definitions.search_parameters import IndexedPath, Parameter
from mappers.search.composite import Component, Context
from mappers.search.registry import BUILT_IN, Registry, Unique

SQL = queries.load(__package__, "registries.sql")
Read = TypeVar("Read")
BUILT = ("requested", "backfilling", "verifying", "active")
"""The states in which writers keep the rows of a parameter."""
ENFORCED = ("verifying", "active")
"""The states in which no two resources may share a value of a parameter that is declared unique."""


class Made(NamedTuple):
    """One parameter made at run time. site: 0 for all; source: of its package; id: of its SearchParameter; readings:
    type → numbers of its paths, the types it may point to, and of a composite its contexts, each a list of parts;
    numbers, types, evaluated, texts: of its own paths"""

    generation: int
    pk: int
    site: int
    state: str
    reason: str
    source: str
    id: str
    code: str
    kind: str
    url: str
    unique: bool
    readings: Any
    done: int
    total: int
    numbers: Sequence[int] | None
    types: Sequence[int] | None
    evaluated: Sequence[bool] | None
    texts: Sequence[str] | None

    @property
    def paths(self) -> list[IndexedPath]:
        """The paths of its own."""
        columns = (self.numbers or (), self.types or (), self.evaluated or (), self.texts or ())
        parts = {number: (part["kind"], part["context"]) for part in self._parts for number in part["paths"]}
        found = []
        for number, type_number, evaluated, text in zip(*columns, strict=True):
            kind, context = parts.get(number, (self.kind, ""))
            named = types.name_of[type_number] if evaluated else ""
            found.append(IndexedPath(number, kind, text, evaluated=named, context=context))
        return found

    @property
    def _parts(self) -> Iterator[dict[str, Any]]:
        """The parts of a composite, in each type and context."""
        return (part for reading in self.readings.values() for one in reading.get("contexts", ()) for part in one)

    @property
    def defined(self) -> Parameter:
        """What it is as a part of a composite."""
        targets = dict.fromkeys(name for reading in self.readings.values() for name in reading["targets"])
        return Parameter(self.code, self.kind, self.url, targets=tuple(targets))

    @property
    def name(self) -> str:
        """What to call it: its resource, or its package."""
        return f"SearchParameter/{self.id}" if not self.source else f"{self.url} of {self.source}"


async def load(conn: Connection) -> tuple[int, list[Made]]:
    """The generation, and the parameters made at run time."""
    rows = await conn.fetch(SQL["load"])
    made = [Made(*row) for row in rows if row["pk"] is not None]
    return rows[0]["generation"], [one._replace(readings=json.decode(one.readings)) for one in made]


class Registries:
    """The registries of one generation; one object a process."""

    def __init__(self) -> None:
        self._generation = 0
        self._made: list[Made] = []
        self._by_site: dict[int, Registry] = {}

    def known(self, site: int) -> Registry:
        """The registry of a site, as last read; its generation tells whether that is the present one."""
        if not self._generation:
            return BUILT_IN
        if site not in self._by_site:
            own = [one for one in self._made if one.site in (0, site)]
            self._by_site[site] = registry_of(self._generation, own)
        return self._by_site[site]

    async def current(self, conn: Connection, site: int) -> Registry:
        """The registry of a site that holds now; in a transaction also a claim to be waited for (registries.sql)."""
        if await conn.fetchval(SQL["generation"]) != self._generation:
            await self.read(conn)
        return self.known(site)

    async def understood(self, conn: Connection, site: int, text: str, read: Callable[[Registry], Read]) -> Read:
        """What a search means by the parameters that a site has now; the generation is asked for when the search names
        one that was made at run time, or something that is not known.

        text: of the search, as it stands in the address; read: makes sense of it
        Raises: what reading raises
        """
        registry = self.known(site)
        if registry.may_be_named_in(text):
            registry = await self.current(conn, site)
        try:
            return read(registry)
        except BadRequest:
            latest = await self.current(conn, site)
            if latest.may_be_awaited_in(text):  # how far it is changes without a generation
                await self.read(conn)
                latest = self.known(site)
            if latest is registry:
                raise
        return read(latest)

    async def read(self, conn: Connection) -> None:
        """Forgets all, and begins anew."""
        generation, made = await load(conn)
        if generation >= self._generation:
            self._generation, self._made, self._by_site = generation, made, {}


def registry_of(generation: int, made: Sequence[Made]) -> Registry:
    """The registry of a site that has these parameters beside R4's."""
    active: dict[str, dict[str, Parameter]] = {}
    composites: dict[str, dict[str, tuple[Context, ...]]] = {}
    waiting: dict[str, dict[str, str]] = {}
    unique: dict[str, list[Unique]] = {}
    for one in made:
        for name, reading in one.readings.items():
            numbers, targets = tuple(reading["paths"]), tuple(reading["targets"])
            if one.state == "active":
                parameter = Parameter(one.code, one.kind, one.url, reading["expression"], numbers, targets)
                active.setdefault(name, {})[one.code] = parameter
                if own := reading.get("contexts"):
                    composites.setdefault(name, {})[one.code] = tuple(map(_context, own))
            else:
                waiting.setdefault(name, {}).setdefault(one.code, _reason(one))
            if one.unique and one.state in ENFORCED:
                unique.setdefault(name, []).append(Unique(one.pk, one.name, frozenset(numbers)))
    paths = {path.number: path for one in made if one.state in BUILT for path in one.paths}
    rules = {name: tuple(own) for name, own in unique.items()}
    return Registry(generation, active, waiting, paths, rules, composites=composites)


def _context(parts: Sequence[dict[str, Any]]) -> Context:
    components = tuple(Component(_part(part), part["together"]) for part in parts)
    return Context(parts[0]["context"], any(part["together"] for part in parts), components)


def _part(told: dict[str, Any]) -> Parameter:
    numbers, targets = tuple(told["paths"]), tuple(told["targets"])
    return Parameter(told["code"], told["kind"], told["url"], told["text"], numbers, targets)


def _reason(one: Made) -> str:
    if one.state == "failed":
        return f"{one.name} cannot be served: {one.reason}"
    return f"{one.name} is being built, {one.done} of {one.total} resources"
