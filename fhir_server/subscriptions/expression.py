"""The FHIRPath criteria of a trigger.

Enters: an expression. Leaves: the same, once it is certain that consumers can evaluate it: on what a resource was
(%previous) and is (%current), and on nothing else.
Spec: http://hl7.org/fhir/R5/subscriptiontopic.html#fhirpath-criteria
"""

from __future__ import annotations

from ecluse.core.errors import Issue, Unprocessable
from ecluse.core.fhir.fhirpath import asked, expression, syntax
from ecluse.core.fhir.fhirpath.failures import FhirPathError

GIVEN = ("previous", "current")
KNOWN = frozenset({*GIVEN, "resource", "rootResource", "context", "ucum", "sct", "loinc"})
KNOWN_BEGINNINGS = ("vs-", "ext-")
OUTSIDE = {
    "memberOf": "value sets are not asked",
    "conformsTo": "profiles are not asked",
    "resolve": "other resources are not read; only `resolve() is Type` is served",
}
"""Functions that look beyond the resource, with the reason why they are refused."""


def checked(text: object, place: str) -> str:
    """The expression of a trigger; empty when there is none.

    place: where it stands, for errors
    Raises: Unprocessable (422) when it cannot be read, or looks beyond the resource"""
    if not text:
        return ""
    if not isinstance(text, str):
        raise Unprocessable("Write the expression as a text.", expression=place, diagnostics=str(text)[:200])
    try:
        tree = syntax.parse(text)
        expression.compile(text)
    except FhirPathError as error:
        issues = [Issue(one.text, place, one.diagnostics or text[:500], "invalid") for one in error.issues]
        raise Unprocessable(issues=issues) from None
    told = [f"{name}() is not served here: {OUTSIDE[name]}." for name in sorted(asked.functions(tree) & OUTSIDE.keys())]
    unknown = [name for name in sorted(asked.variables(tree) - KNOWN) if not name.startswith(KNOWN_BEGINNINGS)]
    told += [f"The variable %{name} is not known here: there are %previous and %current." for name in unknown]
    if told:
        raise Unprocessable(issues=[Issue(one, place, text[:500], "not-supported") for one in told])
    return text
