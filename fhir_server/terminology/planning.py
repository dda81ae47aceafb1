"""From a ValueSet to what it is made of: every address followed, every code system found.

Enters: a connection, a site, a value set's address, id or resource. Leaves: a `Composed`. What cannot be followed is an
error, or, for somebody who only asks about some codes, a part that is told to be unknown.
Spec: http://hl7.org/fhir/R4/valueset.html#composition
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ecluse.core.db.pool import Connection
from ecluse.core.errors import EcluseError, Issue, NotFound, Unprocessable
from ecluse.core.fhir.code_systems import canonical
from fhir_server.terminology import definitions, filters
from fhir_server.terminology.composition import Composed, Json, Listed, Part, System
from fhir_server.terminology.definitions import Definition

DEEPEST = 50


@dataclass(frozen=True, slots=True)
class Versions:
    """Which version of a code system counts, by its address: where the value set names none; as a check; in any
    case."""

    default: Mapping[str, str] = field(default_factory=dict)
    check: Mapping[str, str] = field(default_factory=dict)
    force: Mapping[str, str] = field(default_factory=dict)

    def of(self, system: str, named: str) -> str:
        """The version to use.

        Raises: Unprocessable (422) when the value set names another than the one that is to be checked"""
        if system in self.force:
            return self.force[system]
        check = self.check.get(system, "")
        if check and named and check != named:
            text = f"The value set uses version {named} of {system}; check-system-version asks for {check}."
            raise Unprocessable(text, diagnostics=f"{system}|{named}")
        return named or check or self.default.get(system, "")


class Planner:
    """What one request needs to follow addresses. lenient: what cannot be followed is told, not raised"""

    def __init__(self, conn: Connection, site: int, versions: Versions | None = None, *, lenient: bool = False) -> None:
        self.conn = conn
        self.site = site
        self.versions = versions or Versions()
        self.lenient = lenient
        self._systems: dict[tuple[str, str], System | None] = {}
        self._value_sets: dict[str, Composed] = {}

    async def system(self, url: str, version: str = "") -> System | None:
        """The code system under this address, None when none of its concepts is here.

        Raises: NotFound (404) when only other versions are"""
        key = canonical(url), self.versions.of(url, version)
        if key not in self._systems:
            found = await definitions.candidates(self.conn, self.site, "CodeSystem", url)
            usable = [one for one in found if one.is_usable]
            best = definitions.chosen(usable, key[1])
            if best is None and usable:
                raise definitions.unknown("CodeSystem", url, key[1], usable)
            self._systems[key] = await system_of(self.conn, self.site, best) if best else None
        return self._systems[key]

    async def value_set(self, url: str, version: str = "", chain: tuple[str, ...] = ()) -> Composed:
        """The value set under this address.

        Raises: NotFound (404), Unprocessable (422) when it cannot be followed or leads back to itself"""
        address, _, named = url.partition("|")
        key = f"{address}|{version or named}"
        if key not in self._value_sets:
            found = await definitions.candidates(self.conn, self.site, "ValueSet", address)
            best = definitions.chosen(found, version or named)
            if best is not None:
                composed = await self.composed(best.resource, chain)
            else:
                composed = await self._implicit(address) or _raise(
                    definitions.unknown("ValueSet", address, version or named, found)
                )
            self._value_sets[key] = composed
        return self._value_sets[key]

    async def composed(self, resource: Json, chain: tuple[str, ...] = ()) -> Composed:
        """What a ValueSet in memory is made of. chain: the value sets that led here"""
        own = resource.get("url", "")
        if (own and own in chain) or len(chain) > DEEPEST:
            circle = " → ".join((*chain[chain.index(own) if own in chain else 0 :], own))
            raise Unprocessable(
                issues=[
                    Issue(f"Value sets import each other in a circle: {circle}; remove one import.", code="invalid")
                ]
            )
        compose = resource.get("compose")
        if compose is None:
            return Composed(own, resource.get("version", ""), tuple(_expanded(resource)), resource=resource)
        deeper = (*chain, own)
        sides = {
            side: tuple(
                [
                    await self._part(part, deeper, f"ValueSet.compose.{side}[{index}]")
                    for index, part in enumerate(compose.get(side, ()))
                ]
            )
            for side in ("include", "exclude")
        }
        active_only = compose.get("inactive") is False
        return Composed(own, resource.get("version", ""), sides["include"], sides["exclude"], active_only, resource)

    async def _part(self, part: Json, chain: tuple[str, ...], place: str) -> Part:
        try:
            return await self._followed(part, chain, place)
        except (NotFound, Unprocessable) as error:
            if not self.lenient or "circle" in str(error):
                raise
            return Part(canonical(part.get("system", "")), untold=str(error))

    async def _followed(self, part: Json, chain: tuple[str, ...], place: str) -> Part:
        within = tuple([await self.value_set(url, chain=chain) for url in part.get("valueSet", ())])
        url = part.get("system", "")
        if not url and not within:
            raise _refused("An include names a system, or value sets.", place)
        if "concept" in part and "filter" in part:
            raise _refused("An include has either concepts or filters, not both.", place)
        if not url:
            return Part(within=within)
        known = await self.system(url, part.get("version", ""))
        if "concept" in part:
            return Part(canonical(url), known, tuple(_listed(part["concept"])), within=within)
        if known is None:
            raise _contentless(url, place)
        asked = enumerate(part.get("filter", ()))
        conditions = [await filters.condition(self.conn, known, one, f"{place}.filter[{n}]") for n, one in asked]
        return Part(canonical(url), known, None, tuple(conditions), within)

    async def _implicit(self, url: str) -> Composed | None:
        """A value set that a code system defines by its address.

        Spec: http://hl7.org/fhir/R4/snomedct.html#implicit, http://hl7.org/fhir/R4/loinc.html#implicit"""
        system, _, wanted = url.partition("?fhir_vs")
        include: Json | None = None
        if url == "http://loinc.org/vs":
            include = {"system": "http://loinc.org"}
        elif "?fhir_vs" in url and not wanted:
            include = {"system": system}
        elif wanted.startswith("=isa/"):
            subtree = {"property": "concept", "op": "is-a", "value": wanted.removeprefix("=isa/")}
            include = {"system": system, "filter": [subtree]}
        else:
            whole = await definitions.of_value_set(self.conn, self.site, url)
            include = {"system": whole.url} if whole else None
        if include is None:
            return None
        resource = {"resourceType": "ValueSet", "url": url, "status": "active", "compose": {"include": [include]}}
        return await self.composed(resource)


async def system_of(conn: Connection, site: int, one: Definition) -> System:
    """A definition as a code system to ask."""
    supplements = await definitions.supplements(conn, site, one)
    return System(one.pk, one.url, one.version, one.concepts, one.resource, supplements)


def _listed(concepts: list[Json]) -> list[Listed]:
    return [Listed(one["code"], one.get("display", ""), one.get("designation", ())) for one in concepts]


def _expanded(resource: Json) -> list[Part]:
    """The parts of a value set that comes as its expansion only."""
    found: dict[str, list[Listed]] = {}
    stack = list(reversed(resource.get("expansion", {}).get("contains", ())))
    while stack:
        one = stack.pop()
        if "code" in one and not one.get("abstract"):
            listed = Listed(one["code"], one.get("display", ""), one.get("designation", ()))
            found.setdefault(canonical(one.get("system", "")), []).append(listed)
        stack += reversed(one.get("contains", ()))
    return [Part(system, None, tuple(listed)) for system, listed in found.items()]


def _contentless(url: str, place: str) -> Unprocessable:
    text = (
        f"The concepts of {url} are not here; load them with `ecluse terminology load`, or POST the CodeSystem with "
        "its concepts."
    )
    return Unprocessable(issues=[Issue(text, place, url, "not-found")])


def _refused(text: str, place: str) -> Unprocessable:
    return Unprocessable(issues=[Issue(text, place, code="invalid")])


def _raise(error: EcluseError) -> Any:
    raise error
