"""Whether an extension stands where its definition allows it.

Enters: the usage that a definition tells, the node of an extension. Leaves: findings that name the place, the places
allowed and what to do.
Spec: http://hl7.org/fhir/R4/defining-extensions.html#context
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ecluse.core.fhir.definitions.extensions import Context, Usage
from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import Node, base_type
from ecluse.core.fhir.fhirpath.scope import Given
from ecluse.core.fhir.validation.profiles.checks import any_of
from ecluse.core.fhir.validation.profiles.extensions import NAMES
from ecluse.core.fhir.validation.profiles.invariants import given
from ecluse.core.fhir.validation.profiles.library import BASE
from ecluse.core.fhir.validation.profiles.run import Run

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.profiles import Profiles

ANYWHERE = ("Element", "Any")
"""Expressions for every element; that resources are meant too is how HL7's own validator reads them."""
MOST_NAMED = 12


def usage_in(definition: Mapping[str, Any]) -> Usage:
    """The usage that an extension's StructureDefinition tells."""
    contexts = tuple(
        Context(row["type"], row["expression"])
        for row in definition.get("context", ())
        if isinstance(row, dict) and isinstance(row.get("type"), str) and isinstance(row.get("expression"), str)
    )
    invariants = tuple(text for text in definition.get("contextInvariant", ()) if isinstance(text, str))
    elements = (definition.get(kind, {}).get("element") or [{}] for kind in ("snapshot", "differential"))
    modifier = any(rows[0].get("path") == "Extension" and rows[0].get("isModifier") is True for rows in elements)
    return Usage(contexts, invariants, modifier)


def check_context(profiles: Profiles, run: Run, node: Node, usage: Usage) -> None:
    """Notes what is wrong with the place of an extension."""
    holder = node.parent
    if holder is None:
        return
    url = node.value["url"]
    _check_modifier(run, node, usage)
    answers = [_fits(profiles, run, holder, context) for context in usage.contexts]
    if usage.contexts and not any(answers):
        if None in answers:
            run.unchecked[f"where the extension {url} may stand"] = None
        else:
            where = _places(usage.contexts)
            text = f"Move this extension to {where}, or leave it out: it is not made for {_name(holder)}."
            run.add(node.location, text, "structure", f"found {url}")
    for invariant in usage.invariants:
        if _holds(profiles, run, holder, node, invariant) is False:
            text = f"Leave this extension out, or mend {_name(holder)} around it: it is only for where {invariant}."
            run.add(node.location, text, "invariant", f"found {url}")


def _check_modifier(run: Run, node: Node, usage: Usage) -> None:
    """An extension that changes the meaning of what it stands on has to be seen as such, and no other."""
    wanted = "modifierExtension" if usage.modifier else "extension"
    if node.member.name != wanted and node.member.name in NAMES:
        why = "it changes" if usage.modifier else "it does not change"
        text = f"Put this extension into {wanted}: by its definition {why} the meaning of what it stands on."
        run.add(node.location, text, "structure", f"found {node.value['url']} as {node.member.name}")


def _fits(profiles: Profiles, run: Run, holder: Node, context: Context) -> bool | None:
    """Whether a place is one of this context, None when that cannot be told."""
    match context.type:
        case "element":
            expression = _element(profiles, context.expression)
            return (expression in ANYWHERE or expression in element_ids(holder)) if expression else None
        case "extension":
            around = holder.parent if holder.member.name == "value" and holder.parent is not None else holder
            return around.type == "Extension" and around.value.get("url") == context.expression
        case "fhirpath":
            return _is_found(profiles, run, holder, context.expression)
    return None


def _element(profiles: Profiles, expression: str) -> str:
    """The id of an element of R4 for an expression; a profile's is that of the element it constrains; "" for a profile
    that is not known."""
    canonical, mark, path = expression.partition("#")
    if not mark and ":" in expression.partition("/")[0]:
        return profiles.type_of(canonical)
    steps = (path if mark else expression).removeprefix(BASE).split(".")
    return ".".join(step.partition(":")[0].removesuffix("[x]") for step in steps)


def element_ids(node: Node) -> set[str]:
    """All ids under which R4's definitions know an element: `Patient.name`, `HumanName`, `DomainResource.text`."""
    found: set[str] = set()
    path, one = "", node
    while True:
        found.update(kind + path for kind in (*_lineage(one.type), *_canonical(one.type)))
        if one.parent is None or one.type in structures().resources:
            break
        if one is node:
            found.update(f"{kind}.{one.member.key}" for kind in _lineage(one.parent.type))
        path, one = f".{one.member.name}{path}", one.parent
    return found


def _lineage(kind: str) -> Iterator[str]:
    while kind:
        yield kind
        kind = base_type(kind)


def _canonical(kind: str) -> tuple[str, ...]:
    """What later editions of FHIR call resources that have an address, and packages for R4 name with them."""
    names = {element.name for element in structures().types.get(kind, ())} if kind in structures().resources else set()
    return ("CanonicalResource", "MetadataResource") if {"url", "status"} <= names else ()


def _is_found(profiles: Profiles, run: Run, holder: Node, expression: str) -> bool | None:
    """Whether an expression finds this place, from the resource around it."""
    around = holder
    while around.parent is not None and around.type not in structures().resources:
        around = around.parent
    key = (around.location, expression)
    if key not in run.places:
        run.places[key] = _places_found(around, expression, given(profiles, run))
    places = run.places[key]
    return None if places is None else holder.location in places


def _places_found(around: Node, expression: str, lent: Given) -> frozenset[str] | None:
    """Where an expression leads in a resource, None when it cannot be evaluated."""
    try:
        return frozenset(one.location for one in compile(expression)(around, lent) if isinstance(one, Node))
    except FhirPathError:
        return None


def _holds(profiles: Profiles, run: Run, holder: Node, node: Node, invariant: str) -> bool | None:
    try:
        return bool(compile(invariant).holds(holder, given(profiles, run, extension=node)))
    except FhirPathError as error:
        run.unchecked[f"when the extension {node.value['url']} may stand here: {error}"] = None
        return None


def _places(contexts: Sequence[Context]) -> str:
    names = [_told(context) for context in contexts[:MOST_NAMED]]
    rest = len(contexts) - len(names)
    return any_of([*names, f"{rest} other places"] if rest else names)


def _told(context: Context) -> str:
    match context.type:
        case "extension":
            return f"the extension {context.expression}"
        case "fhirpath":
            return f"what {context.expression} finds"
    return context.expression


def _name(holder: Node) -> str:
    """`Patient.name`, `HumanName.family`, `Patient`."""
    if holder.parent is None or holder.type in structures().resources:
        return holder.type
    return f"{holder.parent.type}.{holder.member.name}"
