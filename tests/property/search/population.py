"""Random resources of many types, of values from small pools; and official examples of all types.

Enters: a seed. Leaves: resources in the order of their creation.
"""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from functools import cache
from random import Random
from typing import Any

from ecluse.core.fhir.types import number_of
from tests.official import official_files
from tests.property.search.definitions import Resource
from tests.property.search.pools import CASELESS, IDS, TREE, identified
from tests.property.search.shapes import META, SHAPES, Shape

LIKELY = 0.6
OF_A_TYPE = 12
LARGEST_BYTES = 20_000
IMPLIED_SYSTEMS: dict[tuple[str, str], str] = {
    ("Patient", "gender"): "http://hl7.org/fhir/administrative-gender",
    ("Practitioner", "gender"): "http://hl7.org/fhir/administrative-gender",
    ("Observation", "status"): "http://hl7.org/fhir/observation-status",
    ("Encounter", "status"): "http://hl7.org/fhir/encounter-status",
    ("Location", "status"): "http://hl7.org/fhir/location-status",
    ("DocumentReference", "relation"): "http://hl7.org/fhir/document-relationship-type",
}
"""The code system of the value set that an element of type code is bound to, by type and parameter."""


def code_system() -> Resource:
    """The tree of concepts that `:above`, `:below` and `:in` climb; its codes have no case to look at."""
    leaf = {"code": "c1.1", "concept": [{"code": "c1.1.1"}]}
    tree = [{"code": "c1", "concept": [leaf, {"code": "c1.2"}]}, {"code": "c2"}, {"code": "c3"}]
    return {"resourceType": "CodeSystem", "id": "tree", "url": TREE, "status": "active", "content": "complete"} | {
        "concept": tree
    }


def caseless_system() -> Resource:
    """A code system in which case does not count."""
    told = {"id": "caseless", "url": CASELESS, "status": "active", "content": "fragment", "caseSensitive": False}
    return {"resourceType": "CodeSystem", **told, "concept": [{"code": "a"}]}


def population(seed: int) -> list[Resource]:
    """Resources of all types, in a random order; the code systems are the first."""
    random = Random(seed)
    found: list[Resource] = []
    for kind, shape in SHAPES.items():
        for number in range(IDS[kind]):
            head = {"resourceType": kind, "id": identified(kind, number)}
            meta = {"meta": made(META, random)} if random.random() < LIKELY else {}
            found.append(head | {name: value for name, value in meta.items() if value} | made(shape, random))
            _contain(found[-1], random)
    random.shuffle(found)
    return [code_system(), caseless_system(), *found]


@cache
def official_examples() -> list[Resource]:
    """Official resources of every type, the shorter ones; those of one type and id once."""
    found: dict[tuple[str, str], Resource] = {}
    counts: Counter[str] = Counter()
    for file in official_files():
        kind = file.name.partition("-")[0]
        if kind in number_of and counts[kind] < OF_A_TYPE and file.stat().st_size < LARGEST_BYTES:
            resource = json.loads(file.read_bytes(), parse_float=Decimal)
            counts[kind] += 1
            found.setdefault((kind, resource["id"]), resource)
    return list(found.values())


def _contain(resource: Resource, random: Random) -> None:
    """Sometimes a contained resource with values of its own, which no search may find."""
    if resource["resourceType"] == "Observation" and random.random() < 0.3:
        inner = made(SHAPES["Patient"], random)
        inner.pop("link", None)
        resource["contained"] = [{"resourceType": "Patient", "id": "inner", **inner}]
        resource["subject"] = {"reference": "#inner"}


def made(shape: Shape, random: Random) -> dict[str, Any]:
    """An object of this shape."""
    found: dict[str, Any] = {}
    for spelled, maker in shape.items():
        name = spelled.rstrip("*!")
        if not spelled.endswith("!") and random.random() > LIKELY:
            continue
        if isinstance(maker, tuple):
            name, maker = random.choice(maker)
        values = [_value(maker, random) for _ in range(random.choice((1, 1, 2)) if "*" in spelled else 1)]
        values = [value for value in values if value != {}]
        if values:
            found[name] = values if "*" in spelled else values[0]
    return found


def _value(maker: Any, random: Random) -> Any:
    return made(maker, random) if isinstance(maker, dict) else maker(random)
