"""Makes `terminology.json.gz` and `value_sets.json.gz` of the official R4 definitions.

Enters: the folders of two unpacked npm packages. Leaves: two files, the same bytes for the same packages: the
CodeSystems, ValueSets and ConceptMaps of R4 without narrative, one JSON text a line; and the codes of each value set
that can be told from them alone.
To rebuild (both CC0-1.0):

    npm pack hl7.fhir.r4.examples@4.0.1 hl7.fhir.r4.expansions@4.0.1     # unpack each
    python -m ecluse.core.fhir.definitions.build_terminology examples/package expansions/package
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

KINDS = ("CodeSystem", "ValueSet", "ConceptMap")
NOT_KEPT = ("text", "meta", "contact", "extension", "useContext", "jurisdiction", "copyright", "contained")
FROM_EXPANSIONS = {"urn:iso:std:iso:4217": ("currencies", "ISO 4217 currencies")}
"""Code systems that R4 has only as the expansion of one of its value sets."""

Json = dict[str, Any]
Codes = dict[str, list[str]]
"""Address of a code system → its codes."""


class NotTold(Exception):
    """A value set whose codes these definitions do not tell."""


def main(examples: Path, expansions: Path) -> None:
    """Writes both files beside this one."""
    resources = [slim(resource) for resource in definitions(examples)]
    resources += [listed(expansions, url, *source) for url, source in FROM_EXPANSIONS.items()]
    resources.sort(key=lambda resource: (resource["resourceType"], resource.get("url", ""), resource["id"]))
    write("terminology.json.gz", (dense(resource) for resource in resources))
    write("value_sets.json.gz", [dense(value_sets(resources))])


def write(name: str, lines: Iterable[str]) -> None:
    """The compressed file, without a time in it."""
    packed = gzip.compress("".join(f"{line}\n" for line in lines).encode(), 9, mtime=0)
    (Path(__file__).parent / name).write_bytes(packed)


def dense(value: object) -> str:
    """JSON without spaces."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def definitions(package: Path) -> Iterator[Json]:
    """Those that have an address."""
    for kind in KINDS:
        for path in package.glob(f"{kind}-*.json"):
            resource: Json = json.loads(path.read_text(encoding="utf-8"))
            if "url" in resource:
                yield resource


def slim(resource: Json) -> Json:
    """Without what only people read, in it and in its concepts."""
    return {name: bare(value) for name, value in resource.items() if name not in NOT_KEPT and not name.startswith("_")}


def bare(value: Any) -> Any:
    """Without extensions, at every depth."""
    if isinstance(value, dict):
        return {k: bare(v) for k, v in value.items() if k not in ("extension", "modifierExtension") and k[0] != "_"}
    return [bare(item) for item in value] if isinstance(value, list) else value


def listed(expansions: Path, url: str, name: str, title: str) -> Json:
    """A code system of the codes that the expansion of a value set has."""
    value_set = json.loads((expansions / f"ValueSet-{name}.json").read_text(encoding="utf-8"))
    concepts = [{"code": one["code"], "display": one["display"]} for one in value_set["expansion"]["contains"]]
    told = {"id": name, "url": url, "version": value_set["version"], "name": name, "title": title, "status": "active"}
    return {"resourceType": "CodeSystem", **told, "content": "fragment", "caseSensitive": True, "concept": concepts}


def value_sets(resources: list[Json]) -> Json:
    """The codes of complete code systems, and of each value set made of them: [include, …] where an include that is a
    whole system is its address alone."""
    systems = {one["url"]: one for one in resources if one["resourceType"] == "CodeSystem" and whole(one)}
    sets = {one["url"]: one for one in resources if one["resourceType"] == "ValueSet"}
    told: dict[str, Json] = {}
    for url, value_set in sorted(sets.items()):
        try:
            told[url] = codes_of(value_set, systems, sets, ())
        except NotTold:
            continue
    every = {url: list(nodes(system)) for url, system in systems.items()}
    used = {system for codes in told.values() for system in codes}
    short = {
        url: {system: "*" if own == every.get(system) else own for system, own in codes.items()}
        for url, codes in told.items()
    }
    return {"systems": {url: codes for url, codes in sorted(every.items()) if url in used}, "value_sets": short}


def whole(system: Json) -> bool:
    """Whether all of its codes are here."""
    return bool(system["content"] == "complete" or system["url"] in FROM_EXPANSIONS)


def codes_of(value_set: Json, systems: Json, sets: Json, within: tuple[str, ...]) -> Codes:
    """The codes of a value set. Raises: NotTold"""
    if value_set["url"] in within or "compose" not in value_set:
        raise NotTold
    deeper = (*within, value_set["url"])
    found: Codes = {}
    for include in value_set["compose"]["include"]:
        for system, codes in part(include, systems, sets, deeper).items():
            found[system] = list(dict.fromkeys([*found.get(system, ()), *codes]))
    for exclude in value_set["compose"].get("exclude", ()):
        for system, codes in part(exclude, systems, sets, deeper).items():
            found[system] = [code for code in found.get(system, ()) if code not in set(codes)]
    return found


def part(include: Json, systems: Json, sets: Json, within: tuple[str, ...]) -> Codes:
    """The codes of one include. Raises: NotTold"""
    found = [imported(url, systems, sets, within) for url in include.get("valueSet", ())]
    if "system" in include:
        found.append({include["system"]: list(own_codes(include, systems))})
    first, *others = found
    for other in others:
        first = {system: [c for c in codes if c in other.get(system, ())] for system, codes in first.items()}
    return first


def imported(url: str, systems: Json, sets: Json, within: tuple[str, ...]) -> Codes:
    """The codes of another value set. Raises: NotTold"""
    address = url.split("|")[0]
    if address not in sets:
        raise NotTold
    return codes_of(sets[address], systems, sets, within)


def own_codes(include: Json, systems: Json) -> Iterable[str]:
    """The codes that an include takes from its system. Raises: NotTold"""
    if "concept" in include:
        return [concept["code"] for concept in include["concept"]]
    if include["system"] not in systems:
        raise NotTold
    tree = nodes(systems[include["system"]])
    for condition in include.get("filter", ()):
        tree = {code: above for code, above in tree.items() if holds(condition, code, above)}
    return tree


def holds(condition: Json, code: str, above: frozenset[str]) -> bool:
    """Whether a filter holds. above: the codes that subsume this one. Raises: NotTold"""
    match condition["property"], condition["op"]:
        case "concept", "is-a":
            return condition["value"] == code or condition["value"] in above
        case "concept", "descendent-of":
            return condition["value"] in above
        case "concept", "is-not-a":
            return condition["value"] != code and condition["value"] not in above
    raise NotTold


def nodes(system: Json) -> dict[str, frozenset[str]]:
    """Code → the codes that subsume it, by nesting and by the property `child`."""
    parents: dict[str, set[str]] = {}

    def walk(concepts: list[Json], parent: str | None) -> None:
        for concept in concepts:
            own = parents.setdefault(concept["code"], set())
            own |= {parent} if parent else set()
            for item in concept.get("property", ()):
                if item["code"] == "child":
                    parents.setdefault(item["valueCode"], set()).add(concept["code"])
            walk(concept.get("concept", []), concept["code"])

    walk(system.get("concept", []), None)

    def above(code: str, seen: frozenset[str]) -> frozenset[str]:
        for parent in parents[code] - seen:
            seen = above(parent, seen | {parent})
        return seen

    return {code: above(code, frozenset()) for code in parents}


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
