"""Composite parameters of a query: `code-value-quantity=1234-5$gt7`.

Enters: a composite parameter and its text. Leaves: a condition on the rows of its components.
Spec: http://hl7.org/fhir/R4/search.html#composite
"""

from __future__ import annotations

from collections.abc import Sequence

from ecluse.core.fhir.definitions.search_parameters import Parameter
from fhir_server.search.asked import Asked
from fhir_server.search.clause import clause, texts_of
from fhir_server.search.modifiers import PLAIN
from fhir_server.search.query import Clause, Condition, Joined, all_of, any_of
from mappers.search.composite import Context
from mappers.search.question import parts


def composite(asked: Asked, parameter: Parameter, more: str) -> Condition:
    """`code-value-quantity=1234-5$gt7`: values that belong together."""
    if more or asked.operation:
        raise asked.wrong(f"{parameter.code} is a composite parameter; it takes neither modifiers nor chains.")
    return any_of(parameter.code, [_together(asked, parameter, text) for text in texts_of(asked, parameter)])


def _together(asked: Asked, parameter: Parameter, text: str) -> Condition:
    """One value: all its parts, in one of the contexts."""
    own = asked.registry.contexts(asked.type, parameter.code)
    return any_of(parameter.code, [_in(asked, parameter, context, parts(text, "$")) for context in own])


def _in(asked: Asked, parameter: Parameter, context: Context, texts: Sequence[str]) -> Condition:
    if len(texts) != len(context.components):
        names = "$".join(part.parameter.code for part in context.components)
        raise asked.wrong(f"{parameter.code} is written {names}.")
    same: list[Clause] = []
    beside: list[Condition] = []
    for part, text in zip(context.components, texts, strict=True):
        found = clause(asked, part.parameter, PLAIN[part.parameter.type], [text])
        (same if part.together else beside).append(found)
    if same:
        beside.append(same[0] if len(same) == 1 else Joined(parameter.code, tuple(same)))
    return all_of(parameter.code, beside)
