"""What comes with some resources: those that includes lead to, each once.

Enters: the matches of one site, includes, and a place to begin after; or one version of a resource, by the rows of its
references. Leaves: rows in the order of type and key. One statement follows all references of a level, one all that
point back; only `:iterate` has further levels. The search rows say who refers to whom, so no body is decoded.
Spec: http://hl7.org/fhir/R4/search.html#revinclude
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ecluse.core.db import queries
from ecluse.core.fhir.definitions.indexed import ends_of
from ecluse.core.fhir.types import name_of, number_of
from mappers.search.includes import EVERY, Include, Wish, wishes
from mappers.search.reference import ELSEWHERE, normalise
from mappers.search.registry import Registry
from mappers.search.rows import ReferenceRow
from mappers.search.token import caseless

SQL = queries.load(__package__, "related.sql")
MOST = 1000
"""Included resources on a page."""
MOST_FOLLOWED = 10_000
"""Resources that `:iterate` reaches from one page of matches."""
PATIENT = number_of["Patient"]


class Place(NamedTuple):
    """A resource in the order of a page."""

    type: int = 0
    pk: int = -1


class Resource(NamedTuple):
    """A resource that stands. version: 0 when it was not asked for"""

    type: int
    pk: int
    id: str
    version: int = 0


class Related(NamedTuple):
    """A page of what was included. more: there are others after it; cut: `:iterate` reached more than is followed."""

    found: list[Resource]
    more: bool
    cut: bool


@dataclass(frozen=True, slots=True)
class Follower:
    """Who follows references. base: address of the site, under which its resources may be referred to"""

    conn: Any
    site: int
    base: str
    registry: Registry

    async def related(self, includes: Sequence[Include], matches: Sequence[Resource], after: Place) -> Related:
        """The first of what the includes lead to, from a place on."""
        if any(one.iterate for one in includes):
            level = _Levels(self, {one.pk for one in matches})
            return _page(await level.all(includes, matches), after, level.cut)
        most = MOST + 1 + len(matches)
        own = {one.pk for one in matches}
        found = await self.level(includes, matches, after, most)
        return _page([one for one in found if one.pk not in own], after, cut=False)

    async def beside(
        self, includes: Sequence[Include], focus: Resource, references: Sequence[ReferenceRow], most: int
    ) -> list[Resource]:
        """The first of what the includes lead to from one version of a resource, whatever has become of it.

        references: the rows of that version"""
        levels = _Levels(self, {focus.pk}, most)
        first = await self._of_version(includes, focus, references, most + 1)
        return sorted(await levels.from_first(includes, first))

    async def _of_version(
        self, includes: Sequence[Include], focus: Resource, references: Sequence[ReferenceRow], most: int
    ) -> list[Resource]:
        kinds = (name_of[focus.type],)
        along = [wish for one in includes if not one.reverse for wish in wishes(one, kinds, self.registry)]
        allowed = {(wish.path, wish.target) for wish in along}
        local = {(kind, own) for path, _, kind, own in references if kind and allowed & {(path, 0), (path, kind)}}
        paths = {wish.path for wish in along}
        addresses = [Resource(kind, focus.pk, own, path) for path, _, kind, own in references if path in paths]
        found = [Resource(*row) for row in await self._of_ids(local)]
        found += await self._addressed(along, [one for one in addresses if one.type == ELSEWHERE])
        reverse = [one for one in includes if one.reverse]
        return found + await self._referring(await self._backwards(reverse), [focus], Place(), most)

    async def level(
        self, includes: Sequence[Include], sources: Sequence[Resource], after: Place, most: int
    ) -> list[Resource]:
        """What the includes lead to from these, perhaps more than once."""
        kinds = sorted({name_of[one.type] for one in sources})
        forward = [wish for one in includes if not one.reverse for wish in wishes(one, kinds, self.registry)]
        found = await self._referred(forward, sources, after, most) if forward else []
        reverse = [one for one in includes if one.reverse]
        if reverse and sources:
            found += await self._referring(await self._backwards(reverse), sources, after, most)
        return found

    async def _referred(
        self, along: list[Wish], sources: Sequence[Resource], after: Place, most: int
    ) -> list[Resource]:
        _, paths, targets = _columns(along)
        keys = [one.pk for one in sources]
        rows = await self.conn.fetch(SQL["referred"], self.site, keys, paths, targets, *after, most, PATIENT)
        found = [Resource(*row) for row in rows if row["type"] != ELSEWHERE]
        if len(found) < len(rows):
            addresses = [Resource(*row) for row in rows if row["type"] == ELSEWHERE]
            found += [one for one in await self._addressed(along, addresses) if (one.type, one.pk) > after]
        return found

    async def _addressed(self, along: list[Wish], addresses: Sequence[Resource]) -> list[Resource]:
        """The resources of addresses: whole ones of this server, and canonical ones. An address with its version has
        a second row without it, which then says nothing."""
        allowed: dict[int, set[int]] = {}
        for wish in along:
            allowed.setdefault(wish.path, set()).add(wish.target)
        versioned = {(one.pk, one.version, one.id.partition("|")[0]) for one in addresses if "|" in one.id}
        local: set[tuple[int, str]] = set()
        canonical: set[tuple[int, int, int, str, str]] = set()
        for one in addresses:
            targets = allowed[one.version]
            kind, own = normalise(one.id.removeprefix(f"{self.base}/"))
            if kind != ELSEWHERE:
                local |= {(kind, own)} if targets & {0, kind} else set()
            elif (one.pk, one.version, one.id) not in versioned:
                url, _, version = one.id.partition("|")
                canonical |= {(*paths, url, caseless(version)) for paths in _canonical_paths(targets, self.registry)}
        rows = await self._of_ids(local)
        if canonical:
            rows += await self.conn.fetch(SQL["of_urls"], self.site, *_columns(canonical))
        return [Resource(*row) for row in rows]

    async def _of_ids(self, local: set[tuple[int, str]]) -> list[Any]:
        return list(await self.conn.fetch(SQL["of_ids"], self.site, *_columns(local), PATIENT)) if local else []

    async def _backwards(self, includes: Sequence[Include]) -> list[Wish]:
        every = any(one.type == EVERY for one in includes)
        present = [name_of[row["type"]] for row in await self.conn.fetch(SQL["present"], self.site)] if every else []
        found: dict[Wish, None] = {}
        for one in includes:
            found |= dict.fromkeys(wishes(one, present if one.type == EVERY else (one.type,), self.registry))
        return list(found)

    async def _referring(
        self, along: list[Wish], sources: Sequence[Resource], after: Place, most: int
    ) -> list[Resource]:
        if not along:
            return []
        names = [(one.type, one.type, one.id) for one in sources]
        names += [(one.type, ELSEWHERE, f"{self.base}/{name_of[one.type]}/{one.id}") for one in sources]
        rows = await self.conn.fetch(
            SQL["referring"], self.site, *_columns(along), *_columns(names), *after, most, PATIENT
        )
        addressing = [wish for wish in along if _is_canonical(wish.path, self.registry)]
        if addressing and (urls := await self._urls(sources)):
            rows += await self.conn.fetch(
                SQL["addressing"], self.site, *_columns(addressing), *_columns(urls), *after, most
            )
        return [Resource(*row) for row in rows]

    async def _urls(self, sources: Sequence[Resource]) -> list[tuple[int, str, str]]:
        """(type, address, version or "") of those resources that have canonical addresses."""
        kinds = {one.pk: one.type for one in sources}
        named = _canonical_paths(set(kinds.values()), self.registry)
        if not named:
            return []
        _, paths, told = _columns(named)
        rows = await self.conn.fetch(SQL["urls"], self.site, list(kinds), paths, told)
        return [(kinds[row["pk"]], row["url"], row["version"]) for row in rows]


@dataclass(slots=True)
class _Levels:
    """Level after level of what `:iterate` reaches. seen: keys of the matches and of all that was found; most: how many
    are followed"""

    follower: Follower
    seen: set[int]
    most: int = MOST_FOLLOWED
    cut: bool = False
    found: list[Resource] = field(default_factory=list)

    async def all(self, includes: Sequence[Include], matches: Sequence[Resource]) -> list[Resource]:
        """Everything, or as much as is followed."""
        return await self.from_first(includes, await self._level(includes, matches))

    async def from_first(self, includes: Sequence[Include], reached: Sequence[Resource]) -> list[Resource]:
        """The same, from what the first level has reached."""
        iterated = [one for one in includes if one.iterate]
        while level := [one for one in dict.fromkeys(reached) if one.pk not in self.seen]:
            self.seen.update(one.pk for one in level)
            self.found += level
            self.cut = len(self.found) > self.most
            if self.cut or not iterated:
                break
            reached = await self._level(iterated, level)
        return self.found[: self.most]

    async def _level(self, includes: Sequence[Include], sources: Sequence[Resource]) -> list[Resource]:
        return await self.follower.level(includes, sources, Place(), self.most + 1)


def _page(found: Iterable[Resource], after: Place, cut: bool) -> Related:
    listed = sorted({one.pk: one for one in found if (one.type, one.pk) > after}.values())
    return Related(listed[:MOST], len(listed) > MOST, cut)


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _is_canonical(path: int, registry: Registry) -> bool:
    """Whether what refers along a path may name its target by a canonical address."""
    return any(end.kind != "Reference" for end in ends_of(registry.path(path)))


def _canonical_paths(kinds: set[int], registry: Registry) -> list[tuple[int, int, int]]:
    """(type, path of its url, path of its version) of those of some types that have canonical addresses. kinds: 0 for
    all"""
    found = []
    for number in number_of.values() if 0 in kinds else sorted(kinds):
        served = registry.served(name_of[number])
        if "url" in served and "version" in served:
            found += [(number, path, told) for path in served["url"].paths for told in served["version"].paths]
    return found
