"""The invariants of a profile: FHIRPath that has to be true of an element.

Enters: a constraint. Leaves: its check. What an expression asks about value sets, profiles and targets of references is
answered from what is at hand.
Spec: http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.constraint
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ecluse.core.fhir.definitions.structures import structures
from ecluse.core.fhir.fhirpath.expression import compile
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.nodes import Member, Node, root
from ecluse.core.fhir.fhirpath.scope import Given
from ecluse.core.fhir.validation.profiles.codes import codes_of
from ecluse.core.fhir.validation.profiles.element import Constraint
from ecluse.core.fhir.validation.profiles.run import Check, Item, Run

if TYPE_CHECKING:
    from ecluse.core.fhir.validation.profiles.profiles import Profiles

MOST_SHOWN = 300


def invariant(profiles: Profiles, constraint: Constraint) -> Check | None:
    """The check of a constraint, None when its expression cannot be read."""
    try:
        expression = compile(constraint.expression)
    except FhirPathError:
        return None
    text = f"{constraint.human.rstrip('.') or 'This has to be true'}: the profile's rule {constraint.key}."
    told = f"not true here: {constraint.expression[:MOST_SHOWN]}"
    severity = "error" if constraint.severity == "error" else "warning"

    def check(run: Run, item: Item) -> None:
        try:
            holds = expression.holds(_node(item), given(profiles, run))
        except FhirPathError as error:
            run.unchecked[f"the invariant {constraint.key}: {error}"] = None
            return
        if not holds:
            run.add(item.place, text, "invariant", told, severity)

    return check


def _node(item: Item) -> Node:
    primitive = item.kind in structures().primitives
    member = Member(item.place, "", "", item.kind, many=False, primitive=primitive)
    return Node(item.value, item.sibling, item.kind, None, member)


def given(profiles: Profiles, run: Run, **variables: Any) -> Given:
    """What a run lends its expressions. variables: more of them, by name"""

    def resolve(reference: str, _: Node) -> Node | None:
        found = run.target({"reference": reference})
        return root(found) if found is not None else None

    def member_of(code: Any, value_set: str) -> bool | None:
        answers = [run.is_member(profiles.value_sets, value_set, one) for one in codes_of(_item(code))]
        return True if any(answers) else None if None in answers else False

    def conforms_to(node: Node, canonical: str) -> bool | None:
        return profiles.conforms(run, _item(node), canonical)

    top: Any = root(run.root) if run.root else []
    resource = top if run.inside is None else root(run.inside)
    return Given({"resource": resource, "rootResource": top, **variables}, resolve, member_of, conforms_to)


def _item(node: Any) -> Item:
    if isinstance(node, Node):
        return Item(node.value, node.sibling, node.type, node.location)
    return Item(node, None, "", "")
