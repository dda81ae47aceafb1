"""Everything that a search may look at: resources, the addresses they have, and what their parameters find in them.

Enters: resources in the order of their creation, as the server gives them back. Leaves: values, once each.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from tests.property.search import definitions
from tests.property.search.definitions import Parameter, Resource, Value
from tests.property.search.population import IMPLIED_SYSTEMS
from tests.property.search.tokens import Code, Target, target


class World:
    """Resources, the address of the server that has them, and the present instant."""

    def __init__(self, resources: list[Resource], base: str, now: datetime) -> None:
        self.base, self.now = base, now
        self.by_type: dict[str, list[Resource]] = {}
        for resource in resources:
            self.by_type.setdefault(resource["resourceType"], []).append(resource)
        self._by_address = {(each["resourceType"], each["id"]): each for each in resources}
        self._by_url: dict[str, list[Resource]] = {}
        for resource in resources:
            self._by_url.setdefault(resource.get("url", ""), []).append(resource)
        self._values: dict[tuple[str, str, str], list[Value]] = {}
        self._contexts: dict[tuple[str, str, str], list[dict[int, list[Value]]]] = {}

    def __repr__(self) -> str:
        return f"{len(self._by_address)} resources"

    def resource(self, found: Target) -> Resource | None:
        """The resource that a reference leads to, when it is one of these."""
        return self._by_address.get((found.type, found.id))

    def values(self, resource: Resource, parameter: Parameter) -> list[Value]:
        """What the parameter finds in the resource; of references those that lead to the type that the expression
        wants."""
        key = (resource["resourceType"], resource["id"], parameter.code)
        if key not in self._values:
            found = definitions.values(resource, parameter)
            wanted = definitions.wanted_target(parameter.expression)
            self._values[key] = [one for one in found if not wanted or _leads_to_type(one, wanted)]
        return self._values[key]

    def ends(self, resource: Resource, parameter: Parameter) -> list[Resource]:
        """The resources that a reference parameter leads to. A canonical address leads to that version, or to every
        version when it names none; beside one that names a version the same address without says nothing."""
        values = self.values(resource, parameter)
        versioned = {one.data.partition("|")[0] for one in values if one.type != "Reference" and "|" in one.data}
        found: dict[str, Resource] = {}
        for value in values:
            if value.type == "Reference":
                end = self.resource(target(value) or Target("", ""))
                ends = [end] if end else []
            else:
                url, _, version = value.data.partition("|")
                named = [] if not version and url in versioned else self._by_url.get(url, [])
                ends = [end for end in named if not version or end.get("version") == version]
            found |= {f"{end['resourceType']}/{end['id']}": end for end in ends}
        return list(found.values())

    def contexts(self, resource: Resource, parameter: Parameter) -> list[dict[int, list[Value]]]:
        """The values of each component of a composite parameter, in each element that it stands on."""
        key = (resource["resourceType"], resource["id"], parameter.code)
        if key not in self._contexts:
            self._contexts[key] = list(definitions.contexts(resource, parameter))
        return self._contexts[key]

    def implied_system(self, resource_type: str, parameter: Parameter) -> str:
        """The system of the value set that a plain code of this parameter is taken from, "" when none is known."""
        return IMPLIED_SYSTEMS.get((resource_type, parameter.code), "")

    def value_set(self, asked: str) -> set[Code]:
        """The codes of a value set, by its address or id."""
        for resource in self.by_type.get("ValueSet", ()):
            if asked in (resource.get("url"), f"ValueSet/{resource['id']}", f"{self.base}/ValueSet/{resource['id']}"):
                compose = resource["compose"]
                excluded = {code for part in compose.get("exclude", ()) for code in self._included(part)}
                return {code for part in compose["include"] for code in self._included(part)} - excluded
        raise LookupError(asked)

    def _included(self, part: dict[str, Any]) -> Iterator[Code]:
        if "valueSet" in part:
            yield from set.intersection(*(self.value_set(url) for url in part["valueSet"]))
        elif "concept" in part:
            yield from (Code(part["system"], concept["code"]) for concept in part["concept"])
        elif "filter" in part:
            (rule,) = part["filter"]
            yield from (Code(part["system"], code) for code in self.subsumed(part["system"], rule["value"]))
        else:
            yield from (Code(part["system"], concept["code"]) for concept, _ in self._concepts(part["system"]))

    def subsumed(self, system: str, code: str) -> set[str]:
        """The code and all below it."""
        return {
            concept["code"] for concept, above in self._concepts(system) if code == concept["code"] or code in above
        }

    def subsuming(self, system: str, code: str) -> set[str]:
        """The code and all above it."""
        return {code} | {each for concept, above in self._concepts(system) if concept["code"] == code for each in above}

    def _concepts(self, system: str) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
        """Each concept of a code system, with the codes above it."""
        for resource in self.by_type.get("CodeSystem", ()):
            if resource.get("url") == system:
                yield from _walked(resource.get("concept", ()), ())


def _walked(concepts: Any, above: tuple[str, ...]) -> Iterator[tuple[dict[str, Any], tuple[str, ...]]]:
    for concept in concepts:
        yield concept, above
        yield from _walked(concept.get("concept", ()), (*above, concept["code"]))


def _leads_to_type(value: Value, wanted: str) -> bool:
    """An address elsewhere may lead to any type, and so may a reference without one whose `type` does not tell."""
    found = target(value)
    if found is None and "reference" not in value.data:
        return value.data.get("type", wanted) == wanted
    return found is None or found.type in ("", wanted)
