"""Random queries about a world: conditions of every kind, alone, in lists, after chains and inside `_has`.

Enters: a world, a random number generator and the feature that is to be asked. Leaves: a resource type and parameters.
Most values are taken from resources, some of them changed a little, so that queries hit, nearly hit and miss.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple
from urllib.parse import urlencode

from tests.property.search.definitions import Parameter, Resource, parameters
from tests.property.search.filter_queries import filter_of
from tests.property.search.query_values import MODIFIED, Wanted, written
from tests.property.search.world import World

ATTEMPTS = 5000
ANY = 100
"""A reference that may lead to so many types may lead to any; a chain has to name which."""
_NAMES = "questionnaire|instantiates-canonical|depends-on|composed-of"
ADDRESSES = re.compile(rf"\b({_NAMES})(:[A-Z]\w+)?\.|_has:\w+:({_NAMES}):")
"""The parameters of the population that are chained along canonical addresses, in a chain."""
SORTED = tuple(kind for kind in MODIFIED if kind not in ("composite", "special"))


class Asked(NamedTuple):
    """One parameter of a query, its values apart."""

    name: str
    values: tuple[str, ...]

    @property
    def text(self) -> str:
        return ",".join(self.values)


class Case(NamedTuple):
    """One search."""

    type: str
    asked: tuple[Asked, ...]

    @property
    def query(self) -> str:
        """The text after the question mark."""
        return urlencode([(one.name, one.text) for one in self.asked])

    def __str__(self) -> str:
        return f"{self.type}?{'&'.join(f'{one.name}={one.text}' for one in self.asked)}"

    def simpler(self) -> list[Case]:
        """The same search with one parameter or one value less."""
        found = [self._replace(asked=self.asked[:n] + self.asked[n + 1 :]) for n in range(len(self.asked))]
        for n, one in enumerate(self.asked):
            for m in range(len(one.values) if len(one.values) > 1 else 0):
                fewer = one._replace(values=one.values[:m] + one.values[m + 1 :])
                found.append(self._replace(asked=(*self.asked[:n], fewer, *self.asked[n + 1 :])))
        return [each for each in found if each.asked]


class Queries:
    """A generator of cases about one world. features: modifiers and prefixes by search type that it may ask for"""

    def __init__(self, world: World, random: Random, features: Mapping[str, Sequence[str]] = MODIFIED) -> None:
        self.world, self.random, self.features = world, random, features
        self._referrers: dict[tuple[str, str], list[tuple[Parameter, Resource]]] = defaultdict(list)

    def case(self, kind: str, feature: str) -> Case:
        """A search that asks this of a parameter of this type, alone, with others, or with the same one asked again;
        sometimes sorted."""
        resource_type, asked = self._anywhere(kind, feature)
        rest = [self._direct(resource_type, *self._any()) for _ in range(self.random.choice((0, 0, 0, 1, 1, 2)))]
        if self.random.random() < 0.3:
            again = parameters(resource_type)[asked.name.partition(":")[0]]
            rest.append(self._written(resource_type, again, self.random.choice(self.features[kind])))
        found = [asked, *(one for one in rest if one)]
        self.random.shuffle(found)
        if self.random.random() < 0.25:
            found.append(Asked("_sort", tuple(self._keys(resource_type))))
        return Case(resource_type, tuple(found))

    def unsorted(self, kind: str, feature: str) -> Case:
        """A search that asks for nothing else."""
        resource_type, asked = self._anywhere(kind, feature)
        return Case(resource_type, (asked,))

    def sorted(self, kind: str) -> Case:
        """A search of everything, or by one condition, in the order of one to three keys, the first of this type."""
        resource_type, parameter = self._parameter(kind)
        first = f"{self.random.choice(('', '-'))}{parameter.code}"
        others = self._keys(resource_type)[: self.random.randrange(3)]
        keys = [first, *(key for key in others if key.strip("-") != parameter.code)]
        condition = self._direct(resource_type, *self._any()) if self.random.random() < 0.4 else None
        return Case(resource_type, (*([condition] if condition else []), Asked("_sort", tuple(keys))))

    def chain(self, levels: int) -> Case:
        """A search by what is at the end of so many references."""
        while True:
            if found := self._chained(self.random.choice(tuple(self.world.by_type)), levels):
                return Case(*found)

    def has(self, levels: int, chained: int) -> Case:
        """A search for what others refer to, over so many levels, the last of them followed by so long a chain."""
        while True:
            end = self.random.choice(self._resources(self.random.choice(tuple(self.world.by_type))))
            if found := self._reversed(end, levels, chained):
                return Case(end["resourceType"], (found,))

    def by_address(self, make: Callable[[], Case]) -> Case:
        """One of these cases that goes along a canonical address."""
        while True:
            case = make()
            if any(ADDRESSES.search(one.name) for one in case.asked):
                return case

    def listed(self) -> Case:
        """A search among what lists refer to."""
        ids = [each["id"] for each in self.world.by_type["List"]]
        kind = self.random.choice(("Patient", "Observation", "Condition", "Encounter"))
        asked = Asked("_list", tuple(self.random.sample(ids, self.random.choice((1, 1, 2)))))
        other = self._direct(kind, *self._any()) if self.random.random() < 0.4 else None
        return Case(kind, (asked, *([other] if other else [])))

    def filtered(self) -> Case:
        """A search by a filter."""
        kind = self.random.choice(tuple(self.world.by_type))
        return Case(kind, (Asked("_filter", (filter_of(self.world, self.random, kind),)),))

    def _any(self) -> tuple[str, str]:
        kind = self.random.choice(tuple(self.features))
        return kind, self.random.choice(self.features[kind])

    def _keys(self, resource_type: str) -> list[str]:
        codes = [one.code for one in parameters(resource_type).values() if one.type in SORTED]
        return [
            f"{self.random.choice(('', '-'))}{code}"
            for code in self.random.sample(codes, self.random.choice((1, 1, 2)))
        ]

    def _anywhere(self, kind: str, feature: str) -> tuple[str, Asked]:
        """A condition on some type that has a parameter of this kind."""
        for _ in range(ATTEMPTS):
            resource_type, parameter = self._parameter(kind)
            if found := self._written(resource_type, parameter, feature):
                return resource_type, found
        raise LookupError(f"{kind} {feature}: no resource of the population has a value for it")

    def _parameter(self, kind: str) -> tuple[str, Parameter]:
        found = [
            (resource_type, parameter)
            for resource_type in self.world.by_type
            for parameter in parameters(resource_type).values()
            if parameter.type == kind
        ]
        return self.random.choice(found)

    def _direct(self, resource_type: str, kind: str, feature: str) -> Asked | None:
        """A condition on this type, if it has a parameter of this kind and a value for it."""
        own = [one for one in parameters(resource_type).values() if one.type == kind]
        return self._written(resource_type, self.random.choice(own), feature) if own else None

    def _written(self, resource_type: str, parameter: Parameter, feature: str) -> Asked | None:
        resources = self._resources(resource_type)
        found = []
        for _ in range(self.random.choice((1, 1, 1, 2, 3))):
            wanted = Wanted(self.world, self.random, parameter, feature, self.random.choice(resources))
            if asked := written(wanted):
                found.append(asked)
        if not found:
            return None
        name = found[0].name
        several = feature != "missing" and len(found) > 1
        values = [one.text for one in found if one.name == name]
        return Asked(name, tuple(dict.fromkeys(values if several else values[:1])))

    def _resources(self, resource_type: str) -> list[Resource]:
        return self.world.by_type[resource_type]

    def _ends(self, resource: Resource, parameter: Parameter) -> list[Resource]:
        ends = self.world.ends(resource, parameter)
        return [end for end in ends if not parameter.targets or end["resourceType"] in parameter.targets]

    def _referring(self) -> dict[tuple[str, str], list[tuple[Parameter, Resource]]]:
        """What refers to each resource, and by which parameter."""
        if not self._referrers:
            for kind, resources in self.world.by_type.items():
                for parameter in parameters(kind).values():
                    for other in resources if parameter.type == "reference" else ():
                        for end in self._ends(other, parameter):
                            self._referrers[end["resourceType"], end["id"]].append((parameter, other))
        return self._referrers

    def _chained(self, resource_type: str, levels: int) -> tuple[str, tuple[Asked]] | None:
        """A chain that some resource of the type goes along."""
        name, end = "", self.random.choice(self._resources(resource_type))
        for _ in range(levels):
            steps = [
                (parameter, found)
                for parameter in parameters(end["resourceType"]).values()
                if parameter.type == "reference"
                for found in self._ends(end, parameter)
            ]
            if not steps:
                return None
            parameter, end = self.random.choice(steps)
            several = 1 < len(parameter.targets) < ANY
            bare = len(parameter.targets) == 1 or (several and self.random.random() < 0.3)
            name += f"{parameter.code}." if bare else f"{parameter.code}:{end['resourceType']}."
        last = self._direct(end["resourceType"], *self._any())
        return (resource_type, (last._replace(name=name + last.name),)) if last else None

    def _reversed(self, end: Resource, levels: int, chained: int) -> Asked | None:
        """A `_has` that the resource answers, unless the condition at its end fails."""
        steps = self._referring()[end["resourceType"], end["id"]]
        if not steps:
            return None
        parameter, other = self.random.choice(steps)
        inner: Asked | None = None
        if levels > 1:
            inner = self._reversed(other, levels - 1, chained)
        elif chained:
            found = self._chained(other["resourceType"], chained)
            inner = found[1][0] if found else None
        else:
            inner = self._direct(other["resourceType"], *self._any())
        return inner._replace(name=f"_has:{other['resourceType']}:{parameter.code}:{inner.name}") if inner else None
