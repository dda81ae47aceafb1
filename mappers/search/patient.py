"""The patient that a resource is about.

Enters: a resource type. Leaves: a function that finds the patient's id in a resource of that type. It looks at the
parameters `patient` and `subject` first (a Coverage belongs to its beneficiary, not to the parent who holds the
policy), then at the others of the Patient compartment. Types outside the compartment that have a patient or a subject
(Device, Task, Contract, GuidanceResponse) count too: their patient must be found when a person is withheld or erased.
Spec: http://hl7.org/fhir/R4/compartmentdefinition-patient.html
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from ecluse.core.fhir.definitions.expressions import Path, parse
from ecluse.core.fhir.definitions.search_parameters import Parameter, compartment, parameters, paths
from ecluse.core.fhir.definitions.structures import members

Finder = Callable[[Any], str | None]

_PREFIX = "Patient/"


@cache
def finder(resource_type: str) -> Finder:
    """The function that finds the id of the patient in a resource of this type."""
    found = [_along(resource_type, path) for path in dict.fromkeys(_paths(resource_type))]
    return found[0] if len(found) == 1 else _first(found)


def leading(resource_type: str) -> list[Parameter]:
    """The parameters through which a resource of this type is about a patient, the first one that says so first."""
    known = parameters(resource_type)
    codes = dict.fromkeys(("patient", "subject", *compartment("Patient").get(resource_type, ())))
    return [
        known[code] for code in codes if code in known and (not known[code].targets or "Patient" in known[code].targets)
    ]


def _paths(resource_type: str) -> list[Path]:
    found = [number for parameter in leading(resource_type) for number in parameter.paths]
    return [parse(paths()[number].text)[0][1:] for number in found]


def _along(type_name: str, path: Path) -> Finder:
    """A finder that follows member steps down to a reference."""
    name, (element, kind) = next(
        (name, (element, kind))
        for name, (element, kind) in members(type_name).items()
        if element.name == path[0].name and kind != "CodeableConcept"
    )
    inner = _along(kind, path[1:]) if path[1:] else _target
    follow = _any_of(inner) if element.many else inner

    def find(value: dict[str, Any]) -> str | None:
        member = value.get(name)
        return None if member is None else follow(member)

    return find


def _target(reference: dict[str, Any]) -> str | None:
    text = reference.get("reference")
    if text is None or not text.startswith(_PREFIX):
        return None
    target: str = text[len(_PREFIX) :]
    return target.partition("/")[0] if "/" in target else target


def _any_of(inner: Finder) -> Finder:
    def find(values: list[Any]) -> str | None:
        for value in values:
            found = inner(value)
            if found is not None:
                return found
        return None

    return find


def _first(finders: list[Finder]) -> Finder:
    def find(resource: dict[str, Any]) -> str | None:
        for finder in finders:
            found = finder(resource)
            if found is not None:
                return found
        return None

    return find
