"""DiagnosticReport → Document: its presented forms, and its conclusion."""

from __future__ import annotations

from mappers.document import elements
from mappers.document.elements import Resource
from mappers.document.reading import shortened
from mappers.document.record import Context, Document, Excluded

NOT_REPORTS = {"entered-in-error": "entered in error", "cancelled": "cancelled"}


def document(resource: Resource, context: Context) -> Document | Excluded:
    """The report as its author presented it.

    Spec: http://hl7.org/fhir/R4/diagnosticreport.html
    """
    if reason := NOT_REPORTS.get(resource.get("status", "")):
        return Excluded(reason)
    forms = resource.get("presentedForm") or []
    contents = [elements.content(form, context) for form in forms]
    if resource.get("conclusion"):
        contents.append(shortened(resource["conclusion"]))
    display = elements.display(resource.get("code"))
    return Document(
        title=next(filter(None, (display, *(form.get("title") for form in forms))), ""),
        contents=tuple(contents),
        date=_date(resource),
        codes=elements.codes(resource.get("code")),
        display=display,
        status=resource.get("status", ""),
        authors=elements.references([*(resource.get("resultsInterpreter") or []), *(resource.get("performer") or [])]),
    )


def _date(resource: Resource) -> str:
    period = resource.get("effectivePeriod") or {}
    found: str = resource.get("effectiveDateTime") or period.get("start") or resource.get("issued") or ""
    return found
