"""FHIRPath for the rest of Écluse.

    from ecluse.core.fhir.fhirpath.expression import compile
    from ecluse.core.fhir.fhirpath.nodes import Node, root, system

    given = compile("Patient.name.given")       # parsed once; FhirPathError (400) says what is wrong, and where
    for item in given(patient):                 # a decoded resource, or any Node of one
        item.location                           # "Patient.name[0].given[1]"
        item.parent, item.member.key, item.index  # where it stands in the JSON: parent.value["given"][1]
        system(item)                            # its value: str, bool, int, Decimal, Temporal, Quantity

A result that is calculated is no Node but such a value. `Given` lends an expression variables, references and
terminology.
What differs from the letter of N1 is what FHIR R4 itself relies on: `as` keeps the items of a type, also of several.
Spec: http://hl7.org/fhirpath/N1, http://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

from decimal import DecimalException
from functools import lru_cache
from typing import Any

from ecluse.core.fhir.fhirpath.closures import compiled
from ecluse.core.fhir.fhirpath.failures import FhirPathError
from ecluse.core.fhir.fhirpath.functions.registry import Evaluate, truth
from ecluse.core.fhir.fhirpath.nodes import Item, root
from ecluse.core.fhir.fhirpath.scope import NOTHING, Evaluation, Given, Scope
from ecluse.core.fhir.fhirpath.syntax import parse


class Expression:
    """A compiled expression; call it with a resource or a node."""

    __slots__ = ("_evaluate", "text")

    def __init__(self, text: str, evaluate: Evaluate) -> None:
        self.text = text
        self._evaluate = evaluate

    def __call__(self, focus: dict[str, Any] | Item | list[Item], given: Given = NOTHING) -> list[Item]:
        """The items that the expression selects or makes.

        focus: a decoded resource, a Node, a System value, or several of the latter two, or none
        Raises: FhirPathError (400) when it cannot be evaluated: several items where one is needed, unknown variables"""
        context = focus if type(focus) is list else [root(focus) if type(focus) is dict else focus]
        try:
            return self._evaluate(Scope(Evaluation(context, given), context))
        except (RecursionError, DecimalException, OverflowError) as error:
            raise FhirPathError(
                "This expression is too deep, or its numbers too large.", diagnostics=self.text[:500]
            ) from error

    def holds(self, focus: dict[str, Any] | Item | list[Item], given: Given = NOTHING) -> bool | None:
        """Whether a condition is met, None when its outcome is empty.

        Raises: FhirPathError (400) as a call does, and when the outcome are several items"""
        return truth(self(focus, given))


@lru_cache(maxsize=4096)
def compile(text: str) -> Expression:
    """The expression of a text; the same text is compiled once.

    Raises: FhirPathError (400) with the place of what cannot be read, or the name of what does not exist"""
    try:
        return Expression(text, compiled(parse(text)))
    except RecursionError as error:
        raise FhirPathError("This expression is too long.", diagnostics=text[:500]) from error
