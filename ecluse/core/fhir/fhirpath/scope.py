"""What an expression sees besides its input: `$this` and its kin, the variables, and what the caller lends it.

Enters: the focus and what is given. Leaves: a `Scope`, passed down through the closures of one evaluation.
Spec: http://hl7.org/fhirpath/N1/#environment-variables, http://hl7.org/fhir/R4/fhirpath.html#variables
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from ecluse.core import clock
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath import nodes
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import Item, Node
from ecluse.core.fhir.fhirpath.quantity import UCUM

_FIXED = {
    "ucum": UCUM,
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}


MOST_WORK = 1_000_000
"""Items that all steps of an evaluation may take; a second, or three when they are concepts that are compared."""


@dataclass(frozen=True, slots=True)
class Given:
    """What the caller lends an expression.

    variables: name without % → item or list of items; resolve: the resource that a reference or canonical leads to;
    member_of: (code, Coding or CodeableConcept, URL of the value set); conforms_to: (node, URL of the profile);
    trace: (name, items) of each trace(); work: items that all steps may take, MOST_WORK when not told"""

    variables: Mapping[str, Any] = field(default_factory=dict)
    resolve: Callable[[str, Node], Node | None] | None = None
    member_of: Callable[[Item, str], bool | None] | None = None
    conforms_to: Callable[[Node, str], bool | None] | None = None
    trace: Callable[[str, list[Item]], None] | None = None
    work: int | None = None


NOTHING = Given()


class Evaluation:
    """What stays the same in all of an evaluation. fixed: the items of expressions that no `$this` changes"""

    def __init__(self, context: list[Item], given: Given) -> None:
        self.context = context
        self.given = given
        self.fixed: dict[object, list[Item]] = {}
        self._below: dict[Node, list[Item]] = {}
        self._left = MOST_WORK if given.work is None else given.work

    def spend(self, items: int) -> None:
        """Counts the work of a step.

        Raises: FhirPathError (400) when there was too much of it: expression or resource may be a stranger's"""
        self._left -= items + 1
        if self._left < 0:
            raise FhirPathError("This expression takes too much work on this resource.")

    @cached_property
    def now(self) -> datetime:
        """The moment of the evaluation."""
        return clock.now()

    @cached_property
    def resource(self) -> Node | None:
        """The resource that holds the context; of a contained one, itself."""
        node = self.context[0] if self.context and type(self.context[0]) is Node else None
        while node is not None and node.parent is not None and node.type not in structures().resources:
            node = node.parent
        return node

    @cached_property
    def root_resource(self) -> Node | None:
        """The resource that holds the context; of a contained one, its container."""
        node = self.resource
        return node.parent if node is not None and node.member.name == "contained" and node.parent else node

    def descendants(self, node: Node) -> list[Item]:
        """All elements below a node, found once an evaluation: `%resource.descendants()` stands in many conditions."""
        found = self._below.get(node)
        if found is None:
            found = self._below[node] = nodes.descendants(node)
        self.spend(len(found))
        return found

    def variable(self, name: str) -> list[Item]:
        """The items of `%name`.

        Raises: FhirPathError (400) when nobody gave it"""
        given = self.given.variables
        if name in given:
            return given[name] if isinstance(given[name], list) else [given[name]]
        if name == "context":
            return self.context
        if name in ("resource", "rootResource"):
            node = self.resource if name == "resource" else self.root_resource
            return [] if node is None else [node]
        if name in _FIXED:
            return [_FIXED[name]]
        for prefix, place in (("vs-", "ValueSet"), ("ext-", "StructureDefinition")):
            if name.startswith(prefix):
                return [f"http://hl7.org/fhir/{place}/{name.removeprefix(prefix)}"]
        raise FhirPathError(f"The variable %{name} is not known here.")


class Scope:
    """`$this` (a collection), `$index`, `$total`, and the evaluation. A function that goes through its items changes
    one scope of its own from item to item: nothing keeps a scope."""

    __slots__ = ("evaluation", "index", "this", "total")

    def __init__(
        self, evaluation: Evaluation, this: list[Item], index: int = 0, total: list[Item] | None = None
    ) -> None:
        self.evaluation = evaluation
        self.this = this
        self.index = index
        self.total = total or []
