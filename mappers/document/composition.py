"""Composition → Document: titles and narratives of its sections, in their order, nested ones too."""

from __future__ import annotations

from collections.abc import Iterator

from mappers.document import elements
from mappers.document.elements import Resource
from mappers.document.reading import narrative, shortened
from mappers.document.record import NO_TEXT, Context, Document, Excluded, Unread


def document(resource: Resource, context: Context) -> Document | Excluded:
    """The text of a Composition; a section without narrative gives its title, if another one has a narrative.

    Spec: http://hl7.org/fhir/R4/composition.html
    """
    if resource.get("status") == "entered-in-error":
        return Excluded("entered in error")
    sections = list(_sections(resource))
    written = any(text for _, text in sections)
    text = "\n\n".join(filter(None, ("\n".join(filter(None, section)) for section in sections)))
    return Document(
        title=resource.get("title") or elements.display(resource.get("type")),
        contents=(shortened(text) if written else Unread(NO_TEXT),),
        date=resource.get("date", ""),
        codes=elements.codes(resource.get("type")),
        display=elements.display(resource.get("type")),
        status=resource.get("status", ""),
        authors=elements.references(resource.get("author") or []),
    )


def _sections(resource: Resource) -> Iterator[tuple[str, str]]:
    """(title, text) of every section, parents before their children; no recursion, since a sender chooses the depth."""
    ahead = list(reversed(resource.get("section") or []))
    while ahead:
        section = ahead.pop()
        yield section.get("title", ""), narrative((section.get("text") or {}).get("div", ""))
        ahead.extend(reversed(section.get("section") or []))
